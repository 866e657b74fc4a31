#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ferry/device.h"
#include "ferry/export.h"
#include "ferry/model.h"
#include "ferry/tensor.h"

namespace ferry {

// A model with input and output memory of its own, for loops that run the same shapes again and
// again: nothing is looked up, checked or allocated between two runs.
//
//   Runner runner = model.runner({{"x", Tensor::zeros({1, 3, 224, 224})}});
//   while (...) {
//     runner.set("x", frame);                       // or write into runner.input("x")
//     const Outputs& y = runner.run();              // the same tensors every time
//   }
//
// Where every step of the plan is a kernel of known sizes on one GPU (or `sim`), or a copy to or
// from it, the second run records them, and later runs replay the recording with one call
// (captured()). Otherwise each run queues the steps one by one, and why_not_captured() says why.
//
// A Runner keeps the placement, the weights and the model that it was made from alive and goes on
// with them: Model::to() does not change it. Make a new one to run elsewhere.
//
// Thread safety: one thread at a time; several Runners, and Model::run(), may run at once.
class FERRY_API Runner {
 public:
  Runner(Runner&&) noexcept;
  Runner& operator=(Runner&&) noexcept;
  ~Runner();

  // The buffer of an input: what it holds when run() begins is the input. It is on the CPU (pinned,
  // where a GPU copies from it) or on RunnerOptions::inputs_on. Throws Error not_found.
  const Tensor& input(std::string_view name) const;
  // Copies `tensor`, on any device, into the buffer of an input. Throws Error not_found, or
  // invalid_argument where dtype or shape differ from the buffer's.
  void set(std::string_view name, const Tensor& tensor);

  // Runs once and returns when the outputs are complete. Outputs of known shape are the same
  // tensors in every run, overwritten by the next; one whose shape data decides is a new tensor in
  // each. Of `options`, report and check_ledger are as for Model::run(); trace queues the steps one
  // by one; cancel and deadline are looked at before each step, or before and after a replay;
  // outputs and outputs_on were settled when the Runner was made, and are Error invalid_argument
  // here. Throws what Model::run() throws; the Runner can be used again afterwards, unless the
  // device failed.
  const Outputs& run(const RunOptions& options = {});
  // What the last run left; undefined elements before the first.
  const Outputs& outputs() const;

  // Whether runs replay a recording.
  bool captured() const;
  // Why not, as a sentence; "" when they do, or will from the second run on.
  const std::string& why_not_captured() const;

 private:
  friend class Model;
  struct Impl;
  explicit Runner(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ferry
