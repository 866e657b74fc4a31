#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "executor/session/model_impl.h"

// PyTorch names weights by the path of their module ("encoder.fc1.weight"). The tree of these
// paths, with what each module's operator says of it, is what PyTorch prints for the module.
namespace ferry {
namespace {

struct Module {
  std::string name, text;  // "fc1", "Linear(in_features=3, out_features=2, bias=True)"
  std::vector<std::unique_ptr<Module>> children;

  Module& child(const std::string& child_name) {
    for (const auto& known : children) {
      if (known->name == child_name) return *known;
    }
    children.push_back(std::make_unique<Module>());
    children.back()->name = child_name;
    return *children.back();
  }
};

bool has_input(const Node& node, size_t i) {
  return i < node.inputs.size() && node.inputs[i] != kNoValue;
}

std::string pair_text(const std::vector<int64_t>& values) {
  std::string out = "(";
  for (size_t i = 0; i < values.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(values[i]);
  return out + (values.size() == 1 ? ",)" : ")");
}

// What PyTorch's repr says of a module whose weight `node` reads.
std::string describe(const Node& node, const Tensor& weight) {
  const Shape& shape = weight.shape();
  const char* bias = has_input(node, 2) ? "True" : "False";
  if (node.op == "Gemm" && shape.size() == 2) {
    const bool transposed = node.attributes.get_int("transB") != 0;
    return fmt::format("Linear(in_features={}, out_features={}, bias={})",
                       shape[transposed ? 1 : 0], shape[transposed ? 0 : 1], bias);
  }
  if (node.op == "Conv" && shape.size() >= 3) {
    const int64_t group = node.attributes.get_int("group");
    const std::vector<int64_t> kernel(shape.begin() + 2, shape.end());
    std::string text = fmt::format("Conv{}d({}, {}, kernel_size={}", shape.size() - 2,
                                   shape[1] * group, shape[0], pair_text(kernel));
    const auto* strides = node.attributes.find<std::vector<int64_t>>("strides");
    text +=
        ", stride=" +
        pair_text(strides && !strides->empty() ? *strides : std::vector<int64_t>(kernel.size(), 1));
    const auto* pads = node.attributes.find<std::vector<int64_t>>("pads");
    if (pads && std::ranges::any_of(*pads, [](int64_t p) { return p != 0; })) {
      text +=
          ", padding=" +
          pair_text({pads->begin(), pads->begin() + static_cast<std::ptrdiff_t>(kernel.size())});
    }
    if (group != 1) text += fmt::format(", groups={}", group);
    if (!has_input(node, 2)) text += ", bias=False";
    return text + ")";
  }
  if (node.op == "LayerNormalization") {
    return fmt::format("LayerNorm({}, eps={:g}, elementwise_affine=True)", pair_text(shape),
                       node.attributes.get_float("epsilon"));
  }
  if (node.op == "BatchNormalization" && shape.size() == 1) {
    return fmt::format("BatchNorm({}, eps={:g})", shape[0], node.attributes.get_float("epsilon"));
  }
  return "";
}

void print(const Module& module, const std::string& indent, std::string& out) {
  if (module.children.empty()) {
    out += module.text;
    return;
  }
  out += (module.text.empty() ? "Module" : module.text) + "(\n";
  for (const auto& child : module.children) {
    out += indent + "  (" + child->name + "): ";
    print(*child, indent + "  ", out);
    out += "\n";
  }
  out += indent + ")";
}

// "net.onnx" is a Net.
std::string class_name(const std::string& file) {
  std::string stem = file.substr(0, file.find('.'));
  if (!stem.empty()) stem[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(stem[0])));
  return stem.empty() ? "Model" : stem;
}

void add_weights(const Graph& graph, Module& root) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto& body : node.bodies) add_weights(*body, root);
    for (const ValueId input : node.inputs) {
      if (input == kNoValue || !graph.value(input).is_constant()) continue;
      const std::string& name = graph.value(input).name;
      const size_t dot = name.rfind('.');
      if (dot == std::string::npos || name.substr(dot + 1) != "weight") continue;
      const std::string text = describe(node, graph.value(input).constant);
      if (text.empty()) continue;
      Module* module = &root;
      size_t start = 0;
      for (size_t end; start < dot; start = end + 1) {
        end = std::min(name.find('.', start), dot);
        module = &module->child(name.substr(start, end - start));
      }
      module->text = text;
    }
  }
}

}  // namespace

std::string module_tree(const Graph& graph) {
  Module root;
  root.text = class_name(graph.name);
  add_weights(graph, root);
  std::string out;
  if (root.children.empty()) return root.text + "()";
  print(root, "", out);
  return out;
}

}  // namespace ferry
