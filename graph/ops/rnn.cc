// Recurrent layers.
#include "graph/ops/rules.h"

namespace ferry {
namespace {

// LSTM (opset 22): X [seq, batch, input], W [dirs, 4*hidden, input], R [dirs, 4*hidden, hidden],
// B? [dirs, 8*hidden], sequence_lens? [batch], initial_h? and initial_c? [dirs, batch, hidden],
// P? [dirs, 3*hidden] -> Y? [seq, dirs, batch, hidden], Y_h?, Y_c? [dirs, batch, hidden];
// hidden_size (0: R says), direction, layout, input_forget, clip, activations, activation_alpha,
// activation_beta. With layout 1 the batch comes first in X, Y and the states.
void infer_lstm(InferContext& context) {
  expect_arity(context, 3, 8, 3);
  const DType dtype = expect_same_dtype(context, {0, 1, 2, 3, 5, 6, 7}, kFloatTypes);
  if (context.has_input(4)) expect_dtype(context, 4, TypeSet{int32});
  constexpr int64_t kRanks[] = {3, 3, 3, 2, 1, 3, 3, 2};
  for (int i = 0; i < context.input_count(); ++i) {
    if (context.has_input(i)) expect_rank(context, i, kRanks[i]);
  }
  const std::string& direction = context.attributes().get_string("direction");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    context.fail("the attribute 'direction' is \"" + direction +
                 "\", expected \"forward\", \"reverse\" or \"bidirectional\"");
  }
  const Dim directions = direction == "bidirectional" ? 2 : 1;
  const bool batch_first = context.attributes().get_int("layout") != 0;
  Dim sequence, batch, input, hidden;
  if (const auto& x = context.shape(0)) {
    sequence = (*x)[batch_first ? 1 : 0];
    batch = (*x)[batch_first ? 0 : 1];
    input = (*x)[2];
  }
  if (const int64_t size = int_attribute(context, "hidden_size", 0); size != 0) hidden = size;
  if (const auto& r = context.shape(2)) {
    hidden = expect_equal(context, hidden, (*r)[2], "hidden_size and the last axis of input 2");
  }
  expect_shape(context, 1, {directions, hidden * 4, input}, "W [directions, 4*hidden, input]");
  expect_shape(context, 2, {directions, hidden * 4, hidden}, "R [directions, 4*hidden, hidden]");
  expect_shape(context, 3, {directions, hidden * 8}, "B [directions, 8*hidden]");
  expect_shape(context, 4, {batch}, "sequence_lens [batch]");
  expect_shape(context, 7, {directions, hidden * 3}, "P [directions, 3*hidden]");
  const Dims state =
      batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  for (int i : {5, 6}) {
    expect_shape(context, i, state,
                 batch_first ? "the state [batch, directions, hidden]"
                             : "the state [directions, batch, hidden]");
  }
  context.set_output(0, dtype,
                     batch_first ? Dims{batch, sequence, directions, hidden}
                                 : Dims{sequence, directions, batch, hidden});
  context.set_output(1, dtype, state);
  context.set_output(2, dtype, state);
}

constexpr OpRule kRules[] = {
    {"LSTM", infer_lstm, recurrent_flops},
};

}  // namespace

std::span<const OpRule> rnn_rules() { return kRules; }

}  // namespace ferry
