#pragma once

#include <vector>

#include "ferry/model.h"
#include "graph/graph.h"

namespace ferry {

// What a value is, for people and for messages.
TensorInfo info_of(const Value& value);
std::vector<TensorInfo> infos_of(const Graph& graph, const std::vector<ValueId>& ids);

// `inputs` in the order of the graph's, contiguous. Throws Error: not_found for a name that is
// missing or not the model's; invalid_argument for a dtype or shape that the graph does not take,
// and for a symbol that would have two sizes.
std::vector<Tensor> ordered_inputs(const Graph& graph, const Inputs& inputs);

}  // namespace ferry
