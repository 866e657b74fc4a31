#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "importer/importer.h"
#include "importer/problems.h"

namespace ferry {

namespace onnx {
class FunctionProto;
class ModelProto;
class NodeProto;
}  // namespace onnx

struct LocalFunction {
  const onnx::FunctionProto* proto = nullptr;
  int64_t expanded_nodes = 0;  // of one call, calls within expanded
  int height = 0;              // calls within calls
};

// The functions of a model by domain, name and overload.
//
// Before anything is expanded, the table knows how large each call becomes: functions that call
// themselves are refused, and so are calls that would pass the limits, without expanding them. (24
// functions that each call the next one twice are 2^24 nodes.)
class FunctionTable {
 public:
  // Collects the functions and measures them; what is wrong goes to `problems`.
  void build(const onnx::ModelProto& model, const ImportLimits& limits, Problems& problems);

  // The function that the node calls, or nullptr.
  const LocalFunction* find(const onnx::NodeProto& node) const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;
  enum class Mark : uint8_t { fresh, open, done };
  struct Entry {
    LocalFunction function;
    Mark mark = Mark::fresh;
  };

  void measure(Entry& entry, int depth, const ImportLimits& limits);
  Entry* lookup(const onnx::NodeProto& node);

  std::map<Key, Entry> entries_;
};

// "pkg.domain.name:overload", for messages.
std::string function_name(const onnx::FunctionProto& function);

}  // namespace ferry
