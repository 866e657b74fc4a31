#pragma once

#include "tests/fuzz/mutate.h"

namespace ferry::testing {

enum class Reached : uint8_t { nothing, loaded, ran };

// Loads the specimen, runs it on the CPU and on an emulated GPU, and checks what must hold of any
// model: every failure is a ferry::Error that blames the model, and every output of a run is a
// tensor with its elements. Throws std::runtime_error where it does not. How far the model came.
Reached run_one(const Specimen& specimen);

}  // namespace ferry::testing
