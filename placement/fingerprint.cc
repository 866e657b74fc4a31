#include "placement/fingerprint.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace ferry {
namespace {

class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<uint8_t>(c));
    add_byte(0);  // so that "ab", "c" is not "a", "bc"
  }
  void add(int64_t number) {
    for (int i = 0; i < 8; ++i) add_byte(static_cast<uint8_t>(number >> 8 * i));
  }
  uint64_t value() const { return hash_; }

 private:
  void add_byte(uint8_t byte) { hash_ = (hash_ ^ byte) * 1099511628211ull; }

  uint64_t hash_ = 14695981039346656037ull;
};

void add(Hash& hash, const std::vector<ValueId>& values) {
  hash.add(std::ssize(values));
  for (const ValueId id : values) hash.add(id);
}

void add(Hash& hash, const Graph& graph) {
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    const Value& value = graph.value(id);
    hash.add(value.name);
    hash.add(value.type.str());
    hash.add(static_cast<int64_t>(value.is_constant()));
  }
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    hash.add(node.op);
    hash.add(node.name);
    for (const auto& [name, attribute] : node.attributes.items()) {
      hash.add(name);
      hash.add(to_string(attribute));
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
  Hash hash;
  add(hash, graph);
  return fmt::format("{:016x}", hash.value());
}

}  // namespace ferry
