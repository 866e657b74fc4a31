#include "importer/ops/registered.h"

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "graph/registered.h"
#include "importer/node_reader.h"
#include "importer/text.h"

namespace ferry {
namespace {

// In the order of the alternatives of Attribute.
constexpr std::array kTypes{AttrType::integer, AttrType::real,  AttrType::text,  AttrType::ints,
                            AttrType::reals,   AttrType::texts, AttrType::tensor};
static_assert(kTypes.size() == std::variant_size_v<Attribute>);

// Defaults are written here rather than by the row, which has none for lists and tensors.
void set_defaults(NodeReader& reader) {
  const RegisteredOperator* entry = find_registered(reader.node().op);
  for (const OperatorAttribute& attribute : entry->definition.attributes) {
    if (!reader.attributes().has(attribute.name)) {
      reader.attributes().set(attribute.name, attribute.value);
    }
  }
}

struct Row {
  std::vector<AttrSpec> attributes;
  OpRow row;
};

std::unique_ptr<const Row> make_row(const OperatorDefinition& definition) {
  auto out = std::make_unique<Row>();
  for (const OperatorAttribute& attribute : definition.attributes) {
    const AttrType type = kTypes[attribute.value.index()];
    out->attributes.push_back(attribute.required ? required(attribute.name, type)
                                                 : maybe(attribute.name, type));
  }
  out->row.op = definition.name;
  out->row.domain = definition.domain;
  out->row.first = definition.since_version;
  out->row.inputs = {definition.min_inputs, definition.max_inputs};
  out->row.outputs = {definition.min_outputs, definition.max_outputs};
  out->row.attributes = out->attributes;
  out->row.read = set_defaults;
  return out;
}

}  // namespace

const OpRow* registered_row(std::string_view domain, std::string_view op) {
  const RegisteredOperator* entry = find_registered(operator_name(domain, op));
  if (entry == nullptr) return nullptr;
  static std::mutex& mutex = *new std::mutex;
  static auto& rows = *new std::map<const RegisteredOperator*, std::unique_ptr<const Row>>;
  const std::lock_guard lock(mutex);
  std::unique_ptr<const Row>& row = rows[entry];
  if (row == nullptr) row = make_row(entry->definition);
  return &row->row;
}

}  // namespace ferry
