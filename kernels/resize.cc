#include "kernels/resize.h"

#include <algorithm>
#include <cmath>

#include "core/convert.h"
#include "ferry/error.h"
#include "kernels/axis.h"
#include "kernels/cubic.h"
#include "kernels/host_input.h"

namespace ferry {
namespace {

double round_nearest(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  const double below = std::floor(x);
  if (x - below == 0.5) return mode == "round_prefer_ceil" ? below + 1 : below;
  return std::floor(x + 0.5);
}

constexpr int64_t kMaxEntries = int64_t{1} << 26;  // of a table
constexpr int64_t kMaxInput = int64_t{1} << 52;    // positions that double tells apart

[[noreturn]] void too_large(int64_t axis, const std::string& what) {
  throw Error(ErrorCode::unsupported, "axis " + std::to_string(axis) + " is resized with " + what +
                                          ", expected at most " + std::to_string(kMaxEntries));
}

// Whether there is an input of which something is known to be read.
bool has_elements(const NodeFacts& node, int input) {
  return node.has_input(input) &&
         !(node.input(input).concrete() && numel_of(node.input(input).shape) == 0);
}

void expect_count(const NodeFacts& node, int input, std::string_view name, size_t count) {
  if (!has_elements(node, input)) return;
  const Shape& shape = node.input(input).shape;
  if (numel_of(shape) == static_cast<int64_t>(count)) return;
  throw Error(ErrorCode::runtime, "input " + std::to_string(input) + " (" + std::string(name) +
                                      ") has the shape " +
                                      to_string(std::span<const int64_t>(shape)) + ", expected " +
                                      std::to_string(count) + " elements");
}

ResizeMode mode_of(const std::string& name) {
  if (name == "nearest") return ResizeMode::nearest;
  return name == "cubic" ? ResizeMode::cubic : ResizeMode::linear;
}

}  // namespace

ResizeGeometry::ResizeGeometry(const NodeFacts& node)
    : input_(node.input(0).shape), output_(node.output(0).shape) {
  const Attributes& attributes = *node.attributes;
  mode_ = mode_of(attributes.get_string("mode"));
  transform_ = attributes.get_string("coordinate_transformation_mode");
  nearest_ = attributes.get_string("nearest_mode");
  policy_ = attributes.get_string("keep_aspect_ratio_policy");
  cubic_a_ = attributes.get_float("cubic_coeff_a");
  exclude_outside_ = attributes.get_int("exclude_outside") != 0;
  antialias_ = attributes.get_int("antialias") != 0;
  const auto rank = static_cast<int64_t>(input_.size());
  axes_ = attributes.get_ints("axes");
  for (int64_t& axis : axes_) axis = axis_of(axis, rank);
  if (axes_.empty()) {
    for (int64_t i = 0; i < rank; ++i) axes_.push_back(i);
  }
  expect_count(node, 1, "roi", 2 * axes_.size());
  expect_count(node, 2, "scales", axes_.size());
  expect_count(node, 3, "sizes", axes_.size());
  if (has_elements(node, 1)) roi_ = *node.input(1).constant;
  if (has_elements(node, 2)) scales_ = *node.input(2).constant;
  if (policy_ != "stretch") sizes_ = host_ints(node, 3);
  if (numel_of(input_) == 0 && numel_of(output_) > 0) {
    throw Error(ErrorCode::runtime, "an input without elements cannot be resized");
  }
}

Support ResizeGeometry::fits(const NodeFacts& node) {
  const TensorFacts& output = node.output(0);
  if (!output.has_shape) return Support::yes();
  const bool nearest = mode_of(node.attributes->get_string("mode")) == ResizeMode::nearest;
  const int64_t most = nearest ? kMaxEntries : kMaxEntries / 4;
  for (size_t i = 0; i < output.shape.size(); ++i) {
    const bool same = node.input(0).has_shape && i < node.input(0).shape.size() &&
                      node.input(0).shape[i] == output.shape[i];
    if (same || output.shape[i] <= most) continue;
    return Support::no(
        ReasonCode::size_limit,
        "axis " + std::to_string(i) + " is resized to " + std::to_string(output.shape[i]) +
            " positions, and the kernel has tables of up to " + std::to_string(most));
  }
  return Support::yes();
}

bool ResizeGeometry::known(const NodeFacts& node) {
  if (!node.input(0).concrete() || !node.output(0).concrete()) return false;
  const bool stretches = node.attributes->get_string("keep_aspect_ratio_policy") == "stretch";
  for (const int input : {1, 2, 3}) {
    const bool is_read = input < 3 || !stretches;
    if (is_read && has_elements(node, input) && node.input(input).constant == nullptr) return false;
  }
  return true;
}

// Formulas: ONNX Resize 19, coordinate_transformation_mode.
double ResizeGeometry::input_coordinate(double x, double scale, const ResizeAxis& axis,
                                        double roi_start, double roi_end) const {
  const double in = static_cast<double>(axis.input);
  const double width = scale * in;  // the output's size before rounding
  if (transform_ == "half_pixel") return (x + 0.5) / scale - 0.5;
  if (transform_ == "half_pixel_symmetric") {
    const double adjustment = static_cast<double>(axis.output) / width;
    return in / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5;
  }
  if (transform_ == "pytorch_half_pixel") return width > 1 ? (x + 0.5) / scale - 0.5 : 0;
  if (transform_ == "align_corners") return width == 1 ? 0 : x * (in - 1) / (width - 1);
  if (transform_ == "asymmetric") return x / scale;
  // tf_crop_and_resize
  if (width > 1) {
    return roi_start * (in - 1) + x * (roi_end - roi_start) * (in - 1) / (width - 1);
  }
  return (roi_start + roi_end) * (in - 1) / 2;
}

void ResizeGeometry::fill(ResizeAxis& axis, double scale, double roi_start, double roi_end) const {
  const double last = static_cast<double>(axis.input - 1);
  // With antialias, a shrinking filter is stretched so that it covers what it skips.
  const double stretch = antialias_ && scale < 1 ? scale : 1;
  const double support = (mode_ == ResizeMode::cubic ? 2 : 1) / stretch;
  if (axis.input > kMaxInput) too_large(axis.axis, std::to_string(axis.input) + " positions");
  if (axis.output > kMaxEntries || !(support < static_cast<double>(kMaxEntries))) {
    too_large(axis.axis, "a table of " + std::to_string(axis.output) + " outputs of " +
                             std::to_string(support) + " inputs");
  }
  // Beyond the filter's reach there is only the edge.
  const double far = support + 2;
  const auto clamp = [&](double position) {
    return static_cast<int64_t>(std::clamp(position, 0.0, last));
  };
  for (int64_t o = 0; o < axis.output; ++o) {
    double at = input_coordinate(static_cast<double>(o), scale, axis, roi_start, roi_end);
    ResizeAxis::Source source;
    source.first = static_cast<int64_t>(axis.positions.size());
    // A region of interest may hold anything, NaN and infinities too.
    source.outside = transform_ == "tf_crop_and_resize" && !(at >= 0 && at <= last);
    at = at > -far ? std::min(at, last + far) : -far;  // NaN too
    if (source.outside) {
      axis.positions.push_back(0);
      axis.weights.push_back(1);
    } else if (mode_ == ResizeMode::nearest) {
      axis.positions.push_back(clamp(round_nearest(nearest_, at)));
      axis.weights.push_back(1);
    } else {
      // Integer positions closer than the filter reaches.
      const double low = antialias_ ? std::ceil(at - support) : std::floor(at) - (support - 1);
      const double high = antialias_ ? std::floor(at + support) : std::floor(at) + support;
      double sum = 0;
      for (double p = low; p <= high; ++p) {
        const double distance = (at - p) * stretch;
        double weight = mode_ == ResizeMode::cubic
                            ? cubic_weight(std::abs(distance), static_cast<double>(cubic_a_))
                            : std::max(0.0, 1 - std::abs(distance));
        if (exclude_outside_ && (p < 0 || p > last)) weight = 0;
        if (weight == 0) continue;
        sum += weight;
        axis.positions.push_back(clamp(p));
        axis.weights.push_back(weight);
      }
      if (sum != 0 && (exclude_outside_ || antialias_)) {
        for (size_t i = source.first; i < axis.weights.size(); ++i) axis.weights[i] /= sum;
      }
    }
    source.count = static_cast<int64_t>(axis.positions.size()) - source.first;
    if (source.first + source.count > kMaxEntries) {
      too_large(axis.axis, "a table of more entries");
    }
    axis.sources.push_back(source);
  }
}

// The one scale of a policy that keeps the aspect ratio.
std::optional<double> ResizeGeometry::common_scale() const {
  if (scales_.defined()) return std::nullopt;
  std::optional<double> scale;
  for (size_t i = 0; i < sizes_.size(); ++i) {
    const double ratio = static_cast<double>(sizes_[i]) / static_cast<double>(input_[axes_[i]]);
    if (!scale || (policy_ == "not_larger" ? ratio < *scale : ratio > *scale)) scale = ratio;
  }
  return scale;
}

std::vector<ResizeAxis> ResizeGeometry::tables() const {
  const auto* scales = scales_.defined() ? static_cast<const float*>(scales_.data()) : nullptr;
  const std::optional<double> common = common_scale();
  std::vector<ResizeAxis> tables;
  if (numel_of(output_) == 0) return tables;
  const size_t count = axes_.size();
  for (size_t i = 0; i < count; ++i) {
    ResizeAxis axis;
    axis.axis = axes_[i];
    axis.input = input_[axis.axis];
    axis.output = output_[axis.axis];
    double scale = 1;
    if (common) {
      scale = *common;
    } else if (scales != nullptr) {
      scale = static_cast<double>(scales[i]);
    } else if (axis.input > 0) {
      scale = static_cast<double>(axis.output) / static_cast<double>(axis.input);
    }
    if (!(scale > 0 && std::isfinite(scale))) {
      throw Error(ErrorCode::runtime, "axis " + std::to_string(axis.axis) + " is resized by " +
                                          std::to_string(scale) + ", expected a positive number");
    }
    double start = 0, end = 1;
    if (roi_.defined()) {
      start = load_as_double(roi_.dtype(), roi_.data(), static_cast<int64_t>(i));
      end = load_as_double(roi_.dtype(), roi_.data(), static_cast<int64_t>(i + count));
    }
    const bool crops = transform_ == "tf_crop_and_resize" && (start != 0 || end != 1);
    if (axis.input == axis.output && scale == 1 && !crops) continue;
    fill(axis, scale, start, end);
    tables.push_back(std::move(axis));
  }
  return tables;
}

}  // namespace ferry
