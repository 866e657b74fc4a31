#include <limits>
#include <optional>

#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/ops/upgrades.h"

namespace ferry {
namespace {

constexpr std::string_view kGeluModes[] = {"none", "tanh"};
constexpr std::string_view kLossReductions[] = {"none", "mean", "sum"};
constexpr AttrSpec kBroadcast[] = {
    maybe("axis", AttrType::integer).until(6),
    flag("broadcast", false).until(6),
};
constexpr AttrSpec kWindow[] = {
    dtype("output_datatype", 1),
    flag("periodic", true),
};
constexpr AttrSpec kAlphaOne[] = {
    real("alpha", 1.0f),
};
// ONNX writes the lowest and the largest float; a limit that is left out is the same.
constexpr float kLowest = std::numeric_limits<float>::lowest();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr AttrSpec kClip[] = {
    real("max", kLargest).since(6).until(10),
    maybe("max", AttrType::real).until(5),
    real("min", kLowest).since(6).until(10),
    maybe("min", AttrType::real).until(5),
};
constexpr OldArity kClipArity[] = {{11, 1, 1}};
constexpr AttrSpec kCumulative[] = {
    flag("exclusive", false),
    flag("reverse", false),
};
constexpr AttrSpec kDFT[] = {
    flag("inverse", false),
    flag("onesided", false),
    integer("axis", 1).until(19),
};
constexpr OldArity kDFTArity[] = {{20, {1, 2}, 1}};
constexpr AttrSpec kEinsum[] = {
    required("equation", AttrType::text),
};
constexpr AttrSpec kGelu[] = {
    text("approximate", "none", kGeluModes),
};
constexpr AttrSpec kGemm[] = {
    real("alpha", 1.0f),
    real("beta", 1.0f),
    flag("transA", false),
    flag("transB", false),
    flag("broadcast", false).until(6),
};
constexpr OldArity kGemmArity[] = {{11, 3, 1}};
constexpr AttrSpec kHardSigmoid[] = {
    real("alpha", 0.2f),
    real("beta", 0.5f),
};
constexpr AttrSpec kCoerced[] = {
    integer("axis", -1).since(13),
    integer("axis", 1).until(12),
};
constexpr AttrSpec kLeakyRelu[] = {
    real("alpha", 0.0099999998f),
};
constexpr AttrSpec kMelWeightMatrix[] = {
    dtype("output_datatype", 1),
};
constexpr AttrSpec kMod[] = {
    flag("fmod", false),
};
constexpr AttrSpec kLoss[] = {
    maybe("ignore_index", AttrType::integer),
    text("reduction", "mean", kLossReductions),
};
constexpr AttrSpec kSTFT[] = {
    flag("onesided", true),
};
constexpr AttrSpec kSelu[] = {
    real("alpha", 1.6732632f).since(6),
    real("alpha", 1.6732f).until(5),
    real("gamma", 1.050701f).since(6),
    real("gamma", 1.0506999f).until(5),
};
constexpr AttrSpec kTopK[] = {
    integer("axis", -1),
    flag("largest", true).since(11),
    flag("sorted", true).since(11),
    required("k", AttrType::integer).until(9),
};
constexpr OldArity kTopKArity[] = {{10, 1, 2}};

// Clip below 11 has its limits as attributes. They become inputs; those that limit nothing do not.
void read_clip(NodeReader& reader) {
  if (reader.opset() >= 11) return;
  ValueId data = reader.input(0);
  const float* min = reader.old().find<float>("min");
  const float* max = reader.old().find<float>("max");
  if (min != nullptr && *min != kLowest) reader.set_input(1, reader.scalar_like(*min, data, "min"));
  if (max != nullptr && *max != kLargest)
    reader.set_input(2, reader.scalar_like(*max, data, "max"));
}

// Softmax, LogSoftmax and Hardmax below 13 work on a matrix: the axes before `axis` together, and
// those from it on together.
void read_coerced(NodeReader& reader) {
  if (reader.opset() >= 13) return;
  int64_t axis = reader.attributes().get_int("axis");
  std::optional<int64_t> rank = reader.rank(0);
  reader.attributes().set("axis", int64_t{-1});
  if (axis == -1 || (rank && axis == *rank - 1)) return;
  ValueId data = reader.input(0);
  ValueId shape = reader.emit("Shape", {data});
  Attributes flatten;
  flatten.set("axis", axis);
  reader.set_input(0, reader.emit("Flatten", {data}, std::move(flatten)));
  Attributes reshape;
  reshape.set("allowzero", int64_t{1});
  reader.finish(0, "Reshape", {shape}, std::move(reshape));
}

// TopK below 10 has k as an attribute.
void read_top_k(NodeReader& reader) {
  if (reader.opset() < 10) reader.set_input(1, reader.int_list({reader.old().get_int("k")}, "k"));
}

// DFT below 20 has its axis as an attribute.
void read_dft(NodeReader& reader) {
  if (reader.opset() < 20) {
    reader.set_input(2, reader.int_scalar(reader.old().get_int("axis"), "axis"));
  }
}

// PRelu below 7 has one slope for all, or one for each channel (axis 1).
void read_prelu(NodeReader& reader) {
  if (reader.opset() >= 7) return;
  const std::optional<Dims>& slope = reader.value(1).type.shape;
  bool shared = slope && slope->size() == 1 && (*slope)[0] == Dim(1);
  if (!shared) align_axis(reader, 1);
}

constexpr OpRow kRows[] = {
    // Abs(X) -> Y
    {.op = "Abs", .since = {1, 6, 13}},
    // Acos(input) -> output
    {.op = "Acos", .since = {7, 22}},
    // Acosh(input) -> output
    {.op = "Acosh", .since = {9, 22}},
    // Add(A, B) -> C
    {.op = "Add",
     .since = {1, 6, 7, 13, 14},
     .inputs = 2,
     .attributes = kBroadcast,
     .read = read_broadcast},
    // Asin(input) -> output
    {.op = "Asin", .since = {7, 22}},
    // Asinh(input) -> output
    {.op = "Asinh", .since = {9, 22}},
    // Atan(input) -> output
    {.op = "Atan", .since = {7, 22}},
    // Atanh(input) -> output
    {.op = "Atanh", .since = {9, 22}},
    // BlackmanWindow(size) -> output
    {.op = "BlackmanWindow", .since = {17}, .attributes = kWindow},
    // Ceil(X) -> Y
    {.op = "Ceil", .since = {1, 6, 13}},
    // Celu(X) -> Y
    {.op = "Celu", .since = {12}, .attributes = kAlphaOne},
    // Clip(input, min?, max?) -> output
    {.op = "Clip",
     .since = {1, 6, 11, 12, 13},
     .inputs = {1, 3},
     .attributes = kClip,
     .read = read_clip,
     .old_arity = kClipArity},
    // Cos(input) -> output
    {.op = "Cos", .since = {7, 22}},
    // Cosh(input) -> output
    {.op = "Cosh", .since = {9, 22}},
    // CumProd(x, axis) -> y
    {.op = "CumProd", .since = {26}, .inputs = 2, .attributes = kCumulative},
    // CumSum(x, axis) -> y
    {.op = "CumSum", .since = {11, 14}, .inputs = 2, .attributes = kCumulative},
    // DFT(input, dft_length?, axis?) -> output
    {.op = "DFT",
     .since = {17, 20},
     .inputs = {1, 3},
     .attributes = kDFT,
     .read = read_dft,
     .old_arity = kDFTArity},
    // Det(X) -> Y
    {.op = "Det", .since = {11, 22}},
    // Div(A, B) -> C
    {.op = "Div",
     .since = {1, 6, 7, 13, 14},
     .inputs = 2,
     .attributes = kBroadcast,
     .read = read_broadcast},
    // Einsum(Inputs...) -> Output
    {.op = "Einsum", .since = {12}, .inputs = {1, kMany}, .attributes = kEinsum},
    // Elu(X) -> Y
    {.op = "Elu", .since = {1, 6, 22}, .attributes = kAlphaOne},
    // Erf(input) -> output
    {.op = "Erf", .since = {9, 13}},
    // Exp(input) -> output
    {.op = "Exp", .since = {1, 6, 13}},
    // Expand(input, shape) -> output
    {.op = "Expand", .since = {8, 13}, .inputs = 2},
    // Floor(X) -> Y
    {.op = "Floor", .since = {1, 6, 13}},
    // Gelu(X) -> Y
    {.op = "Gelu", .since = {20}, .attributes = kGelu},
    // Gemm(A, B, C?) -> Y
    {.op = "Gemm",
     .since = {1, 6, 7, 9, 11, 13},
     .inputs = {2, 3},
     .attributes = kGemm,
     .old_arity = kGemmArity},
    // HammingWindow(size) -> output
    {.op = "HammingWindow", .since = {17}, .attributes = kWindow},
    // HannWindow(size) -> output
    {.op = "HannWindow", .since = {17}, .attributes = kWindow},
    // HardSigmoid(X) -> Y
    {.op = "HardSigmoid", .since = {1, 6, 22}, .attributes = kHardSigmoid},
    // HardSwish(X) -> Y
    {.op = "HardSwish", .since = {14, 22}},
    // Hardmax(input) -> output
    {.op = "Hardmax", .since = {1, 11, 13}, .attributes = kCoerced, .read = read_coerced},
    // LeakyRelu(X) -> Y
    {.op = "LeakyRelu", .since = {1, 6, 16}, .attributes = kLeakyRelu},
    // Log(input) -> output
    {.op = "Log", .since = {1, 6, 13}},
    // LogSoftmax(input) -> output
    {.op = "LogSoftmax", .since = {1, 11, 13}, .attributes = kCoerced, .read = read_coerced},
    // MatMul(A, B) -> Y
    {.op = "MatMul", .since = {1, 9, 13}, .inputs = 2},
    // MatMulInteger(A, B, a_zero_point?, b_zero_point?) -> Y
    {.op = "MatMulInteger", .since = {10}, .inputs = {2, 4}},
    // Max(data_0...) -> max
    {.op = "Max", .since = {1, 6, 8, 12, 13}, .inputs = {1, kMany}},
    // Mean(data_0...) -> mean
    {.op = "Mean", .since = {1, 6, 8, 13}, .inputs = {1, kMany}},
    // MelWeightMatrix(num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz) ->
    // output
    {.op = "MelWeightMatrix", .since = {17}, .inputs = 5, .attributes = kMelWeightMatrix},
    // Min(data_0...) -> min
    {.op = "Min", .since = {1, 6, 8, 12, 13}, .inputs = {1, kMany}},
    // Mish(X) -> Y
    {.op = "Mish", .since = {18, 22}},
    // Mod(A, B) -> C
    {.op = "Mod", .since = {10, 13}, .inputs = 2, .attributes = kMod},
    // Mul(A, B) -> C
    {.op = "Mul",
     .since = {1, 6, 7, 13, 14},
     .inputs = 2,
     .attributes = kBroadcast,
     .read = read_broadcast},
    // Neg(X) -> Y
    {.op = "Neg", .since = {1, 6, 13}},
    // NegativeLogLikelihoodLoss(input, target, weight?) -> loss
    {.op = "NegativeLogLikelihoodLoss",
     .since = {12, 13, 22},
     .inputs = {2, 3},
     .attributes = kLoss},
    // PRelu(X, slope) -> Y
    {.op = "PRelu", .since = {1, 6, 7, 9, 16}, .inputs = 2, .read = read_prelu},
    // Pow(X, Y) -> Z
    {.op = "Pow",
     .since = {1, 7, 12, 13, 15},
     .inputs = 2,
     .attributes = kBroadcast,
     .read = read_broadcast},
    // QLinearMatMul(a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point) -> y
    {.op = "QLinearMatMul", .since = {10, 21}, .inputs = 8},
    // Reciprocal(X) -> Y
    {.op = "Reciprocal", .since = {1, 6, 13}},
    // Relu(X) -> Y
    {.op = "Relu", .since = {1, 6, 13, 14}},
    // Round(X) -> Y
    {.op = "Round", .since = {11, 22}},
    // STFT(signal, frame_step, window?, frame_length?) -> output
    {.op = "STFT", .since = {17}, .inputs = {2, 4}, .attributes = kSTFT},
    // Selu(X) -> Y
    {.op = "Selu", .since = {1, 6, 22}, .attributes = kSelu},
    // Sigmoid(X) -> Y
    {.op = "Sigmoid", .since = {1, 6, 13}},
    // Sign(input) -> output
    {.op = "Sign", .since = {9, 13}},
    // Sin(input) -> output
    {.op = "Sin", .since = {7, 22}},
    // Sinh(input) -> output
    {.op = "Sinh", .since = {9, 22}},
    // Softmax(input) -> output
    {.op = "Softmax", .since = {1, 11, 13}, .attributes = kCoerced, .read = read_coerced},
    // SoftmaxCrossEntropyLoss(scores, labels, weights?) -> output, log_prob?
    {.op = "SoftmaxCrossEntropyLoss",
     .since = {12, 13},
     .inputs = {2, 3},
     .outputs = {1, 2},
     .attributes = kLoss},
    // Softplus(X) -> Y
    {.op = "Softplus", .since = {1, 22}},
    // Softsign(input) -> output
    {.op = "Softsign", .since = {1, 22}},
    // Sqrt(X) -> Y
    {.op = "Sqrt", .since = {1, 6, 13}},
    // Sub(A, B) -> C
    {.op = "Sub",
     .since = {1, 6, 7, 13, 14},
     .inputs = 2,
     .attributes = kBroadcast,
     .read = read_broadcast},
    // Sum(data_0...) -> sum
    {.op = "Sum", .since = {1, 6, 8, 13}, .inputs = {1, kMany}},
    // SwiGLU(X, gate) -> Y
    {.op = "SwiGLU", .since = {28}, .inputs = 2, .attributes = kAlphaOne},
    // Swish(X) -> Y
    {.op = "Swish", .since = {24}, .attributes = kAlphaOne},
    // Tan(input) -> output
    {.op = "Tan", .since = {7, 22}},
    // Tanh(input) -> output
    {.op = "Tanh", .since = {1, 6, 13}},
    // ThresholdedRelu(X) -> Y
    // Models of opsets before 10 have it as an experiment, with the same meaning.
    {.op = "ThresholdedRelu", .since = {10, 22}, .attributes = kAlphaOne, .first = 1},
    // TopK(X, K) -> Values, Indices
    {.op = "TopK",
     .since = {1, 10, 11, 24},
     .inputs = 2,
     .outputs = 2,
     .attributes = kTopK,
     .read = read_top_k,
     .old_arity = kTopKArity},
};

}  // namespace

std::span<const OpRow> math_rows() { return kRows; }

}  // namespace ferry
