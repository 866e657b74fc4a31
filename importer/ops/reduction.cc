#include <vector>

#include "importer/node_reader.h"
#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr AttrSpec kArg[] = {
    integer("axis", 0),
    flag("keepdims", true),
    flag("select_last_index", false).since(12),
};
constexpr AttrSpec kReduce[] = {
    flag("keepdims", true),
    flag("noop_with_empty_axes", false).since(18),
    ints("axes").until(17),
};
constexpr OldArity kReduceArity[] = {{18, 1, 1}};
constexpr AttrSpec kReduceSum[] = {
    flag("keepdims", true),
    flag("noop_with_empty_axes", false).since(13),
    ints("axes").until(12),
};
constexpr OldArity kReduceSumArity[] = {{13, 1, 1}};

// Reductions have their axes as an input since 18, ReduceSum since 13. No axes means all of them.
void read_reduce(NodeReader& reader) {
  const auto* axes = reader.old().find<std::vector<int64_t>>("axes");
  if (axes != nullptr && !axes->empty()) reader.set_input(1, reader.int_list(*axes, "axes"));
}

constexpr OpRow kRows[] = {
    // ArgMax(data) -> reduced
    {.op = "ArgMax", .since = {1, 11, 12, 13}, .attributes = kArg},
    // ArgMin(data) -> reduced
    {.op = "ArgMin", .since = {1, 11, 12, 13}, .attributes = kArg},
    // ReduceL1(data, axes?) -> reduced
    {.op = "ReduceL1",
     .since = {1, 11, 13, 18},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
    // ReduceL2(data, axes?) -> reduced
    {.op = "ReduceL2",
     .since = {1, 11, 13, 18},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
    // ReduceLogSum(data, axes?) -> reduced
    {.op = "ReduceLogSum",
     .since = {1, 11, 13, 18},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
    // ReduceLogSumExp(data, axes?) -> reduced
    {.op = "ReduceLogSumExp",
     .since = {1, 11, 13, 18},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
    // ReduceMax(data, axes?) -> reduced
    {.op = "ReduceMax",
     .since = {1, 11, 12, 13, 18, 20},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
    // ReduceMean(data, axes?) -> reduced
    {.op = "ReduceMean",
     .since = {1, 11, 13, 18},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
    // ReduceMin(data, axes?) -> reduced
    {.op = "ReduceMin",
     .since = {1, 11, 12, 13, 18, 20},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
    // ReduceProd(data, axes?) -> reduced
    {.op = "ReduceProd",
     .since = {1, 11, 13, 18},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
    // ReduceSum(data, axes?) -> reduced
    {.op = "ReduceSum",
     .since = {1, 11, 13},
     .inputs = {1, 2},
     .attributes = kReduceSum,
     .read = read_reduce,
     .old_arity = kReduceSumArity},
    // ReduceSumSquare(data, axes?) -> reduced
    {.op = "ReduceSumSquare",
     .since = {1, 11, 13, 18},
     .inputs = {1, 2},
     .attributes = kReduce,
     .read = read_reduce,
     .old_arity = kReduceArity},
};

}  // namespace

std::span<const OpRow> reduction_rows() { return kRows; }

}  // namespace ferry
