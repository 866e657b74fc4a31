#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr AttrSpec kBinarizer[] = {
    real("threshold", 0.0f),
};
constexpr AttrSpec kCastMap[] = {
    text("cast_to", "TO_FLOAT"),
    text("map_form", "DENSE"),
    integer("max_map", 1),
};
constexpr AttrSpec kCategoryMapper[] = {
    ints("cats_int64s"),
    list("cats_strings", AttrType::texts),
    integer("default_int64", -1),
    text("default_string", "_Unused"),
};
constexpr AttrSpec kDictVectorizer[] = {
    ints("int64_vocabulary"),
    list("string_vocabulary", AttrType::texts),
};
constexpr AttrSpec kFeatureVectorizer[] = {
    ints("inputdimensions"),
};
constexpr AttrSpec kImputer[] = {
    list("imputed_value_floats", AttrType::reals),
    ints("imputed_value_int64s"),
    real("replaced_value_float", 0.0f),
    integer("replaced_value_int64", 0),
};
constexpr AttrSpec kLabelEncoder[] = {
    real("default_float", -0.0f).since(2),
    integer("default_int64", -1),
    text("default_string", "_Unused"),
    maybe("default_tensor", AttrType::tensor).since(4),
    list("keys_floats", AttrType::reals).since(2),
    ints("keys_int64s").since(2),
    list("keys_strings", AttrType::texts).since(2),
    maybe("keys_tensor", AttrType::tensor).since(4),
    list("values_floats", AttrType::reals).since(2),
    ints("values_int64s").since(2),
    list("values_strings", AttrType::texts).since(2),
    maybe("values_tensor", AttrType::tensor).since(4),
    list("classes_strings", AttrType::texts).until(1),
};
constexpr AttrSpec kLinearClassifier[] = {
    ints("classlabels_ints"),
    list("classlabels_strings", AttrType::texts),
    required("coefficients", AttrType::reals),
    list("intercepts", AttrType::reals),
    integer("multi_class", 0),
    text("post_transform", "NONE"),
};
constexpr AttrSpec kLinearRegressor[] = {
    list("coefficients", AttrType::reals),
    list("intercepts", AttrType::reals),
    text("post_transform", "NONE"),
    integer("targets", 1),
};
constexpr AttrSpec kNormalizer[] = {
    text("norm", "MAX"),
};
constexpr AttrSpec kOneHotEncoder[] = {
    ints("cats_int64s"),
    list("cats_strings", AttrType::texts),
    integer("zeros", 1),
};
constexpr AttrSpec kSVMClassifier[] = {
    ints("classlabels_ints"),
    list("classlabels_strings", AttrType::texts),
    list("coefficients", AttrType::reals),
    list("kernel_params", AttrType::reals),
    text("kernel_type", "LINEAR"),
    text("post_transform", "NONE"),
    list("prob_a", AttrType::reals),
    list("prob_b", AttrType::reals),
    list("rho", AttrType::reals),
    list("support_vectors", AttrType::reals),
    ints("vectors_per_class"),
};
constexpr AttrSpec kSVMRegressor[] = {
    list("coefficients", AttrType::reals),
    list("kernel_params", AttrType::reals),
    text("kernel_type", "LINEAR"),
    integer("n_supports", 0),
    integer("one_class", 0),
    text("post_transform", "NONE"),
    list("rho", AttrType::reals),
    list("support_vectors", AttrType::reals),
};
constexpr AttrSpec kScaler[] = {
    list("offset", AttrType::reals),
    list("scale", AttrType::reals),
};
constexpr AttrSpec kTreeEnsemble[] = {
    integer("aggregate_function", 1),
    required("leaf_targetids", AttrType::ints),
    required("leaf_weights", AttrType::tensor),
    maybe("membership_values", AttrType::tensor),
    maybe("n_targets", AttrType::integer),
    required("nodes_falseleafs", AttrType::ints),
    required("nodes_falsenodeids", AttrType::ints),
    required("nodes_featureids", AttrType::ints),
    maybe("nodes_hitrates", AttrType::tensor),
    ints("nodes_missing_value_tracks_true"),
    required("nodes_modes", AttrType::tensor),
    required("nodes_splits", AttrType::tensor),
    required("nodes_trueleafs", AttrType::ints),
    required("nodes_truenodeids", AttrType::ints),
    integer("post_transform", 0),
    required("tree_roots", AttrType::ints),
};
constexpr AttrSpec kTreeEnsembleClassifier[] = {
    list("base_values", AttrType::reals),
    maybe("base_values_as_tensor", AttrType::tensor).since(3),
    ints("class_ids"),
    ints("class_nodeids"),
    ints("class_treeids"),
    list("class_weights", AttrType::reals),
    maybe("class_weights_as_tensor", AttrType::tensor).since(3),
    ints("classlabels_int64s"),
    list("classlabels_strings", AttrType::texts),
    ints("nodes_falsenodeids"),
    ints("nodes_featureids"),
    list("nodes_hitrates", AttrType::reals),
    maybe("nodes_hitrates_as_tensor", AttrType::tensor).since(3),
    ints("nodes_missing_value_tracks_true"),
    list("nodes_modes", AttrType::texts),
    ints("nodes_nodeids"),
    ints("nodes_treeids"),
    ints("nodes_truenodeids"),
    list("nodes_values", AttrType::reals),
    maybe("nodes_values_as_tensor", AttrType::tensor).since(3),
    text("post_transform", "NONE"),
};
constexpr AttrSpec kTreeEnsembleRegressor[] = {
    text("aggregate_function", "SUM"),
    list("base_values", AttrType::reals),
    maybe("base_values_as_tensor", AttrType::tensor).since(3),
    maybe("n_targets", AttrType::integer),
    ints("nodes_falsenodeids"),
    ints("nodes_featureids"),
    list("nodes_hitrates", AttrType::reals),
    maybe("nodes_hitrates_as_tensor", AttrType::tensor).since(3),
    ints("nodes_missing_value_tracks_true"),
    list("nodes_modes", AttrType::texts),
    ints("nodes_nodeids"),
    ints("nodes_treeids"),
    ints("nodes_truenodeids"),
    list("nodes_values", AttrType::reals),
    maybe("nodes_values_as_tensor", AttrType::tensor).since(3),
    text("post_transform", "NONE"),
    ints("target_ids"),
    ints("target_nodeids"),
    ints("target_treeids"),
    list("target_weights", AttrType::reals),
    maybe("target_weights_as_tensor", AttrType::tensor).since(3),
};
constexpr AttrSpec kZipMap[] = {
    ints("classlabels_int64s"),
    list("classlabels_strings", AttrType::texts),
};

