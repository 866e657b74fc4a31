#include "kernels/move.h"

#include <algorithm>

#include "core/checked.h"
#include "ferry/error.h"
#include "kernels/axis.h"
#include "kernels/host_input.h"
#include "kernels/sizes.h"
#include "kernels/strides.h"

namespace ferry {
namespace {

// All of output 0, whose element i along an axis lies `from_strides` apart in input 0.
Move whole_output(const Shape& output, const Shape& from_strides, int64_t from_offset = 0) {
  const Shape to_strides = contiguous_strides(output);
  Move move{.from_offset = from_offset};
  for (size_t i = 0; i < output.size(); ++i) {
    move.axes.push_back({output[i], to_strides[i], from_strides[i]});
  }
  return move;
}

// Between a tensor and the parts that it consists of along the attribute 'axis': a part is a run of
// every line of the whole.
std::vector<Move> part_moves(const NodeFacts& node, const Shape& shape,
                             const std::vector<TensorFacts>& parts, bool to_whole) {
  const int64_t axis =
      axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(shape.size()));
  const AxisView whole(shape, axis);
  const int64_t line = numel_of(Shape{whole.size, whole.inner});
  std::vector<Move> moves;
  int64_t position = 0;
  for (const TensorFacts& part : parts) {
    Shape beside = part.shape;
    if (beside.size() == shape.size()) beside[axis] = shape[axis];
    if (beside != shape || part.shape[axis] > shape[axis]) {
      throw Error(ErrorCode::runtime,
                  "a part has the shape " + to_string(std::span<const int64_t>(part.shape)) +
                      ", the whole " + to_string(std::span<const int64_t>(shape)));
    }
    const int64_t run = part.shape[axis] * whole.inner;
    Move move;
    (to_whole ? move.to_offset : move.from_offset) = position;
    move.axes = {{whole.outer, to_whole ? line : run, to_whole ? run : line}, {run, 1, 1}};
    moves.push_back(std::move(move));
    position = add_sizes(position, run);
  }
  if (position != line) {
    throw Error(ErrorCode::runtime, "the parts have " + std::to_string(position) +
                                        " elements a line, the whole " + std::to_string(line));
  }
  return moves;
}

}  // namespace

std::vector<Move> transpose_moves(const NodeFacts& node) {
  const Shape& output = node.output(0).shape;
  const Shape from = contiguous_strides(node.input(0).shape);
  const auto& perm = node.attributes->get_ints("perm");
  const auto rank = static_cast<int64_t>(output.size());
  Shape strides(output.size());
  for (int64_t i = 0; i < rank; ++i) {
    strides[i] = from[perm.empty() ? rank - 1 - i : axis_of(perm[i], rank)];
  }
  return {whole_output(output, strides)};
}

std::vector<Move> expand_moves(const NodeFacts& node) {
  const Shape& output = node.output(0).shape;
  return {whole_output(output, broadcast_strides(node.input(0).shape, output))};
}

// Each axis is [repeats, size]: the first repeats, so its stride in the input is 0.
std::vector<Move> tile_moves(const NodeFacts& node) {
  const Shape& input = node.input(0).shape;
  const Shape& output = node.output(0).shape;
  const Shape from = contiguous_strides(input);
  Shape sizes, strides;
  for (size_t i = 0; i < input.size(); ++i) {
    if (input[i] == 0 ? output[i] != 0 : output[i] % input[i] != 0) {
      throw Error(ErrorCode::runtime, "axis " + std::to_string(i) + " of size " +
                                          std::to_string(input[i]) + " does not repeat to " +
                                          std::to_string(output[i]));
    }
    sizes.push_back(input[i] == 0 ? 0 : output[i] / input[i]);
    strides.push_back(0);
    sizes.push_back(input[i]);
    strides.push_back(from[i]);
  }
  return {whole_output(sizes, strides)};
}

std::vector<Move> concat_moves(const NodeFacts& node) {
  std::vector<Move> moves = part_moves(node, node.output(0).shape, node.inputs, true);
  for (size_t i = 0; i < moves.size(); ++i) moves[i].input = static_cast<int>(i);
  return moves;
}

std::vector<Move> split_moves(const NodeFacts& node) {
  std::vector<Move> moves = part_moves(node, node.input(0).shape, node.outputs, false);
  for (size_t i = 0; i < moves.size(); ++i) moves[i].output = static_cast<int>(i);
  return moves;
}

std::vector<Move> slice_moves(const NodeFacts& node) {
  const Shape& input = node.input(0).shape;
  const Shape& output = node.output(0).shape;
  const std::vector<int64_t> starts = host_ints(node, 1);
  const std::vector<int64_t> axes = host_ints(node, 3);
  const std::vector<int64_t> steps = host_ints(node, 4);
  const auto rank = static_cast<int64_t>(input.size());
  for (const int i : {3, 4}) {
    if (node.has_input(i) && (i == 3 ? axes : steps).size() != starts.size()) {
      throw Error(ErrorCode::runtime, "there are " + std::to_string(starts.size()) +
                                          " starts, but input " + std::to_string(i) + " has " +
                                          std::to_string((i == 3 ? axes : steps).size()) +
                                          " elements");
    }
  }
  const Shape from = contiguous_strides(input);
  Shape strides = from;
  int64_t offset = 0;
  std::vector<bool> sliced(input.size(), false);
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = host_axis(node.has_input(3) ? axes[i] : static_cast<int64_t>(i), rank);
    if (sliced[axis]) {
      throw Error(ErrorCode::runtime, "axis " + std::to_string(axis) + " is sliced twice");
    }
    sliced[axis] = true;
    const int64_t size = input[axis];
    const int64_t step = node.has_input(4) ? steps[i] : 1;
    const int64_t count = output[axis];
    if (count == 0) continue;
    int64_t first = starts[i] < 0 ? starts[i] + size : starts[i];
    first = std::clamp<int64_t>(first, 0, step < 0 ? size - 1 : size);
    // One element needs no step, which may be as large as 2^63 - 1.
    const auto reach = count == 1 ? std::optional<int64_t>(0) : checked_mul(count - 1, step);
    const auto last = reach ? checked_add(first, *reach) : std::nullopt;
    if (first >= size || !last || *last < 0 || *last >= size) {
      throw Error(ErrorCode::runtime,
                  "the slice of axis " + std::to_string(axis) + " takes " + std::to_string(count) +
                      " elements from " + std::to_string(first) + " on in steps of " +
                      std::to_string(step) + ", outside its size " + std::to_string(size));
    }
    offset += first * from[axis];
    strides[axis] = count == 1 ? 0 : from[axis] * step;
  }
  for (size_t i = 0; i < input.size(); ++i) {
    if (sliced[i] || input[i] == output[i]) continue;
    throw Error(ErrorCode::runtime, "axis " + std::to_string(i) + " of size " +
                                        std::to_string(input[i]) + " is not sliced, expected " +
                                        std::to_string(output[i]));
  }
  return {whole_output(output, strides, offset)};
}

}  // namespace ferry
