#include "kernels/cpu/rnn_activation.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "kernels/cpu/element.h"

namespace ferry::cpu {
namespace {

struct Definition {
  std::string_view name;  // in lower case
  bool takes_alpha, takes_beta;
  float alpha, beta;  // defaults
  double (*function)(double x, double alpha, double beta);
  bool has_simd = false;
  SimdMap simd = SimdMap::abs;
};

constexpr Definition kDefinitions[] = {
    {"sigmoid", false, false, 0, 0, [](double x, double, double) { return 1 / (1 + std::exp(-x)); },
     true, SimdMap::sigmoid},
    {"tanh", false, false, 0, 0, [](double x, double, double) { return std::tanh(x); }, true,
     SimdMap::tanh},
    {"relu", false, false, 0, 0, [](double x, double, double) { return x < 0 ? 0 : x; }, true,
     SimdMap::relu},
    {"affine", true, true, 1, 0, [](double x, double a, double b) { return a * x + b; }},
    {"leakyrelu", true, false, 0.01f, 0,
     [](double x, double a, double) { return x < 0 ? a * x : x; }},
    {"thresholdedrelu", true, false, 1, 0,
     [](double x, double a, double) { return x > a ? x : 0; }},
    {"scaledtanh", true, true, 1, 1,
     [](double x, double a, double b) { return a * std::tanh(b * x); }},
    {"hardsigmoid", true, true, 0.2f, 0.5f,
     [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }},
    {"elu", true, false, 1, 0,
     [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }},
    {"softsign", false, false, 0, 0,
     [](double x, double, double) { return x / (1 + std::abs(x)); }},
    {"softplus", false, false, 0, 0,
     [](double x, double, double) { return std::log1p(std::exp(x)); }},
};

template <typename T, size_t kIndex>
void scalar_map(const void* input, void* output, int64_t count, const float* parameters) {
  const T* in = static_cast<const T*>(input);
  T* out = static_cast<T*>(output);
  for (int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<T>(kDefinitions[kIndex].function(static_cast<double>(in[i]),
                                                          static_cast<double>(parameters[0]),
                                                          static_cast<double>(parameters[1])));
  }
}

template <size_t... kIndices>
MapFunction map_of(DType dtype, size_t index, std::index_sequence<kIndices...>) {
  static constexpr MapFunction kFloat[] = {scalar_map<float, kIndices>...};
  static constexpr MapFunction kDouble[] = {scalar_map<double, kIndices>...};
  return dtype == float64 ? kDouble[index] : kFloat[index];
}

// nullptr for a name that is none of them.
const Definition* find_definition(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto* found = std::find_if(std::begin(kDefinitions), std::end(kDefinitions),
                                   [&](const Definition& one) { return one.name == name; });
  return found == std::end(kDefinitions) ? nullptr : found;
}

}  // namespace

Support supports_rnn_activations(const NodeFacts& node) {
  const auto& names = node.attributes->get<std::vector<std::string>>("activations");
  for (const std::string& name : names) {
    if (find_definition(name) != nullptr) continue;
    return Support::no(ReasonCode::attribute,
                       "the activation \"" + name + "\" is not one of ONNX's");
  }
  const size_t directions = node.attributes->get_string("direction") == "bidirectional" ? 2 : 1;
  if (names.size() >= 3 * directions) return Support::yes();
  return Support::no(ReasonCode::attribute, "the attribute 'activations' has " +
                                                std::to_string(names.size()) +
                                                " names, expected three a direction");
}

std::vector<ActivationFunction> rnn_activations(const Attributes& attributes, DType dtype) {
  const auto& names = attributes.get<std::vector<std::string>>("activations");
  const auto& alphas = attributes.get<std::vector<float>>("activation_alpha");
  const auto& betas = attributes.get<std::vector<float>>("activation_beta");
  std::vector<ActivationFunction> result;
  size_t next_alpha = 0, next_beta = 0;
  for (const std::string& name : names) {
    const Definition* found = find_definition(name);
    if (found == nullptr) {
      throw Error(ErrorCode::unsupported, "the activation \"" + name + "\" is not one of ONNX's");
    }
    ActivationFunction activation;
    const size_t index = static_cast<size_t>(found - kDefinitions);
    activation.map =
        found->has_simd && dtype == float32
            ? simd_map(found->simd)
            : map_of(dtype, index, std::make_index_sequence<std::size(kDefinitions)>());
    activation.parameters[0] = found->alpha;
    activation.parameters[1] = found->beta;
    if (found->takes_alpha && next_alpha < alphas.size()) {
      activation.parameters[0] = alphas[next_alpha++];
    }
    if (found->takes_beta && next_beta < betas.size()) {
      activation.parameters[1] = betas[next_beta++];
    }
    result.push_back(activation);
  }
  return result;
}

}  // namespace ferry::cpu
