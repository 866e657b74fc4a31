#include <cmath>

#include "graph/rewrite/fold.h"
#include "graph/rewrite/rewrite.h"

// BatchNormalization into the convolution before it:
//  1. The convolution (Conv) has constant weights, and a constant bias or none; only the
//     normalisation reads its output.
//  2. The normalisation is not in training mode, and its scale, bias, mean and variance are
//     constants.
//  3. With s = scale / sqrt(variance + epsilon) per output channel, the weights become W * s, and
//     the bias (b - mean) * s + bias, computed in double and rounded once.
//  4. The convolution writes the output of the normalisation.
namespace ferry {
namespace {

bool fold(Graph& graph, NodeId id, NodeId conv, std::vector<bool>& dead) {
  const Node& norm = graph.node(id);
  for (size_t i = 1; i < norm.outputs.size(); ++i) {
    if (norm.outputs[i] != kNoValue) return false;
  }
  if (norm.attributes.get_int("training_mode") != 0 || norm.inputs.size() < 5) return false;
  const std::vector<double> scale = constant_values(graph, norm.inputs[1]),
                            shift = constant_values(graph, norm.inputs[2]),
                            mean = constant_values(graph, norm.inputs[3]),
                            variance = constant_values(graph, norm.inputs[4]);
  const ValueId weight_id = graph.node(conv).inputs[1];
  std::vector<double> weights = constant_values(graph, weight_id);
  if (weights.empty()) return false;
  const Tensor weight = graph.value(weight_id).constant;
  const auto channels = static_cast<size_t>(weight.shape()[0]);
  if (scale.size() != channels || shift.size() != channels || mean.size() != channels ||
      variance.size() != channels) {
    return false;
  }
  const bool has_bias =
      graph.node(conv).inputs.size() > 2 && graph.node(conv).inputs[2] != kNoValue;
  std::vector<double> bias(channels, 0.0);
  if (has_bias) {
    bias = constant_values(graph, graph.node(conv).inputs[2]);
    if (bias.size() != channels) return false;
  }
  const double epsilon = norm.attributes.get_float("epsilon");
  const size_t per_channel = weights.size() / channels;
  for (size_t c = 0; c < channels; ++c) {
    const double s = scale[c] / std::sqrt(variance[c] + epsilon);
    for (size_t i = 0; i < per_channel; ++i) weights[c * per_channel + i] *= s;
    bias[c] = (bias[c] - mean[c]) * s + shift[c];
  }
  const std::string name = graph.value(weight_id).name;
  const ValueId new_weight =
      add_constant_values(graph, name, weights, weight.shape(), weight.dtype());
  const ValueId new_bias =
      add_constant_values(graph, name + ".bias", bias, {weight.shape()[0]}, weight.dtype());
  Node& target = graph.node(conv);
  target.inputs.resize(3);
  target.inputs[1] = new_weight;
  target.inputs[2] = new_bias;
  absorb(graph, id, conv, dead);
  return true;
}

}  // namespace

bool fold_batch_normalization(Graph& graph) {
  bool changed = false;
  std::vector<bool> dead(static_cast<size_t>(graph.node_capacity()), false);
  const auto readers = graph.consumers();
  for (const NodeId id : graph.order()) {
    for (const auto& body : graph.node(id).bodies) changed |= fold_batch_normalization(*body);
    const Node& node = graph.node(id);
    if (node.op != "BatchNormalization" || node.inputs.empty()) continue;
    const NodeId conv = sole_producer(graph, readers, node.inputs[0], {"Conv"});
    if (conv != kNoNode) changed |= fold(graph, id, conv, dead);
  }
  graph.remove_nodes(dead);
  return changed;
}

}  // namespace ferry
