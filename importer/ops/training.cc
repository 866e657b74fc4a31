#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr AttrSpec kAdagrad[] = {
    real("decay_factor", 0.0f),
    real("epsilon", 1e-06f),
    real("norm_coefficient", 0.0f),
};
constexpr AttrSpec kAdam[] = {
    real("alpha", 0.89999998f),     real("beta", 0.99900001f),           real("epsilon", 1e-06f),
    real("norm_coefficient", 0.0f), real("norm_coefficient_post", 0.0f),
};
constexpr AttrSpec kGradient[] = {
    required("xs", AttrType::texts),
    required("y", AttrType::text),
    list("zs", AttrType::texts),
};
constexpr AttrSpec kMomentum[] = {
    required("alpha", AttrType::real),
    required("beta", AttrType::real),
    required("mode", AttrType::text),
    required("norm_coefficient", AttrType::real),
};

constexpr OpRow kRows[] = {
    // Adagrad(R, T, inputs...) -> outputs...
    {.op = "Adagrad",
     .domain = "ai.onnx.preview.training",
     .since = {1},
     .inputs = {3, kMany},
     .outputs = {1, kMany},
     .attributes = kAdagrad},
    // Adam(R, T, inputs...) -> outputs...
    {.op = "Adam",
     .domain = "ai.onnx.preview.training",
     .since = {1},
     .inputs = {3, kMany},
     .outputs = {1, kMany},
     .attributes = kAdam},
    // Gradient(Inputs...) -> Outputs...
    {.op = "Gradient",
     .domain = "ai.onnx.preview.training",
     .since = {1},
     .inputs = {1, kMany},
     .outputs = {1, kMany},
     .attributes = kGradient},
    // Momentum(R, T, inputs...) -> outputs...
    {.op = "Momentum",
     .domain = "ai.onnx.preview.training",
     .since = {1},
     .inputs = {3, kMany},
     .outputs = {1, kMany},
     .attributes = kMomentum},
};

}  // namespace

std::span<const OpRow> training_rows() { return kRows; }

}  // namespace ferry
