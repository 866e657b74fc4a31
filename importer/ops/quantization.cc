#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr AttrSpec kDequantizeLinear[] = {
    integer("axis", 1).since(13),
    integer("block_size", 0).since(21),
    dtype("output_dtype", 0).since(23),
};
constexpr AttrSpec kQuantizeLinear[] = {
    integer("axis", 1).since(13),       integer("block_size", 0).since(21),
    dtype("output_dtype", 0).since(21), dtype("precision", 0).since(23),
    flag("saturate", true).since(19),
};

constexpr OpRow kRows[] = {
    // DequantizeLinear(x, x_scale, x_zero_point?) -> y
    {.op = "DequantizeLinear",
     .since = {10, 13, 19, 21, 23, 24, 25},
     .inputs = {2, 3},
     .attributes = kDequantizeLinear},
    // DynamicQuantizeLinear(x) -> y, y_scale, y_zero_point
    {.op = "DynamicQuantizeLinear", .since = {11}, .outputs = 3},
    // QuantizeLinear(x, y_scale, y_zero_point?) -> y
    {.op = "QuantizeLinear",
     .since = {10, 13, 19, 21, 23, 24, 25},
     .inputs = {2, 3},
     .attributes = kQuantizeLinear},
};

}  // namespace

std::span<const OpRow> quantization_rows() { return kRows; }

}  // namespace ferry
