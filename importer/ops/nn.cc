#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/problems.h"

namespace ferry {
namespace {

constexpr std::string_view kAutoPad[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
constexpr std::string_view kActivations[] = {"none", "silu", "swish"};
constexpr std::string_view kUpdateRules[] = {"linear", "gated", "delta", "gated_delta"};
constexpr std::string_view kTfIdfModes[] = {"TF", "IDF", "TFIDF"};
constexpr AttrSpec kAttention[] = {
    flag("is_causal", false),
    maybe("kv_num_heads", AttrType::integer),
    maybe("q_num_heads", AttrType::integer),
    integer("qk_matmul_output_mode", 0),
    maybe("scale", AttrType::real),
    real("softcap", 0.0f),
    maybe("softmax_precision", AttrType::integer),
};
constexpr OldArity kAttentionArity[] = {{24, {3, 6}, {1, 4}}};
constexpr AttrSpec kAveragePool[] = {
    text("auto_pad", "NOTSET", kAutoPad),
    flag("ceil_mode", false).since(10),
    flag("count_include_pad", false).since(7),
    ints("dilations").at_least(1).since(19),
    required("kernel_shape", AttrType::ints).at_least(1),
    ints("pads"),
    ints("strides").at_least(1),
};
constexpr AttrSpec kBatchNormalization[] = {
    real("epsilon", 9.9999997e-06f),        real("momentum", 0.89999998f),
    flag("training_mode", false).since(14), flag("spatial", true).until(8),
    flag("is_test", false).until(6),
};
constexpr OldArity kBatchNormalizationArity[] = {{14, 5, {1, 5}}};
constexpr AttrSpec kCausalConvWithState[] = {
    text("activation", "none", kActivations),
};
constexpr AttrSpec kCol2Im[] = {
    ints("dilations").at_least(1),
    ints("pads"),
    ints("strides").at_least(1),
};
constexpr AttrSpec kConv[] = {
    text("auto_pad", "NOTSET", kAutoPad),
    ints("dilations").at_least(1),
    integer("group", 1).at_least(1),
    ints("kernel_shape").at_least(1),
    ints("pads"),
    ints("strides").at_least(1),
};
constexpr AttrSpec kConvTranspose[] = {
    text("auto_pad", "NOTSET", kAutoPad),
    ints("dilations").at_least(1),
    integer("group", 1).at_least(1),
    ints("kernel_shape").at_least(1),
    ints("output_padding"),
    ints("output_shape"),
    ints("pads"),
    ints("strides").at_least(1),
};
constexpr AttrSpec kDeformConv[] = {
    ints("dilations").at_least(1),
    integer("group", 1).at_least(1),
    ints("kernel_shape").at_least(1),
    integer("offset_group", 1).at_least(1),
    ints("pads"),
    ints("strides").at_least(1),
};
constexpr AttrSpec kDropout[] = {
    maybe("seed", AttrType::integer).since(12),
    real("ratio", 0.5f).until(11),
    flag("is_test", false).until(6),
};
constexpr OldArity kDropoutArity[] = {{12, 1, {1, 2}}};
constexpr AttrSpec kFlatten[] = {
    integer("axis", 1),
};
constexpr AttrSpec kGlobalLpPool[] = {
    integer("p", 2).since(2),
    real("p", 2.0f).until(1),
};
constexpr AttrSpec kGroupNormalization[] = {
    real("epsilon", 9.9999997e-06f),
    required("num_groups", AttrType::integer).at_least(1),
    dtype("stash_type", 1).since(21),
};
constexpr AttrSpec kInstanceNormalization[] = {
    real("epsilon", 9.9999997e-06f),
};
constexpr AttrSpec kLRN[] = {
    real("alpha", 9.9999997e-05f),
    real("beta", 0.75f),
    real("bias", 1.0f),
    required("size", AttrType::integer).at_least(1),
};
constexpr AttrSpec kLayerNormalization[] = {
    integer("axis", -1),
    real("epsilon", 9.9999997e-06f),
    dtype("stash_type", 1),
};
constexpr AttrSpec kLinearAttention[] = {
    integer("chunk_size", 64),
    required("kv_num_heads", AttrType::integer),
    required("q_num_heads", AttrType::integer),
    real("scale", 0.0f),
    text("update_rule", "gated_delta", kUpdateRules),
};
constexpr AttrSpec kLpNormalization[] = {
    integer("axis", -1),
    integer("p", 2),
};
constexpr AttrSpec kLpPool[] = {
    text("auto_pad", "NOTSET", kAutoPad),
    flag("ceil_mode", false).since(18),
    ints("dilations").at_least(1).since(18),
    required("kernel_shape", AttrType::ints).at_least(1).since(2),
    ints("kernel_shape").at_least(1).until(1),
    integer("p", 2).since(2),
    real("p", 2.0f).until(1),
    ints("pads"),
    ints("strides").at_least(1),
};
constexpr AttrSpec kMaxPool[] = {
    text("auto_pad", "NOTSET", kAutoPad),
    flag("ceil_mode", false).since(10),
    ints("dilations").at_least(1).since(10),
    required("kernel_shape", AttrType::ints).at_least(1),
    ints("pads"),
    flag("storage_order", false).since(8),
    ints("strides").at_least(1),
};
constexpr OldArity kMaxPoolArity[] = {{8, 1, 1}};
constexpr AttrSpec kMaxRoiPool[] = {
    required("pooled_shape", AttrType::ints),
    real("spatial_scale", 1.0f),
};
constexpr AttrSpec kMaxUnpool[] = {
    required("kernel_shape", AttrType::ints).at_least(1),
    ints("pads"),
    ints("strides").at_least(1),
};
constexpr int64_t kNormalizedAxes[] = {0, 2, 3};
constexpr AttrSpec kMeanVarianceNormalization[] = {
    {.name = "axes", .type = AttrType::ints, .absent = Absent::value, .ints = kNormalizedAxes},
};
constexpr AttrSpec kRotaryEmbedding[] = {
    flag("interleaved", false),
    maybe("num_heads", AttrType::integer),
    integer("rotary_embedding_dim", 0),
};
constexpr AttrSpec kShrink[] = {
    real("bias", 0.0f),
    real("lambd", 0.5f),
};
constexpr AttrSpec kTfIdfVectorizer[] = {
    required("max_gram_length", AttrType::integer),
    required("max_skip_count", AttrType::integer),
    required("min_gram_length", AttrType::integer),
    required("mode", AttrType::text).one_of(kTfIdfModes),
    required("ngram_counts", AttrType::ints),
    required("ngram_indexes", AttrType::ints),
    ints("pool_int64s"),
    list("pool_strings", AttrType::texts),
    list("weights", AttrType::reals),
};

// BatchNormalization below 14 says by an attribute or by its outputs whether it trains; below 9 it
// can have statistics for each position (spatial = 0), which is plain arithmetic.
void read_batch_normalization(NodeReader& reader) {
  if (reader.opset() >= 14) return;
  bool training = reader.opset() >= 7 ? reader.has_output(1) || reader.has_output(2)
                                      : reader.old().get_int("is_test") == 0;
  if (reader.has_output(3) || reader.has_output(4)) {
    fail(ProblemCode::unsupported, "the outputs saved_mean and saved_var are not supported");
  }
  if (reader.opset() < 9 && reader.old().get_int("spatial") == 0) {
    if (training) fail(ProblemCode::unsupported, "training with spatial = 0 is not supported");
    ValueId variance = reader.input(4);
    ValueId epsilon =
        reader.scalar_like(reader.attributes().get_float("epsilon"), variance, "epsilon");
    ValueId centered = reader.emit("Sub", {reader.input(0), reader.input(3)});
    ValueId deviation = reader.emit("Sqrt", {reader.emit("Add", {variance, epsilon})});
    ValueId scaled =
        reader.emit("Mul", {reader.emit("Div", {centered, deviation}), reader.input(1)});
    return reader.become("Add", {scaled, reader.input(2)});
  }
  reader.attributes().set("training_mode", int64_t{training});
}

// Dropout below 12 has its ratio as an attribute, and below 7 trains unless it is told to test. Its
// mask has the data's type below 10.
void read_dropout(NodeReader& reader) {
  if (reader.opset() >= 12) return;
  reader.set_input(1, reader.constant(Tensor::scalar(reader.old().get_float("ratio")), "ratio"));
  if (reader.opset() < 7 && reader.old().get_int("is_test") == 0) {
    reader.set_input(2, reader.constant(Tensor::full({}, 1, boolean), "training_mode"));
  }
  if (reader.opset() < 10 && reader.has_output(1)) reader.finish(1, "CastLike", {reader.input(0)});
}

// GroupNormalization below 21 has one scale and bias for each group, later for each channel: each
// value is repeated for the channels of its group.
void read_group_normalization(NodeReader& reader) {
  if (reader.opset() >= 21) return;
  ValueId groups = reader.int_list({reader.attributes().get_int("num_groups")}, "groups");
  Attributes channel_axis;
  channel_axis.set("start", int64_t{1});
  channel_axis.set("end", int64_t{2});
  ValueId channels = reader.emit("Shape", {reader.input(0)}, std::move(channel_axis));
  Attributes first_axis;
  first_axis.set("axis", int64_t{0});
  ValueId shape =
      reader.emit("Concat", {groups, reader.emit("Div", {channels, groups})}, first_axis);
  ValueId column = reader.int_list({1}, "column");
  ValueId flat = reader.int_list({-1}, "flat");
  for (int i : {1, 2}) {
    ValueId repeated =
        reader.emit("Expand", {reader.emit("Unsqueeze", {reader.input(i), column}), shape});
    reader.set_input(i, reader.emit("Reshape", {repeated, flat}));
  }
}

// Pooling by the p-norm: version 1 has p as a float.
void read_lp_pool(NodeReader& reader) {
  if (reader.opset() >= 2) return;
  float p = reader.attributes().get_float("p");
  if (!(p >= 1 && p <= 1000 && p == static_cast<float>(static_cast<int64_t>(p)))) {
    fail(ProblemCode::unsupported, "a norm whose p is not a whole number is not supported");
  }
  reader.attributes().set("p", static_cast<int64_t>(p));
}

void read_simplified_layer_normalization(NodeReader& reader) {
  if (reader.has_output(1)) {
    fail(ProblemCode::unsupported, "the second output, the inverse deviation, is not supported");
  }
  reader.become("RMSNormalization", {reader.input(0), reader.input(1)}, reader.attributes());
}

constexpr OpRow kRows[] = {
    // Attention(Q, K, V, attn_mask?, past_key?, past_value?, nonpad_kv_seqlen?) -> Y, present_key?,
    // present_value?, qk_matmul_output?
    {.op = "Attention",
     .since = {23, 24},
     .inputs = {3, 7},
     .outputs = {1, 4},
     .attributes = kAttention,
     .old_arity = kAttentionArity},
    // AveragePool(X) -> Y
    {.op = "AveragePool", .since = {1, 7, 10, 11, 19, 22}, .attributes = kAveragePool},
    // BatchNormalization(X, scale, B, input_mean, input_var) -> Y, running_mean?, running_var?
    {.op = "BatchNormalization",
     .since = {1, 6, 7, 9, 14, 15},
     .inputs = 5,
     .outputs = {1, 3},
     .attributes = kBatchNormalization,
     .read = read_batch_normalization,
     .old_arity = kBatchNormalizationArity},
    // CausalConvWithState(input, weight, bias?, past_state?) -> output, present_state
    {.op = "CausalConvWithState",
     .since = {27},
     .inputs = {2, 4},
     .outputs = 2,
     .attributes = kCausalConvWithState},
    // Col2Im(input, image_shape, block_shape) -> output
    {.op = "Col2Im", .since = {18}, .inputs = 3, .attributes = kCol2Im},
    // Conv(X, W, B?) -> Y
    {.op = "Conv", .since = {1, 11, 22}, .inputs = {2, 3}, .attributes = kConv},
    // ConvInteger(x, w, x_zero_point?, w_zero_point?) -> y
    {.op = "ConvInteger", .since = {10}, .inputs = {2, 4}, .attributes = kConv},
    // ConvTranspose(X, W, B?) -> Y
    {.op = "ConvTranspose", .since = {1, 11, 22}, .inputs = {2, 3}, .attributes = kConvTranspose},
    // DeformConv(X, W, offset, B?, mask?) -> Y
    {.op = "DeformConv", .since = {19, 22}, .inputs = {3, 5}, .attributes = kDeformConv},
    // Dropout(data, ratio?, training_mode?) -> output, mask?
    {.op = "Dropout",
     .since = {1, 6, 7, 10, 12, 13, 22},
     .inputs = {1, 3},
     .outputs = {1, 2},
     .attributes = kDropout,
     .read = read_dropout,
     .old_arity = kDropoutArity},
    // Flatten(input) -> output
    {.op = "Flatten", .since = {1, 9, 11, 13, 21, 23, 24, 25}, .attributes = kFlatten},
    // GlobalAveragePool(X) -> Y
    {.op = "GlobalAveragePool", .since = {1, 22}},
    // GlobalLpPool(X) -> Y
    {.op = "GlobalLpPool", .since = {1, 2, 22}, .attributes = kGlobalLpPool, .read = read_lp_pool},
    // GlobalMaxPool(X) -> Y
    {.op = "GlobalMaxPool", .since = {1, 22}},
    // GroupNormalization(X, scale, bias) -> Y
    {.op = "GroupNormalization",
     .since = {18, 21},
     .inputs = 3,
     .attributes = kGroupNormalization,
     .read = read_group_normalization},
    // InstanceNormalization(input, scale, B) -> output
    {.op = "InstanceNormalization",
     .since = {1, 6, 22},
     .inputs = 3,
     .attributes = kInstanceNormalization},
    // LRN(X) -> Y
    {.op = "LRN", .since = {1, 13}, .attributes = kLRN},
    // LayerNormalization: optimizers write it into models of older opsets too.
    // LayerNormalization(X, Scale, B?) -> Y, Mean?, InvStdDev?
    {.op = "LayerNormalization",
     .since = {17},
     .inputs = {2, 3},
     .outputs = {1, 3},
     .attributes = kLayerNormalization,
     .first = 1},
    // SimplifiedLayerNormalization(X, scale) -> Y, InvStdDev?  not of ONNX; becomes
    // RMSNormalization
    {.op = "SimplifiedLayerNormalization",
     .since = {1},
     .inputs = 2,
     .outputs = {1, 2},
     .attributes = kLayerNormalization,
     .read = read_simplified_layer_normalization},
    // LinearAttention(query, key, value, past_state?, decay?, beta?) -> output, present_state
    {.op = "LinearAttention",
     .since = {27},
     .inputs = {3, 6},
     .outputs = 2,
     .attributes = kLinearAttention},
    // LpNormalization(input) -> output
    {.op = "LpNormalization", .since = {1, 22}, .attributes = kLpNormalization},
    // LpPool(X) -> Y
    {.op = "LpPool", .since = {1, 2, 11, 18, 22}, .attributes = kLpPool, .read = read_lp_pool},
    // MaxPool(X) -> Y, Indices?
    {.op = "MaxPool",
     .since = {1, 8, 10, 11, 12, 22},
     .outputs = {1, 2},
     .attributes = kMaxPool,
     .old_arity = kMaxPoolArity},
    // MaxRoiPool(X, rois) -> Y
    {.op = "MaxRoiPool", .since = {1, 22}, .inputs = 2, .attributes = kMaxRoiPool},
    // MaxUnpool(X, I, output_shape?) -> output
    {.op = "MaxUnpool", .since = {9, 11, 22}, .inputs = {2, 3}, .attributes = kMaxUnpool},
    // MeanVarianceNormalization(X) -> Y
    {.op = "MeanVarianceNormalization", .since = {9, 13}, .attributes = kMeanVarianceNormalization},
    // QLinearConv(x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B?) ->
    // y
    {.op = "QLinearConv", .since = {10}, .inputs = {8, 9}, .attributes = kConv},
    // RMSNormalization(X, scale) -> Y
    {.op = "RMSNormalization", .since = {23}, .inputs = 2, .attributes = kLayerNormalization},
    // RotaryEmbedding(X, cos_cache, sin_cache, position_ids?) -> Y
    {.op = "RotaryEmbedding", .since = {23}, .inputs = {3, 4}, .attributes = kRotaryEmbedding},
    // Shrink(input) -> output
    {.op = "Shrink", .since = {9}, .attributes = kShrink},
    // TfIdfVectorizer(X) -> Y
    {.op = "TfIdfVectorizer", .since = {9}, .attributes = kTfIdfVectorizer},
};

}  // namespace

std::span<const OpRow> nn_rows() { return kRows; }

}  // namespace ferry
