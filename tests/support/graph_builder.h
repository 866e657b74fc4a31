#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace ferry {

// Builds graphs in tests by name: build.input("x", {2, 3}); build.node("Relu", {"x"}, {"y"}).
class GraphBuilder {
 public:
  void input(const std::string& name, Dims shape, DType dtype = float32) {
    graph.add_input(name, {.dtype = dtype, .shape = std::move(shape)});
  }
  void constant(const std::string& name, Tensor tensor) {
    graph.add_constant(name, std::move(tensor));
  }
  // The outputs get `shape` and `dtype`.
  Node& node(const std::string& op, const std::vector<std::string>& inputs,
             const std::vector<std::string>& outputs, Dims shape = {2, 3}, DType dtype = float32) {
    Node node;
    node.op = op;
    node.name = "/" + (outputs.empty() ? op : outputs[0]);
    for (const std::string& name : inputs) node.inputs.push_back(graph.find_value(name));
    for (const std::string& name : outputs) {
      node.outputs.push_back(
          graph.add_value({.name = name, .type = {.dtype = dtype, .shape = shape}}));
    }
    return graph.node(graph.add_node(std::move(node)));
  }
  Graph& outputs(std::initializer_list<std::string> names) {
    std::vector<ValueId> ids;
    for (const std::string& name : names) ids.push_back(graph.find_value(name));
    graph.set_outputs(std::move(ids));
    return graph;
  }

  Graph graph;
};

}  // namespace ferry
