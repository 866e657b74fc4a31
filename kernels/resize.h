#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace ferry {

enum class ResizeMode : uint8_t { nearest, linear, cubic };

// Where the output positions of one axis come from: a weighted sum of input positions each.
struct ResizeAxis {
  struct Source {
    int64_t first = 0, count = 0;  // of positions and weights
    bool outside = false;          // tf_crop_and_resize leaves the input: extrapolation_value
  };
  int64_t axis = 0, input = 0, output = 0;
  std::vector<Source> sources;  // one an output position
  std::vector<int64_t> positions;
  std::vector<double> weights;
};

// The geometry of Resize (ONNX 19). Every mode is separable: each axis has a table, and axes that
// keep every element have none.
class ResizeGeometry {
 public:
  // Whether the facts have all that the geometry needs, as they do in prepare().
  static bool known(const NodeFacts& node);
  // For supports(): whether the output is small enough for tables, as far as it is known.
  static Support fits(const NodeFacts& node);
  // Throws Error runtime where roi, scales or sizes have not one or two numbers an axis, and for an
  // input without elements.
  explicit ResizeGeometry(const NodeFacts& node);

  ResizeMode mode() const { return mode_; }
  // In order of the axes. Throws Error runtime for a scale that is not positive, unsupported for
  // tables that would be too large.
  std::vector<ResizeAxis> tables() const;

 private:
  double input_coordinate(double x, double scale, const ResizeAxis& axis, double roi_start,
                          double roi_end) const;
  std::optional<double> common_scale() const;
  void fill(ResizeAxis& axis, double scale, double roi_start, double roi_end) const;

  ResizeMode mode_ = ResizeMode::nearest;
  std::string transform_, nearest_;
  std::string policy_;  // keep_aspect_ratio_policy
  float cubic_a_ = -0.75f;
  bool exclude_outside_ = false, antialias_ = false;
  Shape input_, output_;
  std::vector<int64_t> axes_;
  Tensor roi_, scales_;         // undefined where there are none
  std::vector<int64_t> sizes_;  // where the policy keeps the aspect ratio
};

}  // namespace ferry
