#include "importer/importer.h"

#include <fmt/format.h>

#include <cstring>
#include <new>
#include <utility>

#include "core/storage.h"
#include "importer/format/wire_scan.h"
#include "importer/model_importer.h"

namespace ferry {
namespace {

struct Outcome {
  Graph graph;
  std::vector<Problem> problems;
};

// `folder` is empty for models from memory.
Outcome run(Bytes bytes, std::shared_ptr<const void> owner, const std::string& folder,
            const ImportOptions& options) {
  Problems problems;
  Graph graph;
  try {
    if (bytes.empty()) fail(ProblemCode::encoding, "the file is empty");
    ScanLimits limits;
    limits.skeleton_bytes = options.limits.structure_bytes;
    limits.messages = options.limits.messages;
    WireScan parts = scan(bytes, WireMessage::model, limits);
    onnx::ModelProto model;
    if (!model.ParseFromString(parts.skeleton)) {
      fail(ProblemCode::encoding,
           "the protobuf encoding is broken: the file is damaged, or no ONNX model");
    }
    parts.skeleton = {};
    ExternalData external(options.data_folder.empty() ? folder : options.data_folder,
                          options.link_root);
    TensorReader tensors(parts.tensors, std::move(owner), /*mapped=*/!folder.empty(), &external,
                         options.limits);
    graph = ModelImporter(model, tensors, problems, options.limits).run();
  } catch (const ProblemError& problem) {
    problems.add(problem.code, problem.message);
  }
  return {std::move(graph), problems.take()};
}

std::string folder_of(const std::string& path) {
  size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

Graph graph_or_error(Outcome outcome, const std::string& model) {
  if (!outcome.problems.empty()) throw error_of(outcome.problems, model);
  return std::move(outcome.graph);
}

}  // namespace

Graph import_model(const std::string& path, const ImportOptions& options) {
  MappedFile file = map_file(path);
  return graph_or_error(run(file.bytes, file.owner, folder_of(path), options), path);
}

Graph import_model(Bytes bytes, std::shared_ptr<const void> owner, const ImportOptions& options) {
  if (owner == nullptr && !bytes.empty()) {
    std::shared_ptr<Storage> copy = allocate_host(bytes.size());
    std::memcpy(copy->data(), bytes.data(), bytes.size());
    bytes = Bytes(static_cast<const uint8_t*>(copy->data()), bytes.size());
    owner = std::move(copy);
  }
  return graph_or_error(run(bytes, std::move(owner), "", options), "");
}

std::vector<Problem> check_model(const std::string& path, const ImportOptions& options) {
  try {
    MappedFile file = map_file(path);
    return run(file.bytes, file.owner, folder_of(path), options).problems;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io && error.code() != ErrorCode::not_found) throw;
    return {Problem{ProblemCode::io, "", "", error.message()}};
  }
}

std::vector<Problem> check_model(Bytes bytes, const ImportOptions& options) {
  return run(bytes, nullptr, "", options).problems;
}

}  // namespace ferry
