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
  if (const int64_t size = context.attributes().get_int("hidden_size"); size != 0) hidden = size;
  if (const auto& r = context.shape(2)) {
    hidden = expect_equal(context, hidden, (*r)[2], "hidden_size and the last axis of input 2");
    expect_equal(context, directions, (*r)[0], "the directions and the first axis of input 2");
    expect_equal(context, hidden * 4, (*r)[1], "4 * hidden_size and the second axis of input 2");
  }
  if (const auto& w = context.shape(1)) {
    expect_equal(context, directions, (*w)[0], "the directions and the first axis of input 1");
    expect_equal(context, hidden * 4, (*w)[1], "4 * hidden_size and the second axis of input 1");
    expect_equal(context, input, (*w)[2], "the last axes of inputs 0 and 1");
  }
  if (context.has_input(3) && context.shape(3)) {
    expect_equal(context, hidden * 8, (*context.shape(3))[1],
                 "8 * hidden_size and the last axis of input 3");
  }
  if (context.has_input(4) && context.shape(4)) {
    expect_equal(context, batch, (*context.shape(4))[0], "the batch and the size of input 4");
  }
  if (context.has_input(7) && context.shape(7)) {
    expect_equal(context, hidden * 3, (*context.shape(7))[1],
                 "3 * hidden_size and the last axis of input 7");
  }
  const Dims state =
      batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  for (int i : {5, 6}) {
    if (!context.has_input(i) || !context.shape(i)) continue;
    for (int axis = 0; axis < 3; ++axis) {
      expect_equal(context, state[axis], (*context.shape(i))[axis],
                   "the sizes of the state and of " + input_name(i));
    }
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
