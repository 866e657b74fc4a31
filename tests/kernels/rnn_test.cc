#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

struct LstmForm {
  std::string direction = "forward";
  int64_t layout = 0, input_forget = 0;
  float clip = std::numeric_limits<float>::infinity();
};

Attributes lstm(const LstmForm& form) {
  std::vector<std::string> activations;
  const int directions = form.direction == "bidirectional" ? 2 : 1;
  for (int i = 0; i < directions; ++i) {
    activations.insert(activations.end(), {"Sigmoid", "Tanh", "Tanh"});
  }
  return attributes({{"activation_alpha", std::vector<float>{}},
                     {"activation_beta", std::vector<float>{}},
                     {"activations", activations},
                     {"clip", form.clip},
                     {"direction", form.direction},
                     {"hidden_size", int64_t{0}},
                     {"input_forget", form.input_forget},
                     {"layout", form.layout}});
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Lstm {
  int64_t sequence, batch, input, hidden, directions;
  Tensor x, w, r, b, lengths, h0, c0, p;  // layout 0
  Tensor y, y_h, y_c;
};

// LSTM by the equations of ONNX LSTM 22, one sample and one step at a time, in double.
void run_reference(Lstm& net, const LstmForm& form) {
  const int64_t n = net.hidden;
  net.y = Tensor::zeros({net.sequence, net.directions, net.batch, n});
  net.y_h = Tensor::empty({net.directions, net.batch, n});
  net.y_c = Tensor::empty({net.directions, net.batch, n});
  const auto at = [](const Tensor& t, int64_t i) {
    return t.defined() ? double{t.span<float>()[i]} : 0;
  };
  const double limit = form.clip;
  const auto clip = [&](double v) { return std::clamp(v, -limit, limit); };
  for (int64_t d = 0; d < net.directions; ++d) {
    const bool reverse = form.direction == "reverse" || d == 1;
    for (int64_t s = 0; s < net.batch; ++s) {
      const int64_t length = net.lengths.defined() ? net.lengths.span<int32_t>()[s] : net.sequence;
      std::vector<double> h(n), c(n);
      for (int64_t i = 0; i < n; ++i) {
        h[i] = at(net.h0, (d * net.batch + s) * n + i);
        c[i] = at(net.c0, (d * net.batch + s) * n + i);
      }
      for (int64_t step = 0; step < length; ++step) {
        const int64_t t = reverse ? length - 1 - step : step;
        std::vector<double> gates(4 * n);
        for (int64_t g = 0; g < 4 * n; ++g) {
          gates[g] = at(net.b, d * 8 * n + g) + at(net.b, d * 8 * n + 4 * n + g);
          for (int64_t k = 0; k < net.input; ++k) {
            gates[g] += at(net.x, (t * net.batch + s) * net.input + k) *
                        at(net.w, (d * 4 * n + g) * net.input + k);
          }
          for (int64_t k = 0; k < n; ++k) gates[g] += h[k] * at(net.r, (d * 4 * n + g) * n + k);
        }
        for (int64_t i = 0; i < n; ++i) {
          const double in = sigmoid(clip(gates[i] + at(net.p, d * 3 * n + i) * c[i]));
          double forget = sigmoid(clip(gates[2 * n + i] + at(net.p, d * 3 * n + 2 * n + i) * c[i]));
          if (form.input_forget != 0) forget = 1 - in;
          const double cell = std::tanh(clip(gates[3 * n + i]));
          c[i] = forget * c[i] + in * cell;
          const double out = sigmoid(clip(gates[n + i] + at(net.p, d * 3 * n + n + i) * c[i]));
          h[i] = out * std::tanh(c[i]);
          net.y.mutable_span<float>()[((t * net.directions + d) * net.batch + s) * n + i] =
              static_cast<float>(h[i]);
        }
      }
      for (int64_t i = 0; i < n; ++i) {
        net.y_h.mutable_span<float>()[(d * net.batch + s) * n + i] = static_cast<float>(h[i]);
        net.y_c.mutable_span<float>()[(d * net.batch + s) * n + i] = static_cast<float>(c[i]);
      }
    }
  }
}

// The tensor with two axes exchanged.
Tensor swap_axes(const Tensor& x, std::vector<int64_t> perm) {
  return run_node(Device::cpu(), "Transpose", attributes({{"perm", std::move(perm)}}), {x}, 1)[0];
}

TEST(RnnTest, LstmAgreesWithItsEquations) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (const char* direction : {"forward", "reverse", "bidirectional"}) {
    for (int round = 0; round < 8; ++round) {
      LstmForm form;
      form.direction = direction;
      form.layout = round % 2;
      form.input_forget = round == 5;
      if (round == 6) form.clip = 0.3f;
      Lstm net{random.integer(1, 5),
               random.integer(1, 3),
               random.integer(1, 6),
               random.integer(1, 9),
               form.direction == "bidirectional" ? 2 : 1,
               {},
               {},
               {},
               {},
               {},
               {},
               {},
               {},
               {},
               {},
               {}};
      const int64_t d = net.directions, n = net.hidden;
      net.x = random.tensor({net.sequence, net.batch, net.input}, float32, -1, 1);
      net.w = random.tensor({d, 4 * n, net.input}, float32, -1, 1);
      net.r = random.tensor({d, 4 * n, n}, float32, -1, 1);
      if (round > 0) net.b = random.tensor({d, 8 * n}, float32, -1, 1);
      if (round > 1) {
        net.h0 = random.tensor({d, net.batch, n}, float32, -1, 1);
        net.c0 = random.tensor({d, net.batch, n}, float32, -1, 1);
      }
      if (round > 2) net.p = random.tensor({d, 3 * n}, float32, -1, 1);
      if (round > 3) {
        std::vector<int32_t> lengths;
        for (int64_t i = 0; i < net.batch; ++i) {
          lengths.push_back(static_cast<int32_t>(random.integer(0, net.sequence)));
        }
        net.lengths = Tensor::from(lengths);
      }
      run_reference(net, form);
      std::vector<Tensor> inputs{net.x, net.w, net.r, net.b, net.lengths, net.h0, net.c0, net.p};
      std::vector<Tensor> outputs{net.y, net.y_h, net.y_c};
      if (form.layout == 1) {
        inputs[0] = swap_axes(net.x, {1, 0, 2});
        for (int i : {5, 6}) {
          if (inputs[i].defined()) inputs[i] = swap_axes(inputs[i], {1, 0, 2});
        }
        outputs = {swap_axes(net.y, {2, 0, 1, 3}), swap_axes(net.y_h, {1, 0, 2}),
                   swap_axes(net.y_c, {1, 0, 2})};
      }
      cases.push_back({std::string(direction) + ", round " + std::to_string(round),
                       "LSTM",
                       lstm(form),
                       inputs,
                       outputs,
                       {1e-5, 1e-6}});
    }
  }
  check(cases);
}

TEST(RnnTest, LstmRefusals) {
  const Tensor x = Tensor::zeros({2, 1, 3});
  const Tensor w = Tensor::zeros({1, 8, 3});
  const Tensor r = Tensor::zeros({1, 8, 2});
  check({
      RefusalCase{"direction",
                  "LSTM",
                  lstm({.direction = "sideways"}),
                  {x, w, r},
                  1,
                  ErrorCode::invalid_model,
                  "direction"},
      RefusalCase{"hidden sizes",
                  "LSTM",
                  lstm({}),
                  {x, w, Tensor::zeros({1, 8, 3})},
                  1,
                  ErrorCode::invalid_model,
                  "4*hidden"},
      RefusalCase{"lengths",
                  "LSTM",
                  lstm({}),
                  {x, w, r, {}, Tensor::from<int32_t>({3})},
                  1,
                  ErrorCode::runtime,
                  "sequence_lens"},
  });
}

}  // namespace
}  // namespace ferry::test
