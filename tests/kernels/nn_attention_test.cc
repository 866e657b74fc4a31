#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }

Attributes attention(std::vector<std::pair<std::string, Attribute>> more = {}) {
  Attributes result = attributes(
      {{"is_causal", int64_t{0}}, {"qk_matmul_output_mode", int64_t{0}}, {"softcap", 0.0f}});
  for (auto& [name, value] : more) result.set(name, value);
  return result;
}

// softmax(q k^T / sqrt(size) + mask) v by its definition, in double, for 4-D tensors.
Tensor reference(const Tensor& q, const Tensor& k, const Tensor& v, bool causal,
                 const Tensor& mask) {
  const Shape& qs = q.shape();
  const Shape& ks = k.shape();
  const int64_t width = v.shape()[3];
  Tensor y = Tensor::empty({qs[0], qs[1], qs[2], width});
  for (int64_t b = 0; b < qs[0]; ++b) {
    for (int64_t h = 0; h < qs[1]; ++h) {
      const int64_t kv = b * ks[1] + h / (qs[1] / ks[1]);
      for (int64_t i = 0; i < qs[2]; ++i) {
        std::vector<double> scores(ks[2]);
        double sum = 0;
        for (int64_t j = 0; j < ks[2]; ++j) {
          double dot = 0;
          for (int64_t c = 0; c < qs[3]; ++c) {
            dot += double{q.span<float>()[((b * qs[1] + h) * qs[2] + i) * qs[3] + c]} *
                   k.span<float>()[(kv * ks[2] + j) * qs[3] + c];
          }
          dot /= std::sqrt(static_cast<double>(qs[3]));
          if (mask.defined()) dot += mask.span<float>()[i * ks[2] + j];
          scores[j] = causal && j > i ? 0 : std::exp(dot);
          sum += scores[j];
        }
        for (int64_t c = 0; c < width; ++c) {
          double value = 0;
          for (int64_t j = 0; j < ks[2]; ++j)
            value += scores[j] / sum * v.span<float>()[(kv * ks[2] + j) * width + c];
          y.mutable_span<float>()[((b * qs[1] + h) * qs[2] + i) * width + c] =
              static_cast<float>(value);
        }
      }
    }
  }
  return y;
}

TEST(NnAttentionTest, AgreesWithTheDefinition) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (int round = 0; round < 6; ++round) {
    const int64_t batch = random.integer(1, 2), heads = 2 * random.integer(1, 2),
                  steps = random.integer(1, 7);
    const int64_t keys = random.integer(1, 9), size = random.integer(1, 20),
                  width = random.integer(1, 12);
    const int64_t kv_heads = round % 2 == 0 ? heads : heads / 2;
    const Tensor q = random.tensor({batch, heads, steps, size}, float32, -1, 1);
    const Tensor k = random.tensor({batch, kv_heads, keys, size}, float32, -1, 1);
    const Tensor v = random.tensor({batch, kv_heads, keys, width}, float32, -1, 1);
    const Tensor mask = random.tensor({steps, keys}, float32, -1, 1);
    const std::string name = "round " + std::to_string(round);
    cases.push_back(
        {name, "Attention", attention(), {q, k, v}, {reference(q, k, v, false, {})}, {1e-5, 1e-6}});
    cases.push_back({name + ", causal",
                     "Attention",
                     attention({{"is_causal", int64_t{1}}}),
                     {q, k, v},
                     {reference(q, k, v, true, {})},
                     {1e-5, 1e-6}});
    cases.push_back({name + ", mask",
                     "Attention",
                     attention(),
                     {q, k, v, mask},
                     {reference(q, k, v, false, mask)},
                     {1e-5, 1e-6}});
    cases.push_back({name + ", half",
                     "Attention",
                     attention(),
                     {q.half(), k.half(), v.half()},
                     {reference(q, k, v, false, {}).half()},
                     {1e-2, 5e-3}});
  }
  check(cases);
}

