#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ferry/device.h"
#include "ferry/dtype.h"
#include "ferry/export.h"
#include "ferry/placement.h"
#include "ferry/run.h"
#include "ferry/tensor.h"

namespace ferry {

// An input, output or weight of a model.
struct TensorInfo {
  std::string name;
  DType dtype = DType::undefined;
  bool has_shape = false;
  // One text per axis: "3", "batch", "2*seq", or "?" where nothing is known.
  std::vector<std::string> dims;

  std::string str() const;  // "float32[batch, 3]"
};

// What a model's file says of itself.
struct ModelMetadata {
  int64_t ir_version = 0;
  std::string producer;                           // "pytorch 2.13.0", or empty
  std::map<std::string, int64_t> opsets;          // by domain: "ai.onnx", "com.microsoft"
  std::map<std::string, std::string> properties;  // metadata_props
};

// Tensors by name, in order.
class FERRY_API NamedValues {
 public:
  NamedValues() = default;
  NamedValues(std::initializer_list<std::pair<std::string, Tensor>> items) : items_(items) {}
  explicit NamedValues(std::vector<std::pair<std::string, Tensor>> items)
      : items_(std::move(items)) {}

  // nullptr where there is none.
  const Tensor* find(std::string_view name) const;
  // Throws Error not_found, with the nearest name.
  const Tensor& operator[](std::string_view name) const;
  const Tensor& operator[](size_t index) const;
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  void add(std::string name, Tensor tensor);
  std::vector<std::string> names() const;

  // All tensors of a .npz or .safetensors file, in the file's order. Throws Error not_found, io,
  // invalid_argument (malformed, or another ending).
  static NamedValues load(const std::string& path);
  // By the ending, as load(). Writes a temporary file beside `path` and renames it.
  void save(const std::string& path) const;

 private:
  std::vector<std::pair<std::string, Tensor>> items_;
};
using Inputs = NamedValues;
using Outputs = NamedValues;

struct LoadOptions {
  int threads = 0;            // of the CPU pool, the caller included; 0: one per core
  std::string external_data;  // folder of external data; empty: the model's own
  std::string link_root;      // links in external data may lead below this folder; empty: none
  std::vector<std::string> disabled_rewrites;  // by name (docs/rewrites.md)
};

class Runner;  // ferry/runner.h

struct RunnerOptions {
  // Where the input buffers are: the CPU, or the model's device, and then no run copies them. An
  // input that the host reads is on the CPU either way.
  Device inputs_on;
  // As in RunOptions.
  std::vector<std::string> outputs;
  std::optional<Device> outputs_on;
};

// A loaded model, on some device. Copies share the model; moving one moves them all, as with a
// PyTorch module.
//
// Thread safety: run(), plan() and the readers may be called from several threads at once. to(),
// cpu() and cuda() must not run beside anything else.
class FERRY_API Model {
 public:
  // Reads and checks an ONNX file. The model is on the CPU until it is moved, and placed there when
  // that is first asked for. Weights stay in the file's pages. Throws Error: io, not_found,
  // invalid_model, unsupported (a node that no device runs).
  static Model load(const std::string& path, const LoadOptions& options = {});
  // From memory, which is copied. `name` stands for the path in messages.
  static Model load_bytes(std::span<const std::byte> bytes, const std::string& name = "model",
                          const LoadOptions& options = {});

  // ---- where it runs --------------------------------------------------------------------------
  // Places the model anew and moves its weights; returns *this. Strict: a node that `device` cannot
  // run is an Error (placement). Without that device: Error (device_missing).
  Model& to(Device device);
  Model& to(const PlacementRequest& request);
  Model& to(const Placement& placement);
  Model& cpu();
  Model& cuda(int index = 0);
  // Converts weights and inputs of float64, float32, float16 and bfloat16, and the arithmetic on
  // them, as PyTorch's module.to(dtype); all other types stay. Throws invalid_argument for a type
  // that is none of the four.
  Model& to(DType dtype);

  Device device() const;
  const Placement& placement() const;
  // The placement that `request` would give. Moves nothing.
  Placement plan(const PlacementRequest& request) const;

  // ---- running --------------------------------------------------------------------------------
  // Runs once. Inputs may be on any device and in any order; outputs come back in the model's
  // order, on the device that the placement delivers them to. Throws Error: not_found (names),
  // invalid_argument (dtypes, shapes), runtime, device_failed, out_of_memory, cancelled,
  // deadline_exceeded.
  Outputs run(const Inputs& inputs, const RunOptions& options = {}) const;
  // For loops: runs of this model, as it is placed now, with buffers of the shapes of `examples`,
  // which are copied into them. Throws what run() throws before it runs.
  Runner runner(const Inputs& examples, const RunnerOptions& options = {}) const;

  // ---- what it is -----------------------------------------------------------------------------
  const std::string& name() const;
  ModelMetadata metadata() const;
  std::vector<TensorInfo> inputs() const;  // without initializers
  std::vector<TensorInfo> outputs() const;
  NamedValues parameters() const;  // weights, on the CPU
  // As PyTorch prints a module: the tree that the names of weights and nodes spell.
  std::string str() const;
  // The graph as it runs, one node a line; for people.
  std::string graph() const;
  int64_t plans_made() const;  // how many input-shape tuples were planned since the last move

  struct Impl;

 private:
  explicit Model(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

FERRY_API std::ostream& operator<<(std::ostream& out, const Model& model);

}  // namespace ferry
