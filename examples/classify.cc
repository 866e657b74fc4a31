// Classifies the pictures of a .npz with a model, in one run.
//
//   classify digits.onnx digits_1.npz
#include <ferry/ferry.h>

#include <algorithm>
#include <iostream>

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::cerr << "usage: classify MODEL.onnx PICTURES.npz\n";
    return 2;
  }
  const ferry::Model model = ferry::Model::load(argv[1]);
  const ferry::Tensor images = ferry::Tensor::load(std::string(argv[2]) + ":image");
  const ferry::Outputs outputs = model.run({{"image", images}});

  const ferry::Tensor& scores = outputs["scores"];
  const auto all = scores.span<float>();
  const auto classes = static_cast<size_t>(scores.size(1));
  for (size_t row = 0; row < all.size() / classes; ++row) {
    const auto one = all.subspan(row * classes, classes);
    std::cout << "picture " << row << ": " << std::ranges::max_element(one) - one.begin() << "\n";
  }
  return 0;
} catch (const ferry::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
