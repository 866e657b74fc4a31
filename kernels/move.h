#pragma once

#include <array>
#include <memory>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/limits.h"

// Operators that move elements as strided copies: Concat, Expand, Slice, Split, Tile, Transpose.
// What they copy is worked out here; a device says how it copies.
namespace ferry {

// One axis of a strided copy: how many positions, and elements from one to the next at both ends. A
// stride of 0 repeats, a negative one reverses.
struct CopyAxis {
  int64_t size, to_stride, from_stride;
};

// The copy of a part of an input to a part of an output. Offsets in elements, axes outermost first.
struct Move {
  int input = 0, output = 0;
  int64_t from_offset = 0, to_offset = 0;
  std::vector<CopyAxis> axes;
};

// The moves that together write the outputs.
std::vector<Move> concat_moves(const NodeFacts& node);
std::vector<Move> expand_moves(const NodeFacts& node);
// Throws Error runtime where the slice leaves the input.
std::vector<Move> slice_moves(const NodeFacts& node);
std::vector<Move> split_moves(const NodeFacts& node);
std::vector<Move> tile_moves(const NodeFacts& node);
std::vector<Move> transpose_moves(const NodeFacts& node);

// How a device copies: kMake prepares the moves of elements of a dtype, kRun does them. kMake
// throws Error unsupported where more than kMaxAxes axes of a move do not merge.
using MakeMoves = std::unique_ptr<KernelState> (*)(DType dtype, std::vector<Move> moves);
using RunMoves = void (*)(const KernelState* state, const RunContext& context);

template <MakeMoves kMake, std::vector<Move> (*kMoves)(const NodeFacts&)>
std::unique_ptr<KernelState> prepare_moves(const NodeFacts& node, Prepare&) {
  return kMake(node.input(0).dtype, kMoves(node));
}

template <MakeMoves kMake, size_t kMaxAxes, Support (*kSupports)(const NodeFacts&),
          std::vector<Move> (*kMoves)(const NodeFacts&)>
Support supports_moves(const NodeFacts& node) {
  const Support support = kSupports(node);
  // A move may have two axes for one of the node's, as those of Tile.
  return support.ok
             ? within_axes(node, kMaxAxes / 2, [&] { kMake(node.input(0).dtype, kMoves(node)); })
             : support;
}

template <MakeMoves kMake, RunMoves kRun, size_t kMaxAxes, Support (*kSupports)(const NodeFacts&),
          std::vector<Move> (*kMoves)(const NodeFacts&)>
constexpr Kernel move_row(std::string_view op, TypeSet types, Ports host_inputs) {
  return {.op = op,
          .types = types,
          .prepare = prepare_moves<kMake, kMoves>,
          .run = kRun,
          .supports = supports_moves<kMake, kMaxAxes, kSupports, kMoves>,
          .host_inputs = host_inputs};
}

// The rows of a device that copies elements of `types` and of nodes that kSupports has nothing
// against.
template <MakeMoves kMake, RunMoves kRun, size_t kMaxAxes, Support (*kSupports)(const NodeFacts&)>
constexpr std::array<Kernel, 6> move_kernels(TypeSet types) {
  return {
      move_row<kMake, kRun, kMaxAxes, kSupports, concat_moves>("Concat", types, {}),
      move_row<kMake, kRun, kMaxAxes, kSupports, expand_moves>("Expand", types, {1}),
      move_row<kMake, kRun, kMaxAxes, kSupports, slice_moves>("Slice", types, {1, 2, 3, 4}),
      move_row<kMake, kRun, kMaxAxes, kSupports, split_moves>("Split", types, {1}),
      move_row<kMake, kRun, kMaxAxes, kSupports, tile_moves>("Tile", types, {1}),
      move_row<kMake, kRun, kMaxAxes, kSupports, transpose_moves>("Transpose", types, {}),
  };
}

}  // namespace ferry
