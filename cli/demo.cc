#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/compare_tensors.h"
#include "cli/options.h"
#include "cli/text.h"
#include "core/npy.h"
#include "ferry/ferry.h"

namespace ferry::embedded {
extern const std::string_view digits_model;   // models/digits_torchscript.onnx
extern const std::string_view digits_golden;  // models/digits_1.npz
}  // namespace ferry::embedded

namespace ferry::cli {
namespace {

// An 8x8 picture of brightness 0 to 1, two characters a pixel.
std::string picture(std::span<const float> pixels) {
  static constexpr const char* kShades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
  std::string out;
  for (size_t row = 0; row < 8; ++row) {
    out += "    ";
    for (size_t column = 0; column < 8; ++column) {
      const float v = std::clamp(pixels[row * 8 + column], 0.0f, 1.0f);
      out += kShades[std::lround(v * 4)];
    }
    out += "\n";
  }
  return out;
}

struct Guess {
  size_t digit;
  double probability;
};

// Softmax of the scores, likeliest first.
std::vector<Guess> ranked(std::span<const float> scores) {
  const float largest = *std::ranges::max_element(scores);
  double sum = 0;
  for (const float score : scores) sum += std::exp(score - largest);
  std::vector<Guess> guesses;
  for (size_t i = 0; i < scores.size(); ++i) {
    guesses.push_back({i, std::exp(scores[i] - largest) / sum});
  }
  std::ranges::stable_sort(guesses, std::greater<>(), &Guess::probability);
  return guesses;
}

std::string top_three(const std::vector<Guess>& guesses) {
  std::string out = "  it is";
  for (size_t i = 0; i < 3; ++i) {
    out += fmt::format("{} {} ({:.1f} %)", i == 0 ? "" : ",", guesses[i].digit,
                       100 * guesses[i].probability);
  }
  return out + "\n";
}

const Tensor& named(const NamedTensors& tensors, const std::string& name) {
  return std::ranges::find(tensors, name, &NamedTensors::value_type::first)->second;
}

int demo(const std::string& format) {
  const bool json = wants_json(format);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::string text;
  const std::string_view bytes = embedded::digits_model;
  const NamedTensors golden = read_npz(embedded::digits_golden, "the embedded goldens");
  const Tensor &image = named(golden, "image"), &expected = named(golden, "scores");
  Model model = Model::load_bytes(std::as_bytes(std::span(bytes.data(), bytes.size())), "digits");
  text += "A classifier of handwritten digits, and a picture:\n\n" + picture(image.span<float>());

  bool same = true;
  for (const Device& device : {Device("cpu"), Device("sim:0")}) {
    model.to(device);
    RunReport report;
    const Outputs outputs = model.run({{"image", image}}, {.report = &report});
    const Tensor scores = outputs["scores"].cpu();
    const std::vector<Guess> guesses = ranked(scores.span<float>().first(10));
    const std::string wrong = compare(scores, expected, {.rtol = 1e-4, .atol = 1e-5}).difference();
    same = same && wrong.empty() && report.ledger_difference.empty();

    text += fmt::format("\n{}\n  {}\n", device.str(), model.placement().summary());
    nlohmann::ordered_json copies = nlohmann::ordered_json::array();
    for (const RunReport::Copy& copy : report.copies) {
      text += fmt::format("  copied {} from {} to {}: {} bytes\n", copy.value, copy.from.str(),
                          copy.to.str(), copy.bytes);
      copies.push_back({{"value", copy.value},
                        {"from", copy.from.str()},
                        {"to", copy.to.str()},
                        {"bytes", copy.bytes}});
    }
    text += top_three(guesses);
    text += wrong.empty() ? "  the scores are PyTorch's\n" : "  WRONG: the output " + wrong + "\n";
    list.push_back({{"device", device.str()},
                    {"simulated", device.kind() == DeviceKind::sim},
                    {"placement", model.placement().summary()},
                    {"copies", copies},
                    {"digit", guesses[0].digit},
                    {"probability", guesses[0].probability},
                    {"as_expected", wrong.empty()}});
  }
  text +=
      "\nsim:0 is an emulated GPU: the CUDA backend, compiled for this machine. With a GPU, "
      "cuda:0\n"
      "gives the same plan. Next: ferry place MODEL -d sim:0, ferry run MODEL -d sim:0\n";
  print(json ? list.dump(2) + "\n" : text);
  return same ? kOk : kDiffer;
}

std::function<int()> setup(Options& options) {
  const auto format = std::make_shared<std::string>("text");
  options.format(*format);
  return [format] { return demo(*format); };
}

}  // namespace

const Verb kDemo{"demo", "Classify an embedded picture on cpu and on sim:0",
                 "  ferry demo\n  ferry demo > demo.txt", setup};

}  // namespace ferry::cli
