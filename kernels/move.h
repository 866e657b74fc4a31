#pragma once

#include <array>
#include <memory>
#include <vector>

#include "kernels/kernel.h"

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

// How a device copies: kMake prepares the moves of elements of a dtype, kRun does them.
using MakeMoves = std::unique_ptr<KernelState> (*)(DType dtype, std::vector<Move> moves);
using RunMoves = void (*)(const KernelState* state, const RunContext& context);

template <MakeMoves kMake, std::vector<Move> (*kMoves)(const NodeFacts&)>
std::unique_ptr<KernelState> prepare_moves(const NodeFacts& node, Prepare&) {
  return kMake(node.input(0).dtype, kMoves(node));
}

// The rows of a device that copies elements of `types`.
template <MakeMoves kMake, RunMoves kRun>
constexpr std::array<Kernel, 6> move_kernels(TypeSet types) {
  return {{
      {.op = "Concat", .types = types, .prepare = prepare_moves<kMake, concat_moves>, .run = kRun},
      {.op = "Expand",
       .types = types,
       .prepare = prepare_moves<kMake, expand_moves>,
       .run = kRun,
       .host_inputs = {1}},
      {.op = "Slice",
       .types = types,
       .prepare = prepare_moves<kMake, slice_moves>,
       .run = kRun,
       .host_inputs = {1, 2, 3, 4}},
      {.op = "Split",
       .types = types,
       .prepare = prepare_moves<kMake, split_moves>,
       .run = kRun,
       .host_inputs = {1}},
      {.op = "Tile",
       .types = types,
       .prepare = prepare_moves<kMake, tile_moves>,
       .run = kRun,
       .host_inputs = {1}},
      {.op = "Transpose",
       .types = types,
       .prepare = prepare_moves<kMake, transpose_moves>,
       .run = kRun},
  }};
}

}  // namespace ferry
