#include <algorithm>

#include "graph/rewrite/fold.h"
#include "graph/rewrite/rewrite.h"

// An added bias into the convolution before it:
//  1. Add(Conv(x, W), c) or Add(c, Conv(x, W)), where the convolution has no bias and constant
//  weights
//     and only the Add reads its output.
//  2. c is a constant with one element for each output channel: its shape is the channel count at
//  the
//     channel axis and 1 elsewhere, and its rank is not above the convolution's.
//  3. c becomes the bias, as a vector; the convolution writes the output of the Add.
namespace ferry {
namespace {

// Whether `shape` is [channels, 1, ...] once its leading ones are dropped, for `spatial` axes.
bool is_channel_vector(Shape shape, int64_t channels, int64_t spatial) {
  while (static_cast<int64_t>(shape.size()) > spatial + 1 && shape.front() == 1) {
    shape.erase(shape.begin());
  }
  if (static_cast<int64_t>(shape.size()) != spatial + 1 || shape[0] != channels) return false;
  return std::ranges::all_of(shape.begin() + 1, shape.end(), [](int64_t n) { return n == 1; });
}

bool fold(Graph& graph, NodeId id, NodeId conv, ValueId constant) {
  Node& target = graph.node(conv);
  if (target.inputs.size() > 2 && target.inputs[2] != kNoValue) return false;
  const Tensor& weight = graph.value(target.inputs[1]).constant;
  const Tensor bias = graph.value(constant).constant;
  if (!weight.defined() || !bias.defined() || bias.dtype() != weight.dtype()) return false;
  const int64_t channels = weight.shape()[0], spatial = weight.dim() - 2;
  if (bias.dim() > weight.dim() || !is_channel_vector(bias.shape(), channels, spatial))
    return false;
  const ValueId vector =
      graph.add_constant(graph.unique_name(graph.value(constant).name), bias.reshape({channels}));
  graph.node(conv).inputs.resize(3);
  graph.node(conv).inputs[2] = vector;
  absorb(graph, id, conv);
  return true;
}

}  // namespace

bool fold_bias(Graph& graph) {
  bool changed = false;
  const std::vector<NodeId> order = graph.order();
  const auto readers = graph.consumers();
  for (const NodeId id : order) {
    for (const auto& body : graph.node(id).bodies) changed |= fold_bias(*body);
    if (graph.node(id).op != "Add") continue;
    for (const size_t port : {0, 1}) {
      const Node& add = graph.node(id);
      const NodeId conv = sole_producer(graph, readers, add.inputs[port], {"Conv"});
      if (conv != kNoNode && fold(graph, id, conv, add.inputs[1 - port])) {
        changed = true;
        break;
      }
    }
  }
  return changed;
}

}  // namespace ferry
