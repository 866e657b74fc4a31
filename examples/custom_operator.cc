// An operator of one's own: y = limit * tanh(x / limit), which a model calls my.domain.SoftClip.
//
//   custom_operator soft_clip.onnx
#include <ferry/ferry.h>

#include <cmath>
#include <iostream>

namespace {

// Types and shapes: as the input. Symbols like "batch" go through.
void infer_soft_clip(ferry::OperatorInference& node) {
  if (node.attributes().get<float>("limit") <= 0) node.fail("limit must be positive.");
  node.set_output(0, node.dtype(0), node.shape(0));
}

void run_soft_clip(ferry::OperatorCall& call) {
  const float limit = call.attributes().get<float>("limit");
  const std::span<const float> x = call.input(0).span<float>();
  const std::span<float> y = call.output(0).mutable_span<float>();
  call.parallel_for(call.input(0).numel(), [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      y[i] = limit * std::tanh(x[i] / limit);
    }
  });
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace ferry;
  if (argc < 2) {
    std::cerr << "usage: custom_operator soft_clip.onnx\n";
    return 2;
  }
  for (const CheckProblem& problem : check(argv[1])) std::cout << problem.message << "\n";

  register_operator({.domain = "my.domain",
                     .name = "SoftClip",
                     .attributes = {{"limit", 1.0f}},
                     .infer = infer_soft_clip,
                     .kernels = {{DeviceKind::cpu, {float32}, run_soft_clip}}});
  std::cout << check(argv[1]).size() << " problems\n";

  Model model = Model::load(argv[1]);
  const Tensor x = Tensor::from({{1, 1, 1}, {0, 0.1, -9}});
  std::cout << model.run({{"x", x}})["y"] << "\n";

  // On a GPU, real or emulated, the operator stays on the CPU, and the report says why.
  // The device first: three small nodes are faster on the CPU, and would all be there.
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  request.policy = PlacementPolicy::device_first;
  model.to(request);
  for (const NodePlacement& node : model.placement().nodes()) {
    std::cout << node.device.str() << "  " << node.reason << "  " << node.op;
    if (!node.detail.empty()) std::cout << ": " << node.detail;
    std::cout << "\n";
  }
  std::cout << model.run({{"x", x}})["y"] << "\n";
  return 0;
} catch (const ferry::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
