#include <memory>

#include "importer/format/onnx_wire.pb.h"
#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/problems.h"
#include "importer/types.h"

namespace ferry {
namespace {

constexpr AttrSpec kOptional[] = {
    maybe("type", AttrType::type),
};
constexpr OldArity kOptionalHasElementArity[] = {{18, 1, 1}};

// The type of an empty optional becomes the type of the output.
void read_optional(NodeReader& reader) {
  const onnx::AttributeProto* declared = reader.raw("type");
  if (declared == nullptr) {
    if (!reader.has_input(0))
      fail(ProblemCode::attribute, "an empty optional needs attribute 'type'");
    return;
  }
  Type type;
  type.kind = Type::Kind::optional;
  type.element = std::make_shared<const Type>(type_of(declared->tp()));
  reader.set_output_type(0, std::move(type));
}

constexpr OpRow kRows[] = {
    // Optional(input?) -> output
    {.op = "Optional",
     .since = {15},
     .inputs = {0, 1},
     .attributes = kOptional,
     .read = read_optional},
    // OptionalGetElement(input) -> output
    {.op = "OptionalGetElement", .since = {15, 18}},
    // OptionalHasElement(input?) -> output
    {.op = "OptionalHasElement",
     .since = {15, 18},
     .inputs = {0, 1},
     .old_arity = kOptionalHasElementArity},
};

}  // namespace

std::span<const OpRow> optional_rows() { return kRows; }

}  // namespace ferry
