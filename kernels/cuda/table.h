#pragma once

#include <span>
#include <string>

#include "kernels/kernel.h"

namespace ferry::cuda {

// What the CUDA backend can run, in order of preference.
std::span<const KernelFamily> cuda_kernels();

// Which vendor libraries are missing and why, "" when none is.
std::string missing_libraries();

}  // namespace ferry::cuda
