#include "graph/graph.h"

#include <algorithm>
#include <unordered_set>

#include "core/human.h"
#include "ferry/error.h"
#include "graph/activation.h"

namespace ferry {

std::string Type::str() const {
  switch (kind) {
    case Kind::sequence:
      return "sequence(" + (element ? element->str() : "?") + ")";
    case Kind::optional:
      return "optional(" + (element ? element->str() : "?") + ")";
    case Kind::tensor:
      break;
  }
  const std::string name(dtype == DType::undefined ? "?" : to_string(dtype));
  return name + (shape ? to_string(*shape) : "[...]");
}

ValueId Graph::add_value(Value value) {
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size()) - 1;
}

ValueId Graph::add_input(std::string value_name, Type type) {
  Value value;
  value.name = std::move(value_name);
  value.type = std::move(type);
  inputs_.push_back(add_value(std::move(value)));
  return inputs_.back();
}

ValueId Graph::add_capture(std::string value_name, Type type) {
  Value value;
  value.name = std::move(value_name);
  value.type = std::move(type);
  captures_.push_back(add_value(std::move(value)));
  return captures_.back();
}

ValueId Graph::add_constant(std::string value_name, Tensor constant) {
  Value value;
  value.name = std::move(value_name);
  value.type.dtype = constant.dtype();
  value.type.shape = Dims(constant.shape().begin(), constant.shape().end());
  value.constant = std::move(constant);
  return add_value(std::move(value));
}

NodeId Graph::add_node(Node node) {
  const auto id = static_cast<NodeId>(nodes_.size());
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& output = values_[node.outputs[i]];
    output.producer = id;
    output.producer_output = static_cast<int>(i);
  }
  nodes_.push_back(std::move(node));
  order_.push_back(id);
  return id;
}

NodeId Graph::add_node_before(NodeId before, Node node) {
  const NodeId id = add_node(std::move(node));
  order_.pop_back();
  order_.insert(std::ranges::find(order_, before), id);
  return id;
}

bool Graph::is_input(ValueId id) const { return std::ranges::find(inputs_, id) != inputs_.end(); }
bool Graph::is_output(ValueId id) const {
  return std::ranges::find(outputs_, id) != outputs_.end();
}

std::vector<std::vector<NodeId>> Graph::consumers() const {
  std::vector<std::vector<NodeId>> out(values_.size());
  for (const NodeId id : order_) {
    const Node& n = nodes_[id];
    for (const auto* list : {&n.inputs, &n.captures}) {
      for (const ValueId value : *list) {
        if (value != kNoValue && (out[value].empty() || out[value].back() != id)) {
          out[value].push_back(id);
        }
      }
    }
  }
  return out;
}

