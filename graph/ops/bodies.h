#pragma once

#include "core/function_ref.h"
#include "graph/graph.h"

namespace ferry {

// Gives the inputs and captures of the bodies of `node` of `graph`, whose operator has a BodyRule,
// their types and infers the bodies with `infer_body`. What a loop carries keeps only the sizes
// that are the same in every trip: the body is inferred again with the others unknown until nothing
// changes. Each such repetition takes one of `extra_trips`; when none is left, nothing is assumed
// of the sizes that are carried, so that loops within loops take time linear in their number.
void infer_bodies(const Graph& graph, Node& node, int64_t& extra_trips,
                  FunctionRef<void(Graph&)> infer_body);

}  // namespace ferry
