#include "importer/ops/rows.h"
#include "importer/ops/upgrades.h"

namespace ferry {
namespace {

constexpr std::string_view kShiftDirections[] = {"LEFT", "RIGHT"};
constexpr AttrSpec kBroadcast[] = {
    maybe("axis", AttrType::integer).until(6),
    flag("broadcast", false).until(6),
};
constexpr AttrSpec kBitShift[] = {
    required("direction", AttrType::text).one_of(kShiftDirections),
};

constexpr OpRow kRows[] = {
    // And(A, B) -> C
    {.op = "And", .since = {1, 7}, .inputs = 2, .attributes = kBroadcast, .read = read_broadcast},
    // BitShift(X, Y) -> Z
    {.op = "BitShift", .since = {11}, .inputs = 2, .attributes = kBitShift},
    // BitwiseAnd(A, B) -> C
    {.op = "BitwiseAnd", .since = {18}, .inputs = 2},
    // BitwiseNot(X) -> Y
    {.op = "BitwiseNot", .since = {18}},
    // BitwiseOr(A, B) -> C
    {.op = "BitwiseOr", .since = {18}, .inputs = 2},
    // BitwiseXor(A, B) -> C
    {.op = "BitwiseXor", .since = {18}, .inputs = 2},
    // Equal(A, B) -> C
    {.op = "Equal",
     .since = {1, 7, 11, 13, 19},
     .inputs = 2,
     .attributes = kBroadcast,
     .read = read_broadcast},
    // Greater(A, B) -> C
    {.op = "Greater",
     .since = {1, 7, 9, 13},
     .inputs = 2,
     .attributes = kBroadcast,
     .read = read_broadcast},
    // GreaterOrEqual(A, B) -> C
    {.op = "GreaterOrEqual", .since = {12, 16}, .inputs = 2},
    // Less(A, B) -> C
    {.op = "Less",
     .since = {1, 7, 9, 13},
     .inputs = 2,
     .attributes = kBroadcast,
     .read = read_broadcast},
    // LessOrEqual(A, B) -> C
    {.op = "LessOrEqual", .since = {12, 16}, .inputs = 2},
    // Not(X) -> Y
    {.op = "Not", .since = {1}},
    // Or(A, B) -> C
    {.op = "Or", .since = {1, 7}, .inputs = 2, .attributes = kBroadcast, .read = read_broadcast},
    // Xor(A, B) -> C
    {.op = "Xor", .since = {1, 7}, .inputs = 2, .attributes = kBroadcast, .read = read_broadcast},
};

}  // namespace

std::span<const OpRow> logical_rows() { return kRows; }

}  // namespace ferry