constexpr OpRow kRows[] = {
    // ArrayFeatureExtractor(X, Y) -> Z
    {.op = "ArrayFeatureExtractor", .domain = "ai.onnx.ml", .since = {1}, .inputs = 2},
    // Binarizer(X) -> Y
    {.op = "Binarizer", .domain = "ai.onnx.ml", .since = {1}, .attributes = kBinarizer},
    // CastMap(X) -> Y
    {.op = "CastMap", .domain = "ai.onnx.ml", .since = {1}, .attributes = kCastMap},
    // CategoryMapper(X) -> Y
    {.op = "CategoryMapper", .domain = "ai.onnx.ml", .since = {1}, .attributes = kCategoryMapper},
    // DictVectorizer(X) -> Y
    {.op = "DictVectorizer", .domain = "ai.onnx.ml", .since = {1}, .attributes = kDictVectorizer},
    // FeatureVectorizer(X...) -> Y
    {.op = "FeatureVectorizer",
     .domain = "ai.onnx.ml",
     .since = {1},
     .inputs = {1, kMany},
     .attributes = kFeatureVectorizer},
    // Imputer(X) -> Y
    {.op = "Imputer", .domain = "ai.onnx.ml", .since = {1}, .attributes = kImputer},
    // LabelEncoder(X) -> Y
    {.op = "LabelEncoder", .domain = "ai.onnx.ml", .since = {1, 2, 4}, .attributes = kLabelEncoder},
    // LinearClassifier(X) -> Y, Z
    {.op = "LinearClassifier",
     .domain = "ai.onnx.ml",
     .since = {1},
     .outputs = 2,
     .attributes = kLinearClassifier},
    // LinearRegressor(X) -> Y
    {.op = "LinearRegressor", .domain = "ai.onnx.ml", .since = {1}, .attributes = kLinearRegressor},
    // Normalizer(X) -> Y
    {.op = "Normalizer", .domain = "ai.onnx.ml", .since = {1}, .attributes = kNormalizer},
    // OneHotEncoder(X) -> Y
    {.op = "OneHotEncoder", .domain = "ai.onnx.ml", .since = {1}, .attributes = kOneHotEncoder},
    // SVMClassifier(X) -> Y, Z
    {.op = "SVMClassifier",
     .domain = "ai.onnx.ml",
     .since = {1},
     .outputs = 2,
     .attributes = kSVMClassifier},
    // SVMRegressor(X) -> Y
    {.op = "SVMRegressor", .domain = "ai.onnx.ml", .since = {1}, .attributes = kSVMRegressor},
    // Scaler(X) -> Y
    {.op = "Scaler", .domain = "ai.onnx.ml", .since = {1}, .attributes = kScaler},
    // TreeEnsemble(X) -> Y
    {.op = "TreeEnsemble", .domain = "ai.onnx.ml", .since = {5}, .attributes = kTreeEnsemble},
    // TreeEnsembleClassifier(X) -> Y, Z
    {.op = "TreeEnsembleClassifier",
     .domain = "ai.onnx.ml",
     .since = {1, 3},
     .outputs = 2,
     .attributes = kTreeEnsembleClassifier,
     .removed = 5},
    // TreeEnsembleRegressor(X) -> Y
    {.op = "TreeEnsembleRegressor",
     .domain = "ai.onnx.ml",
     .since = {1, 3},
     .attributes = kTreeEnsembleRegressor,
     .removed = 5},
    // ZipMap(X) -> Z
    {.op = "ZipMap", .domain = "ai.onnx.ml", .since = {1}, .attributes = kZipMap},
};

}  // namespace

std::span<const OpRow> ml_rows() { return kRows; }

}  // namespace ferry
