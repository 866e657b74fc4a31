#include <algorithm>
#include <optional>

#include "graph/rewrite/fold.h"
#include "graph/rewrite/rewrite.h"

// An added bias into the product before it:
//  1. Add(p, c) or Add(c, p), where p = Conv, ConvTranspose, Gemm or MatMul has no bias yet and
//     constant weights (of MatMul: a matrix), and only the Add reads its output.
//  2. c is a floating constant with one element for each output channel, which are the last axis of
//     Gemm and MatMul: its shape is the channel count there and 1 elsewhere, and its rank is not
//     above the product's.
//  3. c becomes the bias, as a vector: input 2 (of MatMul too, where ONNX has none; of Gemm with
//     beta = 1). The product writes the output of the Add.
namespace ferry {
namespace {

// Where a product has its channels.
struct Channels {
  int64_t count = 0;
  int64_t axes_after = 0;  // axes of the output behind that of the channels
  int64_t rank = 0;        // of the output, at least
};

std::optional<Channels> channels_of(const Graph& graph, const Node& node, const Tensor& weight) {
  const Shape& w = weight.shape();
  if (node.op == "Conv") return Channels{w[0], weight.dim() - 2, weight.dim()};
  if (node.op == "ConvTranspose") {
    return Channels{w[1] * node.attributes.get_int("group"), weight.dim() - 2, weight.dim()};
  }
  if (weight.dim() != 2) return std::nullopt;
  if (node.op == "Gemm") return Channels{w[node.attributes.get_int("transB") != 0 ? 0 : 1], 0, 2};
  const auto& shape = graph.value(node.outputs[0]).type.shape;
  return Channels{w[1], 0, shape ? static_cast<int64_t>(shape->size()) : 1};
}

bool is_channel_vector(Shape shape, const Channels& channels) {
  const auto size = static_cast<size_t>(channels.axes_after) + 1;
  if (static_cast<int64_t>(shape.size()) > channels.rank) return false;
  while (shape.size() > size && shape.front() == 1) shape.erase(shape.begin());
  if (shape.size() != size || shape[0] != channels.count) return false;
  return std::ranges::all_of(shape.begin() + 1, shape.end(), [](int64_t n) { return n == 1; });
}

bool fold(Graph& graph, NodeId id, NodeId product, ValueId constant, std::vector<bool>& dead) {
  const Node& target = graph.node(product);
  if (target.inputs.size() > 2 && target.inputs[2] != kNoValue) return false;
  if (target.attributes.has("activation")) return false;
  const Tensor& weight = graph.value(target.inputs[1]).constant;
  const Tensor bias = graph.value(constant).constant;
  if (!weight.defined() || !bias.defined() || bias.dtype() != weight.dtype() ||
      !is_floating(bias.dtype())) {
    return false;
  }
  const std::optional<Channels> channels = channels_of(graph, target, weight);
  if (!channels || !is_channel_vector(bias.shape(), *channels)) return false;
  ValueId vector = constant;
  if (bias.dim() != 1) {
    vector = graph.add_constant(graph.unique_name(graph.value(constant).name),
                                bias.reshape({channels->count}));
  }
  Node& node = graph.node(product);
  node.inputs.resize(3);
  node.inputs[2] = vector;
  if (node.op == "Gemm") node.attributes.set("beta", 1.0f);
  absorb(graph, id, product, dead);
  return true;
}

}  // namespace

bool fold_bias(Graph& graph) {
  bool changed = false;
  std::vector<bool> dead(static_cast<size_t>(graph.node_capacity()), false);
  const auto readers = graph.consumers();
  for (const NodeId id : graph.order()) {
    for (const auto& body : graph.node(id).bodies) changed |= fold_bias(*body);
    if (graph.node(id).op != "Add") continue;
    for (const size_t port : {0, 1}) {
      const Node& add = graph.node(id);
      const NodeId product = sole_producer(graph, readers, add.inputs[port],
                                           {"Conv", "ConvTranspose", "Gemm", "MatMul"});
      if (product != kNoNode && fold(graph, id, product, add.inputs[1 - port], dead)) {
        changed = true;
        break;
      }
    }
  }
  graph.remove_nodes(dead);
  return changed;
}

}  // namespace ferry
