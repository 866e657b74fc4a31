#pragma once

#include "core/function_ref.h"
#include "graph/graph.h"

namespace ferry {

// Gives the inputs and captures of the bodies of `node` of `graph`, whose operator has a BodyRule,
// their types and infers the bodies with `infer_body`. What a loop carries keeps only the sizes
// that are the same in every trip: the body is inferred again with the others unknown until nothing
// changes.
void infer_bodies(const Graph& graph, Node& node, FunctionRef<void(Graph&)> infer_body);

}  // namespace ferry
