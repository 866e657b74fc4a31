#pragma once

#include <vector>

#include "graph/graph.h"

// What the rules that fold a node into the convolution or product before it share.
namespace ferry {

// The node that writes `value`, when it is one of `ops`, nobody else reads the value, and it is no
// graph output; else kNoNode. `readers` is graph.consumers().
NodeId sole_producer(const Graph& graph, const std::vector<std::vector<NodeId>>& readers,
                     ValueId value, std::initializer_list<std::string_view> ops);

// A constant's elements as doubles; empty when `id` is no floating constant.
std::vector<double> constant_values(const Graph& graph, ValueId id);

// Adds a constant with these elements, rounded to `dtype`, named after `stem`.
ValueId add_constant_values(Graph& graph, std::string_view stem, const std::vector<double>& values,
                            Shape shape, DType dtype);

// `producer` writes output 0 of `node` itself, and `node` is to go: the caller removes what is
// `dead` in the end.
void absorb(Graph& graph, NodeId node, NodeId producer, std::vector<bool>& dead);

}  // namespace ferry
