#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "ferry/export.h"

namespace ferry {

// What went wrong, in a form that a program can branch on. The command line maps these to its exit
// codes (docs/cli.md).
enum class ErrorCode {
  invalid_argument,   // the caller passed something that no state of the system could accept
  not_found,          // a named file, input, output, node or device is not there
  io,                 // the operating system refused to read or write
  invalid_model,      // the file is not a valid ONNX model
  unsupported,        // valid, but Ferry has no way to run it (operator, version, type, attribute)
  device_missing,     // the device asked for is not in this machine
  library_missing,    // the device is there, a library that it needs is not
  out_of_memory,      // an allocation failed or a memory limit was reached
  device_failed,      // the device reported an error while working
  placement,          // a placement request that cannot be honoured
  runtime,            // a kernel met data that its operator forbids (an index out of range)
  ledger_mismatch,    // the copies that were made differ from the copies that were planned
  cancelled,          // the caller's token ended the run
  deadline_exceeded,  // the run was not done by its deadline
  internal,           // a broken invariant: a defect of Ferry itself
};

// The stable name of a code, for example "device_missing".
FERRY_API std::string_view to_string(ErrorCode code);

// The one exception type that Ferry throws. what() is a full sentence: what was wanted, what came,
// where, and what to do. Copyable, and safe to carry to another thread.
class FERRY_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string message);

  ErrorCode code() const { return code_; }

  // The sentence without its place.
  const std::string& message() const { return message_; }

  // Where: the node's path in the model ("/layer1/conv", through subgraphs "/loop/body/add"), its
  // operator, and the model's name. Each is empty where it does not apply.
  const std::string& node() const { return node_; }
  const std::string& op() const { return op_; }
  const std::string& model() const { return model_; }
  // What the node was given, where it failed in a run: "float32[3, 4], int64[1]".
  const std::string& inputs() const { return inputs_; }

  // Copies of this error that know their place; a place that is already known is kept, so the
  // innermost caller wins.
  Error with_node(std::string node, std::string op, std::string inputs = {}) const;
  Error with_model(std::string model) const;

 private:
  Error(ErrorCode code, std::string message, std::string node, std::string op, std::string inputs,
        std::string model);

  ErrorCode code_;
  std::string message_, node_, op_, inputs_, model_;
};

}  // namespace ferry
