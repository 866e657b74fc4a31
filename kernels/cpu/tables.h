#pragma once

#include <array>
#include <cstddef>

#include "kernels/kernel.h"

namespace ferry::cpu {

// Joins the rows of several operators into one table.
template <size_t... kSizes>
constexpr auto join(const std::array<Kernel, kSizes>&... tables) {
  std::array<Kernel, (kSizes + ...)> all;
  size_t next = 0;
  const auto append = [&](const auto& table) {
    for (const Kernel& kernel : table) all[next++] = kernel;
  };
  (append(tables), ...);
  return all;
}

}  // namespace ferry::cpu
