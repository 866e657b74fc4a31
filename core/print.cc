#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <ostream>
#include <string>
#include <vector>

#include "core/convert.h"
#include "core/element_type.h"
#include "ferry/tensor.h"

// Prints tensors as PyTorch does with its default options: 4 digits, 80 columns, at most 1000
// elements in full and 3 at each edge beyond that. Of a tensor with more axes than PyTorch allows,
// 64, only the shape is printed.
namespace ferry {
namespace {

constexpr int kPrecision = 4;
constexpr int64_t kThreshold = 1000;
constexpr int64_t kEdgeItems = 3;
constexpr int64_t kLineWidth = 80;
constexpr int64_t kMostAxes = 64;

// Formats real numbers in one notation and to one width, both chosen from the numbers shown.
class NumberFormatter {
 public:
  NumberFormatter() = default;
  explicit NumberFormatter(const std::vector<double>& shown) {
    double smallest = INFINITY, largest = 0;
    for (const double v : shown) {
      if (!std::isfinite(v) || v == 0) continue;
      smallest = std::min(smallest, std::fabs(v));
      largest = std::max(largest, std::fabs(v));
      if (v != std::ceil(v)) integral_ = false;
    }
    if (largest == 0) return;
    scientific_ =
        largest / smallest > 1000.0 || largest > 1.0e8 || (!integral_ && smallest < 1.0e-4);
    for (const double v : shown) {
      if (std::isfinite(v) && v != 0) width_ = std::max(width_, text(v).size());
    }
  }

  std::string operator()(double v) const {
    const std::string number = text(v);
    return std::string(width_ > number.size() ? width_ - number.size() : 0, ' ') + number;
  }
  size_t width() const { return width_; }

 private:
  std::string text(double v) const {
    if (std::isnan(v)) return "nan";
    if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
    if (scientific_) return fmt::format("{:.{}e}", v, kPrecision);
    if (integral_) return fmt::format("{:.0f}.", v);
    return fmt::format("{:.{}f}", v, kPrecision);
  }

  size_t width_ = 1;
  bool integral_ = true;
  bool scientific_ = false;
};

// Formats the elements of a host tensor, all to one width, as the elements at `shown` need it.
class ElementFormatter {
 public:
  ElementFormatter(const Tensor& host, const std::vector<int64_t>& shown) : host_(host) {
    if (is_floating(host.dtype()) || is_complex(host.dtype())) {
      std::vector<double> real, imaginary;
      for (const int64_t i : shown) {
        real.push_back(part(i, false));
        imaginary.push_back(part(i, true));
      }
      real_ = NumberFormatter(real);
      imaginary_ = NumberFormatter(imaginary);
      width_ = real_.width() + (is_complex(host.dtype()) ? imaginary_.width() + 2 : 0);
    } else {
      for (const int64_t i : shown) width_ = std::max(width_, plain(i).size());
    }
  }

  size_t width() const { return width_; }

  std::string operator()(int64_t index) const {
    if (is_floating(host_.dtype())) return real_(part(index, false));
    if (is_complex(host_.dtype())) return complex(index);
    const std::string text = plain(index);
    return std::string(width_ > text.size() ? width_ - text.size() : 0, ' ') + text;
  }

 private:
  // The real or imaginary part; the latter of a real element is 0.
  double part(int64_t i, bool imaginary) const {
    if (host_.dtype() == DType::complex64) {
      const std::complex<float> v = host_.span<std::complex<float>>()[i];
      return imaginary ? v.imag() : v.real();
    }
    if (host_.dtype() == DType::complex128) {
      const std::complex<double> v = host_.span<std::complex<double>>()[i];
      return imaginary ? v.imag() : v.real();
    }
    return imaginary ? 0 : load_as_double(host_.dtype(), host_.data(), i);
  }

  std::string complex(int64_t i) const {
    std::string imaginary = imaginary_(part(i, true)) + "j";
    imaginary.erase(0, imaginary.find_first_not_of(' '));
    return real_(part(i, false)) + (imaginary[0] == '-' ? "" : "+") + imaginary;
  }

  std::string plain(int64_t i) const {
    switch (host_.dtype()) {
      case DType::boolean:
        return host_.span<bool>()[i] ? "True" : "False";
      case DType::string:
        return "'" + host_.span<std::string>()[i] + "'";
      case DType::uint64:
        return std::to_string(host_.span<uint64_t>()[i]);
      default:
        return std::to_string(load_as_int64(host_.dtype(), host_.data(), i));
    }
  }

