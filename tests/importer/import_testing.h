#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "importer/importer.h"
#include "tests/support/model_builder.h"

namespace ferry::testing {

inline Graph import_bytes(const std::string& bytes, const ImportOptions& options = {}) {
  auto owner = std::make_shared<std::string>(bytes);
  Graph graph = import_model(as_bytes(*owner), owner, options);
  verify(graph, "the import");
  return graph;
}

// The constant as text where it is small: "[1, 2]", "0.5".
inline std::string show_constant(const Tensor& tensor) {
  std::string text;
  for (int64_t i = 0; i < tensor.numel() && i < 8; ++i) {
    if (!text.empty()) text += ", ";
    if (tensor.dtype() == float32) {
      std::string number = std::to_string(tensor.span<float>()[i]);
      number.erase(number.find_last_not_of('0') + 1);
      text += number.ends_with('.') ? number + "0" : number;
    } else if (tensor.dtype() == int64) {
      text += std::to_string(tensor.span<int64_t>()[i]);
    } else if (tensor.dtype() == boolean) {
      text += tensor.span<bool>()[i] ? "true" : "false";
    } else {
      text += "?";
    }
  }
  return tensor.dim() == 0 ? text : "[" + text + "]";
}

// One line a node: "y = Clip(x, 0.0, -)". Constants stand for themselves; values that the file did
// not name are $0, $1, ... in the order in which they appear.
class GraphText {
 public:
  explicit GraphText(const Graph& graph) : graph_(graph) {}

  std::string str(bool attributes = false) {
    std::string text;
    for (NodeId id : graph_.order()) {
      const Node& node = graph_.node(id);
      text += list(node.outputs) + " = " + node.op.name() + "(" + list(node.inputs) + ")";
      if (!node.captures.empty()) text += " captures(" + list(node.captures) + ")";
      if (attributes) {
        for (const auto& [name, value] : node.attributes.items()) {
          text += " " + name + "=" + to_string(value);
        }
      }
      text += "\n";
    }
    return text;
  }

 private:
  std::string list(const std::vector<ValueId>& ids) {
    std::string text;
    for (ValueId id : ids) text += (text.empty() ? "" : ", ") + name(id);
    return text;
  }
  std::string name(ValueId id) {
    if (id == kNoValue) return "-";
    const Value& value = graph_.value(id);
    if (value.is_constant() && value.constant.numel() <= 8) return show_constant(value.constant);
    if (value.name.find('/') == std::string::npos) return value.name;
    for (size_t i = 0; i < seen_.size(); ++i) {
      if (seen_[i] == id) return "$" + std::to_string(i);
    }
    seen_.push_back(id);
    return "$" + std::to_string(seen_.size() - 1);
  }

  const Graph& graph_;
  std::vector<ValueId> seen_;
};

inline std::string show(const Graph& graph) { return GraphText(graph).str(); }
inline std::string show_attributes(const Graph& graph) { return GraphText(graph).str(true); }

}  // namespace ferry::testing
