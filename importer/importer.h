#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_map.h"
#include "ferry/error.h"
#include "graph/graph.h"

// From the bytes of an ONNX model to the outermost Graph. IR versions 3 to 14, ai.onnx 1 to 28.
namespace ferry {

// What a model may ask for. A model that passes one is refused, in time and memory that do not grow
// with what it asks for.
struct ImportLimits {
  int64_t nodes = 1'000'000;  // after local functions are expanded, subgraphs included
  int function_depth = 64;    // calls within calls
  int graph_depth = 30;       // subgraphs within subgraphs
  int64_t tensor_bytes = int64_t{1} << 36;  // of one tensor
  int64_t total_bytes = int64_t{1} << 40;   // of all tensors
  // Of tensors that are larger in memory than in the file: sparse ones made dense.
  int64_t dense_bytes = int64_t{1} << 30;
  uint64_t structure_bytes = uint64_t{256} << 20;  // names, attributes, types
  uint64_t messages = 16'000'000;                  // nodes, attributes, tensors
};

struct ImportOptions {
  ImportLimits limits;
  // Where external data is looked for; empty: the model's own folder.
  std::string data_folder;
  // Links are refused in external data (symbolic ones, and files that have further names). With a
  // folder here they are followed where the file that they lead to lies below it, as the caches of
  // model hubs need.
  std::string link_root;
};

enum class ProblemCode : uint8_t {
  io,                // a file cannot be read
  encoding,          // not protobuf, truncated, or not an ONNX model
  ir_version,        // older than 3 or newer than 14
  opset,             // an opset import is missing, doubled, or from the future
  unknown_operator,  // no such operator, or its domain is not known
  operator_version,  // the operator does not exist in the opset that the model imports
  attribute,         // unknown, missing, of the wrong type, or out of range
  arity,             // too few or too many inputs or outputs
  name,              // missing, doubled, dangling, or not UTF-8
  order,             // a value is read before the node that writes it
  cycle,             // nodes wait for each other
  type,              // a type that contradicts another or does not exist
  shape,             // a size that is negative or too large
  tensor_data,       // a tensor with too few, too many, or invalid elements
  external_data,     // an external file that is missing, outside its folder, or too short
  function,          // a local function that cannot be expanded
  limit,             // ImportLimits
  unsupported,       // valid ONNX that Ferry has no form for
};

// "unknown_operator", ...
std::string_view to_string(ProblemCode code);
ErrorCode error_code(ProblemCode code);

struct Problem {
  ProblemCode code;
  std::string node;     // its path, or empty
  std::string op;       // or empty
  std::string message;  // a sentence
  int64_t count = 1;    // of nodes that have it; unknown operators are grouped
};

// Loads a model. Weights are views into the mapped file wherever their alignment allows. Throws
// Error: when the model has problems, one Error that lists them (code of the first; invalid_model
// comes before unsupported).
Graph import_model(const std::string& path, const ImportOptions& options = {});

// The same from memory. Tensors view `bytes`, which `owner` keeps alive; without an owner the bytes
// are copied. External data needs options.data_folder.
Graph import_model(Bytes bytes, std::shared_ptr<const void> owner,
                   const ImportOptions& options = {});

// Every problem of the model at once, in the order of the file; empty when import_model succeeds.
// At most a thousand are kept, the last one then says how many more there are.
std::vector<Problem> check_model(const std::string& path, const ImportOptions& options = {});
std::vector<Problem> check_model(Bytes bytes, const ImportOptions& options = {});

}  // namespace ferry
