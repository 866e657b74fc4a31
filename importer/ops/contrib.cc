#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/problems.h"

// Operators of com.microsoft, which optimizers write into models, in terms of ONNX's own. They are
// compositions, so they have no form in the IR.
namespace ferry {
namespace {

Attributes axis(int64_t value) {
  Attributes attributes;
  attributes.set("axis", value);
  return attributes;
}

// BiasGelu and FastGelu: a bias, then Gelu.
void read_bias_gelu(NodeReader& reader) {
  bool fast = reader.node().op == "com.microsoft.FastGelu";
  ValueId data = reader.input(0);
  if (reader.has_input(1)) data = reader.emit("Add", {data, reader.input(1)});
  Attributes gelu;
  gelu.set("approximate", std::string(fast ? "tanh" : "none"));
  reader.become("Gelu", {data}, std::move(gelu));
}

// QuickGelu(x) = x * sigmoid(alpha * x)
void read_quick_gelu(NodeReader& reader) {
  ValueId data = reader.input(0), scaled = data;
  float alpha = reader.attributes().get_float("alpha");
  if (alpha != 1) scaled = reader.emit("Mul", {data, reader.scalar_like(alpha, data, "alpha")});
  reader.become("Mul", {data, reader.emit("Sigmoid", {scaled})});
}

// The activation behind a fused operator; `parameters` in the order of its attributes (or limits).
void finish_activation(NodeReader& reader, const std::string& name,
                       const std::vector<float>& parameters) {
  auto parameter = [&](size_t i, float otherwise) {
    return i < parameters.size() ? parameters[i] : otherwise;
  };
  Attributes attributes;
  std::vector<ValueId> limits;
  if (name == "LeakyRelu") {
    attributes.set("alpha", parameter(0, 0.01f));
  } else if (name == "HardSigmoid") {
    attributes.set("alpha", parameter(0, 0.2f));
    attributes.set("beta", parameter(1, 0.5f));
  } else if (name == "Clip") {
    if (parameters.size() != 2) {
      fail(ProblemCode::attribute, "the activation Clip needs two limits");
    }
    limits = {reader.scalar_like(parameters[0], reader.input(0), "min"),
              reader.scalar_like(parameters[1], reader.input(0), "max")};
  } else if (name != "Relu" && name != "Tanh" && name != "Sigmoid") {
    fail(ProblemCode::unsupported, fmt::format("the activation '{}' is not supported", name));
  }
  reader.finish(0, name, std::move(limits), std::move(attributes));
}

// FusedConv: Conv, then the sum with Z, then an activation.
void read_fused_conv(NodeReader& reader) {
  if (const auto* activation = reader.attributes().find<std::string>("activation")) {
    finish_activation(reader, *activation,
                      reader.attributes().get<std::vector<float>>("activation_params"));
  }
  if (reader.has_input(3)) reader.finish(0, "Add", {reader.input(3)});
  std::vector<ValueId> inputs = reader.node().inputs;
  inputs.resize(std::min<size_t>(inputs.size(), 3));
  reader.become("Conv", std::move(inputs), reader.kept("Conv"));
}

void read_fused_gemm(NodeReader& reader) {
  std::vector<float> parameters;
  for (const char* name : {"activation_alpha", "activation_beta"}) {
    if (const float* value = reader.attributes().find<float>(name)) parameters.push_back(*value);
  }
  if (const auto* activation = reader.attributes().find<std::string>("activation")) {
    finish_activation(reader, *activation, parameters);
  }
  reader.become("Gemm", reader.node().inputs, reader.kept("Gemm"));
}

// The last two axes swapped.
ValueId transposed(NodeReader& reader, int i) {
  Attributes attributes;
  std::optional<int64_t> rank = reader.rank(i);
  if (!rank) {
    attributes.set("equation", std::string("...ij->...ji"));
    return reader.emit("Einsum", {reader.input(i)}, std::move(attributes));
  }
  if (*rank < 2) fail(ProblemCode::shape, "a vector cannot be transposed");
  std::vector<int64_t> perm;
  for (int64_t at = 0; at < *rank; ++at) perm.push_back(at);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  attributes.set("perm", std::move(perm));
  return reader.emit("Transpose", {reader.input(i)}, std::move(attributes));
}

// FusedMatMul: alpha * A' B'.
void read_fused_matmul(NodeReader& reader) {
  const Attributes& attributes = reader.attributes();
  if (attributes.get_int("transBatchA") != 0 || attributes.get_int("transBatchB") != 0) {
    fail(ProblemCode::unsupported, "transBatchA and transBatchB are not supported");
  }
  ValueId a = attributes.get_int("transA") != 0 ? transposed(reader, 0) : reader.input(0);
  ValueId b = attributes.get_int("transB") != 0 ? transposed(reader, 1) : reader.input(1);
  float alpha = attributes.get_float("alpha");
  if (alpha != 1) reader.finish(0, "Mul", {reader.scalar_like(alpha, reader.input(0), "alpha")});
  reader.become("MatMul", {a, b});
}

Attributes norm_attributes(NodeReader& reader) {
  Attributes attributes = axis(-1);
  attributes.set("epsilon", reader.attributes().get_float("epsilon"));
  return attributes;
}

// SkipLayerNormalization(input, skip, gamma, beta, bias) and its simplified form without beta: the
// sum, which is output 3 too, then the norm.
void read_skip_layer_normalization(NodeReader& reader) {
  bool simplified = reader.node().op == "com.microsoft.SkipSimplifiedLayerNormalization";
  int bias = simplified ? 3 : 4;
  ValueId sum = reader.emit("Add", {reader.input(0), reader.input(1)});
  if (reader.has_input(bias)) sum = reader.emit("Add", {sum, reader.input(bias)});
  if (reader.has_output(3)) reader.forward_output(3, sum);
  Attributes norm = norm_attributes(reader);
  if (simplified) {
    if (reader.has_output(1) || reader.has_output(2)) {
      fail(ProblemCode::unsupported, "the outputs mean and inv_std_var are not supported");
    }
    return reader.become("RMSNormalization", {sum, reader.input(2)}, std::move(norm));
  }
  ValueId beta = reader.has_input(3) ? reader.input(3) : kNoValue;
  reader.become("LayerNormalization", {sum, reader.input(2), beta}, std::move(norm));
}

// EmbedLayerNormalization(input_ids, segment_ids, word_embedding, position_embedding,
// segment_embedding, gamma, beta, mask, position_ids): the sum of the embeddings, then the norm.
// Output 1 is the length of each row of the mask.
void read_embed_layer_normalization(NodeReader& reader) {
  ValueId ids = reader.input(0);
  ValueId sum = reader.emit("Gather", {reader.input(2), ids});
  ValueId positions;
  if (reader.has_input(8)) {
    positions = reader.emit("Gather", {reader.input(3), reader.input(8)});
  } else {
    Attributes second;
    second.set("start", int64_t{1});
    second.set("end", int64_t{2});
    ValueId length = reader.emit("Shape", {ids}, std::move(second));
    ValueId zero = reader.int_list({0}, "zero");
    positions = reader.emit("Slice", {reader.input(3), zero, length, zero});
  }
  sum = reader.emit("Add", {sum, positions});
  if (reader.has_input(1) && reader.has_input(4)) {
    sum = reader.emit("Add", {sum, reader.emit("Gather", {reader.input(4), reader.input(1)})});
  }
  if (reader.has_output(1)) {
    if (!reader.has_input(7)) fail(ProblemCode::unsupported, "mask_index without a mask");
    Attributes rows;
    rows.set("keepdims", int64_t{0});
    ValueId last = reader.int_list({1}, "axis");
    Type lengths;
    lengths.dtype = int32;
    lengths.shape = Dims(1);
    reader.set_output_type(1, lengths);
    reader.forward_output(1, reader.emit("ReduceSum", {reader.input(7), last}, std::move(rows)));
  }
  if (reader.has_output(2)) reader.forward_output(2, sum);
  reader.become("LayerNormalization", {sum, reader.input(5), reader.input(6)},
                norm_attributes(reader));
}

// What is added to the scores of attention [batch, heads, rows, columns]: 0, or `filter` where the
// mask hides a column. The mask is the length of each row of the batch, or a row of 0 and 1 for
// each.
ValueId mask_scores(NodeReader& reader, ValueId scores) {
  std::optional<int64_t> rank = reader.rank(3);
  Attributes to_int;
  to_int.set("to", static_cast<int64_t>(int64));
  ValueId mask = reader.emit("Cast", {reader.input(3)}, std::move(to_int));
  ValueId visible;
  ValueId middle = reader.int_list({1, 2}, "middle");
  if (rank == 1) {
    Attributes second;
    second.set("start", int64_t{1});
    second.set("end", int64_t{2});
    ValueId columns = reader.emit("Squeeze", {reader.emit("Shape", {reader.input(0)}, second)});
    ValueId places = reader.emit(
        "Range", {reader.int_scalar(0, "first"), columns, reader.int_scalar(1, "step")});
    ValueId ends = reader.emit("Unsqueeze", {mask, reader.int_list({1, 2, 3}, "rows")});
    visible = reader.emit("Less", {places, ends});
  } else if (rank == 2) {
    Attributes to_bool;
    to_bool.set("to", static_cast<int64_t>(boolean));
    ValueId shaped = reader.emit("Unsqueeze", {mask, middle});
    visible = reader.emit("Cast", {shaped}, std::move(to_bool));
  } else {
    fail(ProblemCode::unsupported, "only masks of known rank 1 or 2 are supported");
  }
  ValueId filter = reader.scalar_like(reader.attributes().get_float("mask_filter_value"),
                                      reader.input(0), "filter");
  ValueId zero = reader.scalar_like(0, reader.input(0), "zero");
  return reader.emit("Add", {scores, reader.emit("Where", {visible, zero, filter})});
}

// Attention(input, weights, bias, mask): one product gives query, key and value, side by side.
void read_attention(NodeReader& reader) {
  for (int i : {4, 5, 6}) {
    if (reader.has_input(i)) fail(ProblemCode::unsupported, "a past or a bias is not supported");
  }
  if (reader.has_output(1)) fail(ProblemCode::unsupported, "the output present is not supported");
  const Attributes& attributes = reader.attributes();
  if (attributes.get_int("unidirectional") != 0 || attributes.get_int("do_rotary") != 0 ||
      !attributes.get_ints("qkv_hidden_sizes").empty()) {
    fail(ProblemCode::unsupported,
         "unidirectional, do_rotary and qkv_hidden_sizes are not supported");
  }
  const std::optional<Dims>& shape = reader.value(1).type.shape;
  int64_t heads = attributes.get_int("num_heads");
  if (!shape || shape->size() != 2 || !(*shape)[1].is_known() ||
      (*shape)[1].value() % (3 * heads) != 0 || (*shape)[1].value() == 0) {
    fail(ProblemCode::unsupported, "the weights must have a known width, three for each head");
  }
  int64_t size = (*shape)[1].value() / 3 / heads;
  ValueId packed = reader.emit("MatMul", {reader.input(0), reader.input(1)});
  if (reader.has_input(2)) packed = reader.emit("Add", {packed, reader.input(2)});
  Attributes three = axis(-1);
  three.set("num_outputs", int64_t{3});
  std::vector<ValueId> parts = reader.emit_many("Split", {packed}, 3, std::move(three));
  ValueId by_head = reader.int_list({0, 0, heads, size}, "by_head");
  for (size_t i = 0; i < 3; ++i) {
    Attributes order;
    order.set("perm", i == 1 ? std::vector<int64_t>{0, 2, 3, 1} : std::vector<int64_t>{0, 2, 1, 3});
    parts[i] = reader.emit("Transpose", {reader.emit("Reshape", {parts[i], by_head})}, order);
  }
  float scale = attributes.get_float("scale");
  if (scale == 0) scale = 1 / std::sqrt(static_cast<float>(size));
  ValueId scores = reader.emit("MatMul", {parts[0], parts[1]});
  scores = reader.emit("Mul", {scores, reader.scalar_like(scale, reader.input(0), "scale")});
  if (reader.has_input(3)) scores = mask_scores(reader, scores);
  ValueId mixed = reader.emit("MatMul", {reader.emit("Softmax", {scores}), parts[2]});
  Attributes back;
  back.set("perm", std::vector<int64_t>{0, 2, 1, 3});
  mixed = reader.emit("Transpose", {mixed}, std::move(back));
  reader.become("Reshape", {mixed, reader.int_list({0, 0, heads * size}, "joined")});
}

constexpr std::string_view kAutoPad[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
constexpr AttrSpec kAttention[] = {
    flag("do_rotary", false),
    real("mask_filter_value", -10000.0f),
    required("num_heads", AttrType::integer).within(1, 1 << 20),
    integer("past_present_share_buffer", 0),
    ints("qkv_hidden_sizes"),
    integer("rotary_embedding_dim", 0),
    real("scale", 0.0f),
    flag("unidirectional", false),
};
constexpr AttrSpec kEmbedLayerNormalization[] = {
    real("epsilon", 1e-12f),
    integer("mask_index_type", 0),
};
constexpr AttrSpec kFusedConv[] = {
    maybe("activation", AttrType::text),
    list("activation_params", AttrType::reals),
    text("auto_pad", "NOTSET", kAutoPad),
    ints("dilations").at_least(1),
    integer("group", 1).at_least(1),
    ints("kernel_shape").at_least(1),
    ints("pads"),
    ints("strides").at_least(1),
};
constexpr AttrSpec kFusedGemm[] = {
    maybe("activation", AttrType::text),
    maybe("activation_alpha", AttrType::real),
    maybe("activation_beta", AttrType::real),
    maybe("activation_gamma", AttrType::real),
    real("alpha", 1.0f),
    real("beta", 1.0f),
    flag("transA", false),
    flag("transB", false),
};
constexpr AttrSpec kFusedMatMul[] = {
    real("alpha", 1.0f),        flag("transA", false),      flag("transB", false),
    flag("transBatchA", false), flag("transBatchB", false),
};
constexpr AttrSpec kQuickGelu[] = {
    real("alpha", 1.702f),
};
constexpr AttrSpec kSkipNormalization[] = {
    real("epsilon", 1e-12f),
};
constexpr AttrSpec kSkipSimplifiedNormalization[] = {
    real("epsilon", 1e-5f),
};

constexpr OpRow kRows[] = {
    // Attention(input, weights, bias?, mask_index?, past?, attention_bias?, past_length?)
    //     -> output, present?
    {.op = "Attention",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = {2, 7},
     .outputs = {1, 2},
     .attributes = kAttention,
     .read = read_attention},
    // BiasGelu(A, B) -> C
    {.op = "BiasGelu",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = 2,
     .read = read_bias_gelu},
    // EmbedLayerNormalization(input_ids, segment_ids?, word_embedding, position_embedding,
    //     segment_embedding?, gamma, beta, mask?, position_ids?) -> output, mask_index?, sum?
    {.op = "EmbedLayerNormalization",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = {7, 9},
     .outputs = {1, 3},
     .attributes = kEmbedLayerNormalization,
     .read = read_embed_layer_normalization,
     .gaps = 1},
    // FastGelu(X, bias?) -> Y
    {.op = "FastGelu",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = {1, 2},
     .read = read_bias_gelu},
    // FusedConv(X, W, B?, Z?) -> Y
    {.op = "FusedConv",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = {2, 4},
     .attributes = kFusedConv,
     .read = read_fused_conv},
    // FusedGemm(A, B, C?) -> Y
    {.op = "FusedGemm",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = {2, 3},
     .attributes = kFusedGemm,
     .read = read_fused_gemm},
    // FusedMatMul(A, B) -> Y
    {.op = "FusedMatMul",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = 2,
     .attributes = kFusedMatMul,
     .read = read_fused_matmul},
    // Gelu(X) -> Y
    {.op = "Gelu", .domain = "com.microsoft", .since = {1}, .read = read_bias_gelu},
    // QuickGelu(X) -> Y
    {.op = "QuickGelu",
     .domain = "com.microsoft",
     .since = {1},
     .attributes = kQuickGelu,
     .read = read_quick_gelu},
    // SkipLayerNormalization(input, skip, gamma, beta?, bias?) -> output, mean?, inv_std_var?, sum?
    {.op = "SkipLayerNormalization",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = {3, 5},
     .outputs = {1, 4},
     .attributes = kSkipNormalization,
     .read = read_skip_layer_normalization},
    // SkipSimplifiedLayerNormalization(input, skip, gamma, bias?) -> output, mean?, inv_std_var?,
    // sum?
    {.op = "SkipSimplifiedLayerNormalization",
     .domain = "com.microsoft",
     .since = {1},
     .inputs = {3, 4},
     .outputs = {1, 4},
     .attributes = kSkipSimplifiedNormalization,
     .read = read_skip_layer_normalization},
};

}  // namespace

std::span<const OpRow> contrib_rows() { return kRows; }

}  // namespace ferry