ValueId Graph::find_value(std::string_view value_name) const {
  for (size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].name == value_name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

void Graph::replace_uses(ValueId from, ValueId to) {
  for (const NodeId id : order_) replace_uses_in(id, from, to);
  std::ranges::replace(outputs_, from, to);
}

void Graph::replace_uses_in(NodeId id, ValueId from, ValueId to) {
  std::ranges::replace(nodes_[id].inputs, from, to);
  std::ranges::replace(nodes_[id].captures, from, to);
}

void Graph::remove_node(NodeId id) {
  for (const ValueId output : nodes_[id].outputs) {
    if (output != kNoValue && values_[output].producer == id) values_[output].producer = kNoNode;
  }
  std::erase(order_, id);
}

void Graph::remove_nodes(const std::vector<bool>& dead) {
  for (const NodeId id : order_) {
    if (!dead[id]) continue;
    for (const ValueId output : nodes_[id].outputs) {
      if (output != kNoValue && values_[output].producer == id) values_[output].producer = kNoNode;
    }
  }
  std::erase_if(order_, [&](NodeId id) { return dead[id]; });
}

void Graph::take_over_output(NodeId id, size_t port, ValueId value) {
  values_[nodes_[id].outputs[port]].producer = kNoNode;
  nodes_[id].outputs[port] = value;
  values_[value].producer = id;
  values_[value].producer_output = static_cast<int>(port);
}

std::string Graph::unique_name(std::string_view stem) {
  for (; names_.counted < values_.size(); ++names_.counted) {
    names_.taken.insert(values_[names_.counted].name);
  }
  std::string candidate(stem);
  for (int i = 1; names_.taken.contains(candidate); ++i) {
    candidate = std::string(stem) + "_" + std::to_string(i);
  }
  return candidate;
}

Graph clone(const Graph& graph) {
  Graph copy = graph;
  for (const NodeId id : copy.order()) {
    for (std::shared_ptr<Graph>& body : copy.node(id).bodies) {
      body = std::make_shared<Graph>(clone(*body));
    }
  }
  return copy;
}

namespace {

class Verifier {
 public:
  Verifier(const Graph& graph, std::string_view after) : graph_(graph), after_(after) {}

  void run() {
    check_names();
    written_.assign(static_cast<size_t>(graph_.value_count()), false);
    for (const ValueId id : graph_.inputs()) written_[id] = true;
    for (const ValueId id : graph_.captures()) {
      if (id != kNoValue) written_[id] = true;
    }
    for (const NodeId id : graph_.order()) check_node(id);
    for (const ValueId id : graph_.outputs()) require_readable(id, nullptr);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::internal,
                "after " + std::string(after_) + " the graph is not valid: " + what + ".");
  }

  void check_names() const {
    std::unordered_set<std::string_view> seen;
    seen.reserve(static_cast<size_t>(graph_.value_count()));
    for (ValueId id = 0; id < graph_.value_count(); ++id) {
      const std::string& name = graph_.value(id).name;
      if (!name.empty() && !seen.insert(name).second) fail("two values are named '" + name + "'");
    }
  }

  // `reader`: nullptr for the graph's outputs.
  void require_readable(ValueId id, const Node* reader) const {
    const auto who = [&] {
      return reader == nullptr ? std::string("the graph's outputs") : describe(*reader);
    };
    if (id < 0 || id >= graph_.value_count()) fail(who() + " reads a value that does not exist");
    if (!written_[id] && !graph_.value(id).is_constant()) {
      fail(who() + " reads '" + graph_.value(id).name + "' before it is written");
    }
  }

  static std::string describe(const Node& node) {
    return "node '" + node.name + "' (" + node.op.name() + ")";
  }

  void check_node(NodeId id) {
    const Node& node = graph_.node(id);
    for (const ValueId input : node.inputs) {
      if (input == kNoValue) continue;
      require_readable(input, &node);
      check_device(node, input);
    }
    if (node.attributes.has("activation_params") &&
        (!node.op.rule().takes_activation || !find_activation(node.attributes))) {
      fail(describe(node) + " has an activation that it does not take");
    }
    for (const ValueId capture : node.captures) require_readable(capture, &node);
    for (const auto& body : node.bodies) {
      if (body->captures().size() != node.captures.size()) {
        fail(describe(node) + " has " + std::to_string(node.captures.size()) +
             " captures, its body " + std::to_string(body->captures().size()));
      }
      Verifier(*body, after_).run();
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId output = node.outputs[i];
      if (output == kNoValue) continue;
      const Value& value = graph_.value(output);
      if (written_[output]) fail("'" + value.name + "' is written twice");
      if (value.producer != id || value.producer_output != static_cast<int>(i)) {
        fail("'" + value.name + "' does not know that " + describe(node) + " writes it");
      }
      written_[output] = true;
    }
  }

  void check_device(const Node& node, ValueId input) const {
    const Value& value = graph_.value(input);
    if (node.is_copy()) {
      if (value.device == graph_.value(node.outputs[0]).device) {
        fail(describe(node) + " copies '" + value.name + "' to the device that it is on");
      }
    }
  }

  const Graph& graph_;
  std::string_view after_;
  std::vector<bool> written_;
};

void print(const Graph& graph, const std::string& indent, std::string& out) {
  const auto name_of = [&](ValueId id) {
    return id == kNoValue ? std::string("-") : "%" + graph.value(id).name;
  };
  const auto typed = [&](ValueId id) {
    if (id == kNoValue) return std::string("-");
    const Value& value = graph.value(id);
    std::string text = name_of(id) + ": " + value.type.str();
    if (!value.device.is_cpu()) text += " @" + value.device.str();
    return text;
  };
  const auto list = [](const std::vector<ValueId>& ids, const auto& format) {
    std::string text;
    for (size_t i = 0; i < ids.size(); ++i) text += (i > 0 ? ", " : "") + format(ids[i]);
    return text;
  };
  const auto line = [&](const std::string& text) { out += indent + printable(text) + "\n"; };
  std::string captures;
  if (!graph.captures().empty()) captures = " captures(" + list(graph.captures(), typed) + ")";
  line("graph(" + list(graph.inputs(), typed) + ")" + captures + " {");
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    const Value& value = graph.value(id);
    if (value.is_constant() && value.producer == kNoNode) line("  const " + typed(id));
  }
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    std::string text = "  " + list(node.outputs, typed) + " = " + node.op.name() + "(" +
                       list(node.inputs, name_of) + ")";
    std::string attributes;
    for (const auto& [key, value] : node.attributes.items()) {
      attributes += (attributes.empty() ? "" : ", ") + key + "=" + to_string(value);
    }
    if (!attributes.empty()) text += " {" + attributes + "}";
    if (!node.device.is_cpu()) text += " @" + node.device.str();
    line(text + "  # " + node.name);
    for (const auto& body : node.bodies) print(*body, indent + "    ", out);
  }
  line("  return " + list(graph.outputs(), name_of));
  line("}");
}

}  // namespace

void verify(const Graph& graph, std::string_view after) { Verifier(graph, after).run(); }

std::string to_string(const Graph& graph) {
  std::string out;
  print(graph, "", out);
  return out;
}

}  // namespace ferry
