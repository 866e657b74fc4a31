#pragma once

#include "graph/graph.h"

namespace ferry {

namespace onnx {
class TypeProto;
}

// The Type that a file declares. A size is a number, a symbol where the file names one, or unknown;
// a name that is an expression ("2*seq") is unknown too, since inference derives those itself.
// Throws ProblemError: type for a missing or unknown type, shape for a negative size, unsupported
// for map, opaque and sparse values.
Type type_of(const onnx::TypeProto& proto);

// The same type with unknown sizes; ranks stay.
Type without_sizes(const Type& type);

// Makes `type` as precise as `declared` where it says nothing yet. Throws ProblemError (type) where
// both say different things.
void refine(Type& type, const Type& declared);

}  // namespace ferry