  const Tensor& host_;
  NumberFormatter real_, imaginary_;
  size_t width_ = 1;
};

// Indices along an axis of `size` that are shown; -1 stands for the ellipsis.
std::vector<int64_t> shown_along(int64_t size, bool summarize) {
  std::vector<int64_t> out;
  if (!summarize || size <= 2 * kEdgeItems) {
    for (int64_t i = 0; i < size; ++i) out.push_back(i);
    return out;
  }
  for (int64_t i = 0; i < kEdgeItems; ++i) out.push_back(i);
  out.push_back(-1);
  for (int64_t i = size - kEdgeItems; i < size; ++i) out.push_back(i);
  return out;
}

void collect(const Shape& shape, size_t axis, int64_t offset, bool summarize,
             std::vector<int64_t>& out) {
  if (axis == shape.size()) {
    out.push_back(offset);
    return;
  }
  for (const int64_t i : shown_along(shape[axis], summarize)) {
    if (i >= 0) collect(shape, axis + 1, offset * shape[axis] + i, summarize, out);
  }
}

std::string join(const std::vector<std::string>& parts, const std::string& separator) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) out += (i > 0 ? separator : "") + parts[i];
  return out;
}

std::string body(const Shape& shape, size_t axis, int64_t offset, int64_t indent, bool summarize,
                 const ElementFormatter& format) {
  if (axis == shape.size()) return format(offset);
  const std::vector<int64_t> shown = shown_along(shape[axis], summarize);
  const std::string pad(static_cast<size_t>(indent) + 1, ' ');
  std::vector<std::string> parts;
  if (axis + 1 < shape.size()) {
    for (const int64_t i : shown) {
      parts.push_back(
          i < 0 ? "..."
                : body(shape, axis + 1, offset * shape[axis] + i, indent + 1, summarize, format));
    }
    return "[" + join(parts, "," + std::string(shape.size() - axis - 1, '\n') + pad) + "]";
  }
  for (const int64_t i : shown) {
    parts.push_back(i < 0 ? " ..." : format(offset * shape[axis] + i));
  }
  const auto per_line = static_cast<size_t>(
      std::max<int64_t>(1, (kLineWidth - indent) / static_cast<int64_t>(format.width() + 2)));
  std::vector<std::string> lines;
  for (size_t i = 0; i < parts.size(); i += per_line) {
    lines.push_back(
        join({parts.begin() + static_cast<std::ptrdiff_t>(i),
              parts.begin() + static_cast<std::ptrdiff_t>(std::min(parts.size(), i + per_line))},
             ", "));
  }
  return "[" + join(lines, ",\n" + pad) + "]";
}

std::string size_tuple(const Shape& shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return out + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace

std::string Tensor::str() const {
  if (!defined()) return "tensor(undefined)";
  const std::string prefix = "tensor(";
  const auto indent = static_cast<int64_t>(prefix.size());
  const std::string dtype_suffix = "dtype=torch." + std::string(to_string(dtype_));

  std::vector<std::string> suffixes;
  if (!device().is_cpu()) suffixes.push_back("device='" + device().str() + "'");
  std::string text;
  if (numel() == 0) {
    if (dim() != 1) suffixes.push_back("size=" + size_tuple(shape_));
    if (dtype_ != DType::float32) suffixes.push_back(dtype_suffix);
    text = "[]";
  } else if (dim() > kMostAxes) {
    suffixes.push_back("size=" + size_tuple(shape_));
    suffixes.push_back(dtype_suffix);
    text = "...";
  } else {
    if (dtype_ != DType::float32 && dtype_ != DType::int64 && dtype_ != DType::boolean &&
        dtype_ != DType::complex64 && dtype_ != DType::string) {
      suffixes.push_back(dtype_suffix);
    }
    const Tensor host = cpu().contiguous();
    const bool summarize = numel() > kThreshold;
    std::vector<int64_t> shown;
    collect(shape_, 0, 0, summarize, shown);
    text = body(shape_, 0, 0, indent, summarize, ElementFormatter(host, shown));
  }

  std::string out = prefix + text;
  const size_t newline = out.rfind('\n');
  int64_t last_line = newline == std::string::npos ? static_cast<int64_t>(out.size()) + 2
                                                   : static_cast<int64_t>(out.size() - newline) + 1;
  for (const std::string& suffix : suffixes) {
    const auto size = static_cast<int64_t>(suffix.size());
    if (last_line + size + 2 > kLineWidth) {
      out += ",\n" + std::string(prefix.size(), ' ') + suffix;
      last_line = indent + size;
    } else {
      out += ", " + suffix;
      last_line += size + 2;
    }
  }
  return out + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << tensor.str(); }

}  // namespace ferry
