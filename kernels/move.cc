#include "kernels/move.h"

#include <algorithm>

#include "ferry/error.h"
#include "kernels/axis.h"
#include "kernels/host_input.h"
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
  const int64_t line = whole.size * whole.inner;
  std::vector<Move> moves;
  int64_t position = 0;
  for (const TensorFacts& part : parts) {
    const int64_t run = part.shape[axis] * whole.inner;
    Move move;
    (to_whole ? move.to_offset : move.from_offset) = position;
    move.axes = {{whole.outer, to_whole ? line : run, to_whole ? run : line}, {run, 1, 1}};
    moves.push_back(std::move(move));
    position += run;
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
  const Shape from = contiguous_strides(input);
  Shape strides = from;
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = host_axis(node.has_input(3) ? axes[i] : static_cast<int64_t>(i), rank);
    const int64_t size = input[axis];
    const int64_t step = node.has_input(4) ? steps[i] : 1;
    const int64_t count = output[axis];
    if (count == 0) continue;
    int64_t first = starts[i] < 0 ? starts[i] + size : starts[i];
    first = std::clamp<int64_t>(first, 0, step < 0 ? size - 1 : size);
    // One element needs no step, which may be as large as 2^63 - 1.
    const int64_t last = count == 1 ? first : first + (count - 1) * step;
    if (first >= size || last < 0 || last >= size) {
      throw Error(ErrorCode::runtime, "the slice of axis " + std::to_string(axis) + " reads " +
                                          std::to_string(last) + ", outside its size " +
                                          std::to_string(size));
    }
    offset += first * from[axis];
    strides[axis] = count == 1 ? 0 : from[axis] * step;
  }
  return {whole_output(output, strides, offset)};
}

}  // namespace ferry
