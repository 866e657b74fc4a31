#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ferry/device.h"
#include "ferry/export.h"
#include "ferry/model.h"

// Questions about models, operators and machines that need no run.
namespace ferry {

// One thing that keeps a model from running.
struct CheckProblem {
  std::string code;     // "unknown_operator", "attribute", "no_kernel", ...
  std::string node;     // its path, or empty
  std::string op;       // or empty
  std::string message;  // a sentence
  int64_t count = 1;    // of nodes that have it
};

// Everything that is wrong with a model file, and every operator in it that `device` cannot run
// (grouped), at once; empty when it loads and runs there. Throws Error only when the device does
// not exist.
FERRY_API std::vector<CheckProblem> check(const std::string& path, const LoadOptions& options = {},
                                          Device device = {});

// An operator that some device of this machine has a kernel for, registered ones included.
struct OperatorInfo {
  std::string op;                   // "Conv"
  std::vector<DeviceKind> devices;  // in order cpu, cuda, sim
  std::vector<std::string> dtypes;  // of input 0, on each of the devices: "float32 float64"
};
FERRY_API std::vector<OperatorInfo> operators();

struct DeviceInfo {
  Device device;
  std::string name;
  bool simulated = false;
  size_t memory_bytes = 0;
  int multiprocessors = 0;
  std::string missing_libraries;  // "" when none is
};
// Every device of this machine, the CPU first.
FERRY_API std::vector<DeviceInfo> devices();

}  // namespace ferry
