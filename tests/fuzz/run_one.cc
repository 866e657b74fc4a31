#include "tests/fuzz/run_one.h"

#include <chrono>
#include <stdexcept>

#include "ferry/ferry.h"
#include "importer/format/tensor_proto.h"

namespace ferry::testing {
namespace {

using std::chrono_literals::operator""s;

// Calls `f`; false where it ended with an Error that a model may cause.
template <typename F>
bool succeeds(const char* what, F&& f) {
  try {
    f();
    return true;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal || error.code() == ErrorCode::ledger_mismatch) {
      throw std::runtime_error(std::string(what) + ": " + error.what());
    }
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void check_outputs(const char* what, const Outputs& outputs) {
  for (const auto& [name, tensor] : outputs) {
    if (!tensor.defined() || tensor.dtype() == DType::undefined) {
      throw std::runtime_error(std::string(what) + ": the output '" + name + "' is undefined");
    }
  }
}

Inputs inputs_of(const Specimen& specimen, const Model& model) {
  Inputs inputs;
  const std::vector<TensorInfo> infos = model.inputs();
  for (size_t i = 0; i < infos.size() && i < specimen.inputs.size(); ++i) {
    const std::string bytes = specimen.inputs[i].SerializeAsString();
    const Bytes view(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    inputs.add(infos[i].name, tensor_from_pb(view, nullptr).clone());
  }
  return inputs;
}

}  // namespace

Reached run_one(const Specimen& specimen) {
  const std::string bytes = specimen.model.SerializeAsString();
  LoadOptions load;
  load.threads = 1;
  std::optional<Model> model;
  if (!succeeds("load", [&] {
        model = Model::load_bytes(std::as_bytes(std::span(bytes)), "mutant", load);
      })) {
    return Reached::nothing;
  }
  Inputs inputs;
  if (!succeeds("inputs", [&] { inputs = inputs_of(specimen, *model); })) return Reached::loaded;
  const auto run = [&](const char* what, Outputs& outputs) {
    return succeeds(what, [&] {
      RunOptions options;
      options.check_ledger = true;
      options.deadline = std::chrono::steady_clock::now() + 2s;
      outputs = model->run(inputs, options);
      check_outputs(what, outputs);
    });
  };
  Outputs on_cpu, on_sim;
  const bool ran = run("run on cpu", on_cpu);
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  request.policy = PlacementPolicy::device_first;
  if (!succeeds("place on sim:0", [&] { model->to(request); })) return Reached::loaded;
  if (!run("run on sim:0", on_sim)) return Reached::loaded;
  for (size_t i = 0; ran && i < on_cpu.size(); ++i) {
    if (on_cpu[i].shape() == on_sim[i].shape() && on_cpu[i].dtype() == on_sim[i].dtype()) continue;
    throw std::runtime_error("an output has another shape or dtype on sim:0 than on cpu");
  }
  return ran ? Reached::ran : Reached::loaded;
}

}  // namespace ferry::testing
