#include "placement/fingerprint.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

#include "core/fnv.h"

namespace ferry {
namespace {

void add(Fnv1a& hash, std::string_view text) {
  hash.add_text(text);
  hash.add_byte(0);  // so that "ab", "c" is not "a", "bc"
}

void add(Fnv1a& hash, int64_t number) {
  for (int i = 0; i < 8; ++i) hash.add_byte(static_cast<uint8_t>(number >> 8 * i));
}

void add(Fnv1a& hash, const std::vector<ValueId>& values) {
  add(hash, std::ssize(values));
  for (const ValueId id : values) add(hash, id);
}

void add(Fnv1a& hash, const Graph& graph) {
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    const Value& value = graph.value(id);
    add(hash, value.name);
    add(hash, value.type.str());
    add(hash, static_cast<int64_t>(value.is_constant()));
  }
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    add(hash, node.op);
    add(hash, node.name);
    for (const auto& [name, attribute] : node.attributes.items()) {
      add(hash, name);
      add(hash, to_string(attribute));
    }
    add(hash, node.inputs);
    add(hash, node.outputs);
    add(hash, node.captures);
    for (const auto& body : node.bodies) add(hash, *body);
  }
  add(hash, graph.inputs());
  add(hash, graph.outputs());
}

}  // namespace

std::string fingerprint_of(const Graph& graph) {
  Fnv1a hash;
  add(hash, graph);
  return fmt::format("{:016x}", hash.value());
}

}  // namespace ferry
