#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr AttrSpec kConcatFromSequence[] = {
    required("axis", AttrType::integer),
    flag("new_axis", false),
};
constexpr AttrSpec kSequenceEmpty[] = {
    dtype("dtype", 1),
};
constexpr AttrSpec kSequenceMap[] = {
    required("body", AttrType::graph),
};
constexpr AttrSpec kSplitToSequence[] = {
    integer("axis", 0),
    flag("keepdims", true),
};

constexpr OpRow kRows[] = {
    // ConcatFromSequence(input_sequence) -> concat_result
    {.op = "ConcatFromSequence", .since = {11}, .attributes = kConcatFromSequence},
    // SequenceAt(input_sequence, position) -> tensor
    {.op = "SequenceAt", .since = {11}, .inputs = 2},
    // SequenceConstruct(inputs...) -> output_sequence
    {.op = "SequenceConstruct", .since = {11}, .inputs = {1, kMany}},
    // SequenceEmpty() -> output
    {.op = "SequenceEmpty", .since = {11}, .inputs = 0, .attributes = kSequenceEmpty},
    // SequenceErase(input_sequence, position?) -> output_sequence
    {.op = "SequenceErase", .since = {11}, .inputs = {1, 2}},
    // SequenceInsert(input_sequence, tensor, position?) -> output_sequence
    {.op = "SequenceInsert", .since = {11}, .inputs = {2, 3}},
    // SequenceLength(input_sequence) -> length
    {.op = "SequenceLength", .since = {11}},
    // SequenceMap(input_sequence, additional_inputs...) -> out_sequence...
    {.op = "SequenceMap",
     .since = {17},
     .inputs = {1, kMany},
     .outputs = {1, kMany},
     .attributes = kSequenceMap},
    // SplitToSequence(input, split?) -> output_sequence
    {.op = "SplitToSequence", .since = {11, 24}, .inputs = {1, 2}, .attributes = kSplitToSequence},
};

}  // namespace

std::span<const OpRow> sequence_rows() { return kRows; }

}  // namespace ferry
