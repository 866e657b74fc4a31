#include "graph/activation.h"

#include <limits>
#include <optional>

#include "core/type_set.h"
#include "graph/rewrite/fold.h"
#include "graph/rewrite/rewrite.h"

// An activation into the product before it:
//  1. The product (Conv, ConvTranspose, Gemm, MatMul) gives a floating type, has no activation yet,
//     and nobody else reads its output x.
//  2. The activation is Relu, LeakyRelu, Sigmoid, Tanh, Gelu, HardSigmoid, HardSwish or Swish of x;
//     Clip of x with limits that are absent or constants that float32 holds; or Mul(x, Sigmoid(x)),
//     which is Swish.
//  3. The product takes it as attributes (graph/activation.h) and writes its output.
namespace ferry {
namespace {

using Readers = std::vector<std::vector<NodeId>>;

struct NamedActivation {
  std::string_view op;
  ActivationKind kind;
  std::string_view parameters[2];  // the attributes that they are
};
constexpr NamedActivation kOperators[] = {
    {"Relu", ActivationKind::relu, {}},
    {"LeakyRelu", ActivationKind::leaky_relu, {"alpha"}},
    {"Sigmoid", ActivationKind::sigmoid, {}},
    {"Tanh", ActivationKind::tanh, {}},
    {"HardSigmoid", ActivationKind::hard_sigmoid, {"alpha", "beta"}},
    {"HardSwish", ActivationKind::hard_swish, {}},
    {"Swish", ActivationKind::swish, {"alpha"}},
};

// Input `port` of a Clip as float32, `otherwise` where it is absent.
std::optional<float> limit(const Graph& graph, const Node& clip, size_t port, float otherwise) {
  if (port >= clip.inputs.size() || clip.inputs[port] == kNoValue) return otherwise;
  const std::vector<double> values = constant_values(graph, clip.inputs[port]);
  if (values.size() != 1) return std::nullopt;
  const auto narrow = static_cast<float>(values[0]);
  if (double{narrow} != values[0]) return std::nullopt;
  return narrow;
}

std::optional<Activation> activation_by(const Graph& graph, const Node& node) {
  if (node.op == "Gelu") {
    const bool fast = node.attributes.get_string("approximate") == "tanh";
    return Activation{fast ? ActivationKind::fast_gelu : ActivationKind::gelu};
  }
  if (node.op == "Clip") {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::optional<float> low = limit(graph, node, 1, -kInfinity);
    const std::optional<float> high = limit(graph, node, 2, kInfinity);
    if (!low || !high) return std::nullopt;
    return Activation{ActivationKind::clip, {*low, *high}};
  }
  for (const NamedActivation& row : kOperators) {
    if (node.op != row.op) continue;
    Activation activation{row.kind};
    for (int i = 0; i < 2; ++i) {
      if (!row.parameters[i].empty()) {
        activation.parameters[i] = node.attributes.get_float(row.parameters[i]);
      }
    }
    return activation;
  }
  return std::nullopt;
}

// The Sigmoid of Mul(x, Sigmoid(x)) where nobody else reads it, or kNoNode.
NodeId sigmoid_of(const Graph& graph, const Readers& readers, const Node& mul) {
  for (const size_t port : {0, 1}) {
    const NodeId sigmoid = sole_producer(graph, readers, mul.inputs[port], {"Sigmoid"});
    if (sigmoid != kNoNode && graph.node(sigmoid).inputs[0] == mul.inputs[1 - port]) return sigmoid;
  }
  return kNoNode;
}

// The product that writes `value`, which `count` nodes read, or kNoNode.
NodeId product_of(const Graph& graph, const Readers& readers, ValueId value, size_t count) {
  const Value& x = graph.value(value);
  if (x.producer == kNoNode || graph.is_output(value) || readers[value].size() != count ||
      !kFloatTypes.contains(x.type.dtype)) {
    return kNoNode;
  }
  const Node& product = graph.node(x.producer);
  const bool is_free = product.op.rule().takes_activation && !product.attributes.has("activation");
  return is_free ? x.producer : kNoNode;
}

bool fold(Graph& graph, const Readers& readers, NodeId id, std::vector<bool>& dead) {
  const Node& node = graph.node(id);
  if (node.op == "Mul") {
    const NodeId sigmoid = sigmoid_of(graph, readers, node);
    if (sigmoid == kNoNode) return false;
    const NodeId product = product_of(graph, readers, graph.node(sigmoid).inputs[0], 2);
    if (product == kNoNode) return false;
    Node& target = graph.node(product);
    const std::vector<std::string>& sources = graph.node(sigmoid).sources;
    target.sources.insert(target.sources.end(), sources.begin(), sources.end());
    set_activation(target.attributes, {ActivationKind::swish, {1}});
    absorb(graph, id, product, dead);
    dead[sigmoid] = true;
    return true;
  }
  const std::optional<Activation> activation = activation_by(graph, node);
  if (!activation) return false;
  const NodeId product = product_of(graph, readers, node.inputs[0], 1);
  if (product == kNoNode) return false;
  set_activation(graph.node(product).attributes, *activation);
  absorb(graph, id, product, dead);
  return true;
}

}  // namespace

bool fold_activation(Graph& graph) {
  bool changed = false;
  std::vector<bool> dead(static_cast<size_t>(graph.node_capacity()), false);
  const Readers readers = graph.consumers();
  for (const NodeId id : graph.order()) {
    for (const auto& body : graph.node(id).bodies) changed |= fold_activation(*body);
    changed |= fold(graph, readers, id, dead);
  }
  graph.remove_nodes(dead);
  return changed;
}

}  // namespace ferry
