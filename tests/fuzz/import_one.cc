#include "tests/fuzz/import_one.h"

#include "ferry/error.h"
#include "graph/graph.h"
#include "graph/infer.h"
#include "importer/format/tensor_proto.h"
#include "importer/importer.h"

namespace ferry::testing {
namespace {

ImportOptions small_limits() {
  ImportOptions options;
  options.limits.nodes = 20'000;
  options.limits.messages = 100'000;
  options.limits.tensor_bytes = 1 << 24;
  options.limits.total_bytes = 1 << 26;
  options.limits.dense_bytes = 1 << 24;
  options.limits.structure_bytes = 1 << 24;
  return options;
}

}  // namespace

void import_one(Bytes bytes) {
  const ImportOptions options = small_limits();
  if (check_model(bytes, options).empty()) {
    // Not in a try: what check accepts, import must accept.
    Graph graph = import_model(bytes, nullptr, options);
    verify(graph, "the import");
    try {
      infer(graph);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::internal) throw;
    }
  }
  try {
    tensor_from_pb(bytes, nullptr);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) throw;
  }
}

}  // namespace ferry::testing