TEST(NnAttentionTest, FormsOfInputsAndOutputs) {
  const Attributes three = attention({{"q_num_heads", int64_t{2}}, {"kv_num_heads", int64_t{2}}});
  const Tensor one = f({1, 2}, {1, 1, 2});  // one step, two heads of size 1
  const Tensor bools = f({1, 0}, {1, 2}).to(boolean);
  const Tensor q = f({0}, {1, 1, 1, 1}), k = f({1, 2}, {1, 1, 2, 1}), v = f({10, 20}, {1, 1, 2, 1});
  check({
      {"three axes", "Attention", three, {one, one, f({5, 7}, {1, 1, 2})}, {f({5, 7}, {1, 1, 2})}},
      {"bool mask", "Attention", attention(), {q, k, v, bools}, {f({10}, {1, 1, 1, 1})}},
      {"a mask for fewer keys",
       "Attention",
       attention(),
       {q, k, v, f({0}, {1, 1})},
       {f({10}, {1, 1, 1, 1})}},
      {"padding",
       "Attention",
       attention(),
       {q, k, v, {}, {}, {}, Tensor::from<int64_t>({1})},
       {f({10}, {1, 1, 1, 1})}},
      {"nothing to see",
       "Attention",
       attention(),
       {q, k, v, {}, {}, {}, Tensor::from<int64_t>({0})},
       {f({0}, {1, 1, 1, 1})}},
      {"past",
       "Attention",
       attention(),
       {q,
        f({2}, {1, 1, 1, 1}),
        f({20}, {1, 1, 1, 1}),
        {},
        f({1}, {1, 1, 1, 1}),
        f({10}, {1, 1, 1, 1})},
       {f({15}, {1, 1, 1, 1}), k, v, f({0, 0}, {1, 1, 1, 2})},
       kRounded},
  });
  check({
      RefusalCase{"heads",
                  "Attention",
                  attention(),
                  {one, one, one},
                  1,
                  ErrorCode::invalid_model,
                  "q_num_heads"},
      RefusalCase{"sizes",
                  "Attention",
                  attention(),
                  {q, Tensor::zeros({1, 1, 2, 3}), v},
                  1,
                  ErrorCode::invalid_model,
                  "head sizes"},
      RefusalCase{"half a past",
                  "Attention",
                  attention(),
                  {q, k, v, {}, k},
                  1,
                  ErrorCode::invalid_model,
                  "together"},
  });
}

TEST(NnAttentionTest, RotaryEmbedding) {
  const auto form = [](int64_t interleaved, int64_t dim = 0) {
    return attributes({{"interleaved", interleaved}, {"rotary_embedding_dim", dim}});
  };
  const Tensor x = f({1, 2, 3, 4}, {1, 1, 1, 4});
  const Tensor cosine = f({0, 1, 0.5f, 0.5f}, {2, 2}), sine = f({1, 0, 2, 2}, {2, 2});
  const Tensor first = Tensor::from<int64_t>({0}, {1, 1});
  check({
      {"halves",
       "RotaryEmbedding",
       form(0),
       {x, cosine, sine, first},
       {f({-3, 2, 1, 4}, {1, 1, 1, 4})}},
      {"pairs",
       "RotaryEmbedding",
       form(1),
       {x, cosine, sine, first},
       {f({-2, 1, 3, 4}, {1, 1, 1, 4})}},
      {"part",
       "RotaryEmbedding",
       form(0, 2),
       {x, f({0}, {1, 1, 1}), f({1}, {1, 1, 1})},
       {f({-2, 1, 3, 4}, {1, 1, 1, 4})}},
  });
  check({RefusalCase{"position",
                     "RotaryEmbedding",
                     form(0),
                     {x, cosine, sine, Tensor::from<int64_t>({2}, {1, 1})},
                     1,
                     ErrorCode::runtime,
                     "position 2"}});
}

}  // namespace
}  // namespace ferry::test
