#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/problems.h"
#include "importer/text.h"

namespace ferry {
namespace {

constexpr std::string_view kRoundModes[] = {"up", "down", "nearest"};
constexpr std::string_view kDepthModes[] = {"DCR", "CRD"};
constexpr std::string_view kGridModes[] = {"linear", "nearest", "cubic"};
constexpr std::string_view kOldGridModes[] = {"bilinear", "nearest", "bicubic"};
constexpr std::string_view kGridPadding[] = {"zeros", "border", "reflection"};
constexpr std::string_view kPadModes[] = {"constant", "reflect", "edge", "wrap"};
constexpr std::string_view kCoordinateModes[] = {
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
    "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
constexpr std::string_view kAspectPolicies[] = {"stretch", "not_larger", "not_smaller"};
constexpr std::string_view kResizeModes[] = {"nearest", "linear", "cubic"};
constexpr std::string_view kNearestModes[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                              "ceil"};
constexpr std::string_view kScatterReductions[] = {"none", "add", "mul", "max", "min"};
constexpr std::string_view kScatterModes[] = {"linear", "circular"};
constexpr std::string_view kUpsampleModes[] = {"nearest", "linear", "bilinear"};
constexpr AttrSpec kAffineGrid[] = {
    flag("align_corners", false),
};
constexpr AttrSpec kBitCast[] = {
    required("to", AttrType::integer).within(1, 26),
};
constexpr AttrSpec kCast[] = {
    text("round_mode", "up", kRoundModes).since(24),
    flag("saturate", true).since(19),
    required("to", AttrType::integer).within(1, 26).since(6),
    required("to", AttrType::text).until(5),
};
constexpr AttrSpec kCastLike[] = {
    text("round_mode", "up", kRoundModes).since(24),
    flag("saturate", true).since(19),
};
constexpr AttrSpec kCenterCropPad[] = {
    ints("axes"),
};
constexpr AttrSpec kCompress[] = {
    maybe("axis", AttrType::integer),
};
constexpr AttrSpec kConcat[] = {
    required("axis", AttrType::integer).since(4),
    integer("axis", 1).until(3),
};
constexpr AttrSpec kDepthToSpace[] = {
    required("blocksize", AttrType::integer).at_least(1),
    text("mode", "DCR", kDepthModes).since(11),
};
constexpr AttrSpec kAxisZero[] = {
    integer("axis", 0),
};
constexpr AttrSpec kGatherND[] = {
    integer("batch_dims", 0).since(12),
};
constexpr AttrSpec kGridSample[] = {
    flag("align_corners", false),
    text("mode", "linear", kGridModes).since(20),
    text("mode", "bilinear", kOldGridModes).until(19),
    text("padding_mode", "zeros", kGridPadding),
};
constexpr AttrSpec kIsInf[] = {
    flag("detect_negative", true),
    flag("detect_positive", true),
};
constexpr AttrSpec kOneHot[] = {
    integer("axis", -1),
};
constexpr AttrSpec kPad[] = {
    text("mode", "constant", kPadModes),
    required("pads", AttrType::ints).since(2).until(10),
    real("value", 0.0f).until(10),
    required("paddings", AttrType::ints).until(1),
};
constexpr OldArity kPadArity[] = {{11, 1, 1}, {18, {2, 3}, 1}};
constexpr AttrSpec kReshape[] = {
    flag("allowzero", false).since(14),
    ints("shape").until(4),
};
constexpr OldArity kReshapeArity[] = {{5, 1, 1}};
constexpr AttrSpec kResize[] = {
    flag("antialias", false).since(18),
    ints("axes").since(18),
    text("coordinate_transformation_mode", "half_pixel", kCoordinateModes).since(11),
    real("cubic_coeff_a", -0.75f).since(11),
    flag("exclude_outside", false).since(11),
    real("extrapolation_value", 0.0f).since(11),
    text("keep_aspect_ratio_policy", "stretch", kAspectPolicies).since(18),
    text("mode", "nearest", kResizeModes),
    text("nearest_mode", "round_prefer_floor", kNearestModes).since(11),
};
constexpr OldArity kResizeArity[] = {{11, 2, 1}, {13, {3, 4}, 1}};
constexpr AttrSpec kReverseSequence[] = {
    integer("batch_axis", 1),
    integer("time_axis", 0),
};
constexpr AttrSpec kScatterElements[] = {
    integer("axis", 0),
    text("reduction", "none", kScatterReductions).since(16),
};
constexpr AttrSpec kScatterND[] = {
    text("reduction", "none", kScatterReductions).since(16),
};
constexpr AttrSpec kShape[] = {
    integer("end", INT64_MAX).since(15),
    integer("start", 0).since(15),
};
constexpr AttrSpec kSlice[] = {
    ints("axes").until(9),
    required("ends", AttrType::ints).until(9),
    required("starts", AttrType::ints).until(9),
};
constexpr OldArity kSliceArity[] = {{10, 1, 1}};
constexpr AttrSpec kSpaceToDepth[] = {
    required("blocksize", AttrType::integer).at_least(1),
};
constexpr AttrSpec kSplit[] = {
    integer("axis", 0),
    maybe("num_outputs", AttrType::integer).since(18),
    ints("split").until(12),
};
constexpr OldArity kSplitArity[] = {{2, {1, 2}, {1, kMany}}, {13, 1, {1, kMany}}};
constexpr AttrSpec kSqueeze[] = {
    ints("axes").until(12),
};
constexpr OldArity kSqueezeArity[] = {{13, 1, 1}};
constexpr AttrSpec kTensorScatter[] = {
    integer("axis", -2),
    text("mode", "linear", kScatterModes),
};
constexpr OldArity kTileArity[] = {{6, 3, 1}};
constexpr AttrSpec kTranspose[] = {
    ints("perm"),
};
constexpr AttrSpec kTrilu[] = {
    flag("upper", true),
};
constexpr AttrSpec kUnique[] = {
    maybe("axis", AttrType::integer),
    flag("sorted", true),
};
constexpr AttrSpec kUnsqueeze[] = {
    required("axes", AttrType::ints).until(12),
};
constexpr OldArity kUnsqueezeArity[] = {{13, 1, 1}};
constexpr AttrSpec kUpsample[] = {
    text("mode", "nearest", kUpsampleModes),
    required("scales", AttrType::reals).since(7).until(8),
    required("height_scale", AttrType::real).until(6),
    required("width_scale", AttrType::real).until(6),
};
constexpr OldArity kUpsampleArity[] = {{9, 1, 1}};

// Cast below 6 names its type.
void read_cast(NodeReader& reader) {
  if (reader.opset() >= 6) return;
  constexpr std::pair<std::string_view, DType> kNames[] = {
      {"FLOAT", float32},   {"UINT8", uint8},         {"INT8", int8},
      {"UINT16", uint16},   {"INT16", int16},         {"INT32", int32},
      {"INT64", int64},     {"STRING", string},       {"BOOL", boolean},
      {"FLOAT16", float16}, {"DOUBLE", float64},      {"UINT32", uint32},
      {"UINT64", uint64},   {"COMPLEX64", complex64}, {"COMPLEX128", complex128}};
  const std::string& name = reader.attributes().get_string("to");
  auto found = std::ranges::find(kNames, name, &std::pair<std::string_view, DType>::first);
  if (found == std::end(kNames)) {
    fail(ProblemCode::attribute,
         fmt::format("attribute 'to' is {}, which is no type", quoted(name)));
  }
  reader.attributes().set("to", static_cast<int64_t>(found->second));
}

// Pad below 11 has its widths and its value as attributes.
void read_pad(NodeReader& reader) {
  if (reader.opset() >= 11) return;
  reader.set_input(
      1, reader.int_list(reader.old().get_ints(reader.opset() < 2 ? "paddings" : "pads"), "pads"));
  float value = reader.old().get_float("value");
  if (value != 0) reader.set_input(2, reader.scalar_like(value, reader.input(0), "value"));
}

// Reshape below 5 has the shape as an attribute.
void read_reshape(NodeReader& reader) {
  if (reader.opset() < 5)
    reader.set_input(1, reader.int_list(reader.old().get_ints("shape"), "shape"));
}

// Below 10, Resize was Upsample. It and Resize 10 take pixels at x * scale, without a shift, and
// the nearest one below when growing, above when shrinking.
void use_old_coordinates(NodeReader& reader, Attributes& attributes, ValueId scales) {
  attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
  const Tensor* constant = reader.constant_of(scales);
  bool shrinks = constant != nullptr && constant->dtype() == float32 &&
                 std::ranges::any_of(constant->span<float>(), [](float x) { return x < 1; });
  attributes.set("nearest_mode", std::string(shrinks ? "ceil" : "floor"));
}

// Up to 12, Resize has to have roi and scales, and those that do not count are empty.
void read_resize(NodeReader& reader) {
  if (reader.opset() < 11) {
    if (!reader.has_input(1)) fail(ProblemCode::arity, "the scales are left out");
    ValueId scales = reader.input(1);
    use_old_coordinates(reader, reader.attributes(), scales);
    reader.set_input(1, kNoValue);
    reader.set_input(2, scales);
    return;
  }
  for (int i = 1; i < 4; ++i) {
    if (!reader.has_input(i)) continue;
    const Tensor* constant = reader.constant_of(reader.input(i));
    if (constant != nullptr && constant->numel() == 0) reader.set_input(i, kNoValue);
  }
}

void read_upsample(NodeReader& reader) {
  ValueId scales;
  if (reader.opset() >= 9) {
    scales = reader.input(1);
  } else if (reader.opset() >= 7) {
    scales =
        reader.constant(Tensor::from(reader.old().get<std::vector<float>>("scales")), "scales");
  } else {
    scales = reader.constant(
        Tensor::from(std::vector<float>{1, 1, reader.old().get_float("height_scale"),
                                        reader.old().get_float("width_scale")}),
        "scales");
  }
  const std::string& mode = reader.attributes().get_string("mode");
  Attributes resize;
  resize.set("mode", std::string(mode == "bilinear" ? "linear" : mode));
  use_old_coordinates(reader, resize, scales);
  reader.become("Resize", {reader.input(0), kNoValue, scales}, std::move(resize));
}

// Slice below 10 has everything as attributes.
void read_slice(NodeReader& reader) {
  if (reader.opset() >= 10) return;
  const std::vector<int64_t>& starts = reader.old().get_ints("starts");
  const std::vector<int64_t>& ends = reader.old().get_ints("ends");
  const std::vector<int64_t>& axes = reader.old().get_ints("axes");
  if (starts.size() != ends.size() || (!axes.empty() && axes.size() != starts.size())) {
    fail(ProblemCode::attribute, "attributes 'starts', 'ends' and 'axes' differ in length");
  }
  reader.set_input(1, reader.int_list(starts, "starts"));
  reader.set_input(2, reader.int_list(ends, "ends"));
  if (!axes.empty()) reader.set_input(3, reader.int_list(axes, "axes"));
}

// Split below 13 has the sizes as an attribute, and version 1 as an input of the data's type.
void read_split(NodeReader& reader) {
  int64_t outputs = static_cast<int64_t>(reader.node().outputs.size());
  const auto* sizes = reader.old().find<std::vector<int64_t>>("split");
  if (sizes != nullptr && !sizes->empty()) {
    if (static_cast<int64_t>(sizes->size()) != outputs) {
      fail(ProblemCode::attribute,
           fmt::format("attribute 'split' has {} sizes for {} outputs", sizes->size(), outputs));
    }
    reader.set_input(1, reader.int_list(*sizes, "split"));
  } else if (reader.opset() < 2 && reader.has_input(1)) {
    Attributes cast;
    cast.set("to", static_cast<int64_t>(int64));
    reader.set_input(1, reader.emit("Cast", {reader.input(1)}, std::move(cast)));
  }
  if (const auto* given = reader.attributes().find<int64_t>("num_outputs")) {
    if (*given != outputs || reader.has_input(1)) {
      fail(ProblemCode::attribute,
           fmt::format("attribute 'num_outputs' is {} beside {} outputs{}", *given, outputs,
                       reader.has_input(1) ? " and given sizes" : ""));
    }
  }
  reader.attributes().set("num_outputs", outputs);
  // The sizes of all parts say where each begins.
  reader.complete_outputs();
}

// Squeeze and Unsqueeze below 13 have their axes as an attribute.
void read_axes_input(NodeReader& reader) {
  if (reader.opset() < 13 && reader.was_given("axes")) {
    reader.set_input(1, reader.int_list(reader.old().get_ints("axes"), "axes"));
  }
}

// Tile below 6 repeats along one axis; both numbers are inputs.
void read_tile(NodeReader& reader) {
  if (reader.opset() >= 6) return;
  Attributes integer_type;
  integer_type.set("to", static_cast<int64_t>(int64));
  ValueId one = reader.int_list({1}, "one");
  auto as_list = [&](ValueId value) {
    return reader.emit("Reshape", {reader.emit("Cast", {value}, integer_type), one});
  };
  Attributes ones;
  ones.set("value", Tensor::from(std::vector<int64_t>{1}));
  ValueId rank = reader.emit("Shape", {reader.emit("Shape", {reader.input(0)})});
  ValueId repeats =
      reader.emit("ScatterElements", {reader.emit("ConstantOfShape", {rank}, std::move(ones)),
                                      as_list(reader.input(2)), as_list(reader.input(1))});
  reader.become("Tile", {reader.input(0), repeats});
}

void read_scatter(NodeReader& reader) {
  reader.become("ScatterElements", reader.node().inputs, reader.attributes());
}

// GridSample below 20 is for images only and calls its modes so.
void read_grid_sample(NodeReader& reader) {
  const std::string& mode = reader.attributes().get_string("mode");
  if (mode == "bilinear") reader.attributes().set("mode", std::string("linear"));
  if (mode == "bicubic") reader.attributes().set("mode", std::string("cubic"));
}

constexpr OpRow kRows[] = {
    // AffineGrid(theta, size) -> grid
    {.op = "AffineGrid", .since = {20}, .inputs = 2, .attributes = kAffineGrid},
    // BitCast(input) -> output
    {.op = "BitCast", .since = {26}, .attributes = kBitCast},
    // Cast(input) -> output
    {.op = "Cast",
     .since = {1, 6, 9, 13, 19, 21, 23, 24, 25},
     .attributes = kCast,
     .read = read_cast},
    // CastLike(input, target_type) -> output
    {.op = "CastLike", .since = {15, 19, 21, 23, 24, 25}, .inputs = 2, .attributes = kCastLike},
    // CenterCropPad(input_data, shape) -> output_data
    {.op = "CenterCropPad", .since = {18}, .inputs = 2, .attributes = kCenterCropPad},
    // Compress(input, condition) -> output
    {.op = "Compress", .since = {9, 11}, .inputs = 2, .attributes = kCompress},
    // Concat(inputs...) -> concat_result
    {.op = "Concat", .since = {1, 4, 11, 13}, .inputs = {1, kMany}, .attributes = kConcat},
    // DepthToSpace(input) -> output
    {.op = "DepthToSpace", .since = {1, 11, 13}, .attributes = kDepthToSpace},
    // Gather(data, indices) -> output
    {.op = "Gather", .since = {1, 11, 13}, .inputs = 2, .attributes = kAxisZero},
    // GatherElements(data, indices) -> output
    {.op = "GatherElements", .since = {11, 13}, .inputs = 2, .attributes = kAxisZero},
    // GatherND(data, indices) -> output
    {.op = "GatherND", .since = {11, 12, 13}, .inputs = 2, .attributes = kGatherND},
    // GridSample(X, grid) -> Y
    {.op = "GridSample",
     .since = {16, 20, 22},
     .inputs = 2,
     .attributes = kGridSample,
     .read = read_grid_sample},
    // Identity(input) -> output
    {.op = "Identity", .since = {1, 13, 14, 16, 19, 21, 23, 24, 25}},
    // IsInf(X) -> Y
    {.op = "IsInf", .since = {10, 20}, .attributes = kIsInf},
    // IsNaN(X) -> Y
    {.op = "IsNaN", .since = {9, 13, 20}},
    // NonZero(X) -> Y
    {.op = "NonZero", .since = {9, 13}},
    // OneHot(indices, depth, values) -> output
    {.op = "OneHot", .since = {9, 11}, .inputs = 3, .attributes = kOneHot},
    // Pad(data, pads, constant_value?, axes?) -> output
    {.op = "Pad",
     .since = {1, 2, 11, 13, 18, 19, 21, 23, 24, 25},
     .inputs = {2, 4},
     .attributes = kPad,
     .read = read_pad,
     .old_arity = kPadArity},
    // Reshape(data, shape) -> reshaped
    {.op = "Reshape",
     .since = {1, 5, 13, 14, 19, 21, 23, 24, 25},
     .inputs = 2,
     .attributes = kReshape,
     .read = read_reshape,
     .old_arity = kReshapeArity},
    // Resize(X, roi?, scales?, sizes?) -> Y
    {.op = "Resize",
     .since = {10, 11, 13, 18, 19},
     .inputs = {1, 4},
     .attributes = kResize,
     .read = read_resize,
     .old_arity = kResizeArity,
     .gaps = 1},
    // ReverseSequence(input, sequence_lens) -> Y
    {.op = "ReverseSequence", .since = {10}, .inputs = 2, .attributes = kReverseSequence},
    // Scatter(data, indices, updates) -> output
    {.op = "Scatter",
     .since = {9},
     .inputs = 3,
     .attributes = kAxisZero,
     .read = read_scatter,
     .removed = 11},
    // ScatterElements(data, indices, updates) -> output
    {.op = "ScatterElements",
     .since = {11, 13, 16, 18},
     .inputs = 3,
     .attributes = kScatterElements},
    // ScatterND(data, indices, updates) -> output
    {.op = "ScatterND", .since = {11, 13, 16, 18}, .inputs = 3, .attributes = kScatterND},
    // Shape(data) -> shape
    {.op = "Shape", .since = {1, 13, 15, 19, 21, 23, 24, 25}, .attributes = kShape},
    // Size(data) -> size
    {.op = "Size", .since = {1, 13, 19, 21, 23, 24, 25}},
    // Slice(data, starts, ends, axes?, steps?) -> output
    {.op = "Slice",
     .since = {1, 10, 11, 13},
     .inputs = {3, 5},
     .attributes = kSlice,
     .read = read_slice,
     .old_arity = kSliceArity},
    // SpaceToDepth(input) -> output
    {.op = "SpaceToDepth", .since = {1, 13}, .attributes = kSpaceToDepth},
    // Split(input, split?) -> outputs...
    {.op = "Split",
     .since = {1, 2, 11, 13, 18},
     .inputs = {1, 2},
     .outputs = {1, kMany},
     .attributes = kSplit,
     .read = read_split,
     .old_arity = kSplitArity},
    // Squeeze(data, axes?) -> squeezed
    {.op = "Squeeze",
     .since = {1, 11, 13, 21, 23, 24, 25},
     .inputs = {1, 2},
     .attributes = kSqueeze,
     .read = read_axes_input,
     .old_arity = kSqueezeArity},
    // TensorScatter(past_cache, update, write_indices?) -> present_cache
    {.op = "TensorScatter", .since = {24}, .inputs = {2, 3}, .attributes = kTensorScatter},
    // Tile(input, repeats) -> output
    {.op = "Tile", .since = {1, 6, 13}, .inputs = 2, .read = read_tile, .old_arity = kTileArity},
    // Transpose(data) -> transposed
    {.op = "Transpose", .since = {1, 13, 21, 23, 24, 25}, .attributes = kTranspose},
    // Trilu(input, k?) -> output
    {.op = "Trilu", .since = {14}, .inputs = {1, 2}, .attributes = kTrilu},
    // Unique(X) -> Y, indices?, inverse_indices?, counts?
    {.op = "Unique", .since = {11}, .outputs = {1, 4}, .attributes = kUnique},
    // Unsqueeze(data, axes) -> expanded
    {.op = "Unsqueeze",
     .since = {1, 11, 13, 21, 23, 24, 25},
     .inputs = 2,
     .attributes = kUnsqueeze,
     .read = read_axes_input,
     .old_arity = kUnsqueezeArity},
    // Upsample(X, scales) -> Y
    {.op = "Upsample",
     .since = {1, 7, 9},
     .inputs = 2,
     .attributes = kUpsample,
     .read = read_upsample,
     .old_arity = kUpsampleArity,
     .removed = 10},
    // Where(condition, X, Y) -> output
    {.op = "Where", .since = {9, 16}, .inputs = 3},
};

}  // namespace

std::span<const OpRow> tensor_rows() { return kRows; }

}  // namespace ferry
