#pragma once

#include "graph/graph.h"

// When a node gives its input 0 unchanged: OpRule::gives_input of the operators that can.
namespace ferry {

bool always_gives_input(const Graph& graph, const Node& node);
// Dropout: without a training mode that is on, and without a mask that is read.
bool dropout_gives_input(const Graph& graph, const Node& node);
// Cast to the dtype that the input has.
bool same_dtype(const Graph& graph, const Node& node);
// Reshape and Expand to the shape that the input has.
bool same_shape(const Graph& graph, const Node& node);
// Concat of one input.
bool has_one_input(const Graph& graph, const Node& node);
// Transpose by 0, 1, 2, ...
bool keeps_order(const Graph& graph, const Node& node);

}  // namespace ferry
