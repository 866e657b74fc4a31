#pragma once

#include "core/file_map.h"

namespace ferry::testing {

// Imports one input as a model and as a tensor, as a hostile file would be: with small limits, from
// memory. Whatever the bytes are, this returns; a graph that comes out is verified and inferred.
void import_one(Bytes bytes);

}  // namespace ferry::testing
