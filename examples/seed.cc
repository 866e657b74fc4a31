// Moving a tensor and a model to a device, as one does in PyTorch with tensor.to(device), .cuda()
// and module.to(device).
//
//   seed NET.onnx [DEVICE]     DEVICE: sim:0 unless given
#include <ferry/ferry.h>

#include <iostream>

int main(int argc, char** argv) try {
  using namespace ferry;
  if (argc < 2) {
    std::cerr << "usage: seed NET.onnx [DEVICE]\n";
    return 2;
  }

  // One program for machines with and without a GPU.
  const Device best = cuda::is_available() ? Device("cuda:0") : Device("cpu");
  const Device device = argc > 2 ? Device(argv[2]) : best.is_cpu() ? Device("sim:0") : best;

  // A tensor is moved by making another: the old one stays where it is.
  const Tensor x = Tensor::from({{1, 2, 3}, {4, 5, 6}});
  std::cout << x << "\n";
  const Tensor moved = x.to(device);
  std::cout << moved << "\n";
  std::cout << "x is on " << x.device().str() << ", moved is on " << moved.device().str() << "\n";

  // .to(device) works on any machine. .cuda() without a GPU is a clear error.
  std::cout << "best device here: " << best.str() << ", there x sums to the same: "
            << (x.to(best).cpu().span<float>()[5] == 6 ? "yes" : "no") << "\n";
  if (!cuda::is_available()) {
    try {
      (void)x.cuda();
    } catch (const Error& error) {
      std::cout << "x.cuda(): " << to_string(error.code()) << "\n";
    }
  }

  // Only floating tensors change their element type with a model; integers only move.
  std::cout << Tensor::from({1, 2}).to(device, float16) << "\n";

  // A model is moved in place, and chains.
  Model net = Model::load(argv[1]);
  std::cout << net.to(device) << "\n";
  std::cout << net.placement().summary() << "\n";

  const Outputs y = net.run({{"x", moved}});
  std::cout << y["y"] << "\n";
  return 0;
} catch (const ferry::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
