#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ferry/tensor.h"

// Outputs as `ferry run` shows them.
namespace ferry::cli {

// {"dtype", "shape", "values"}: nested lists as the shape nests; numbers, bools and strings. What
// JSON has no number for is a text ("NaN", "Infinity", "-Infinity"), and a complex number a list of
// two. On the CPU.
nlohmann::ordered_json tensor_json(const Tensor& tensor);

// Names of classes, from a file with one on each line, a JSON list, or a JSON object by number
// (values: a name, or a list that ends in one). Throws Error not_found, io, invalid_argument.
std::vector<std::string> read_labels(const std::string& path);

struct Ranked {
  int64_t index;
  double value;
};
// For each row along the last axis: its `count` largest elements, largest first. On the CPU.
std::vector<std::vector<Ranked>> largest(const Tensor& tensor, int count);

}  // namespace ferry::cli
