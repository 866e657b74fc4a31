#include "cli/compare_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>

#include "core/convert.h"

namespace ferry::cli {
namespace {

std::string describe(const Tensor& tensor) {
  return std::string(to_string(tensor.dtype())) + to_string(std::span(tensor.shape()));
}

template <typename T>
int64_t mismatches(const Tensor& a, const Tensor& b, int64_t& first) {
  const auto x = a.span<T>(), y = b.span<T>();
  int64_t count = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] != y[i] && count++ == 0) first = static_cast<int64_t>(i);
  }
  return count;
}

}  // namespace

std::string difference(const Tensor& actual, const Tensor& expected, Tolerance tolerance) {
  if (actual.dtype() != expected.dtype() || actual.shape() != expected.shape()) {
    return "is " + describe(actual) + ", expected " + describe(expected);
  }
  const int64_t count = actual.numel();
  int64_t first = 0;
  const DType dtype = actual.dtype();
  if (dtype == DType::string || is_complex(dtype)) {
    const int64_t wrong = dtype == DType::string ? mismatches<std::string>(actual, expected, first)
                          : dtype == DType::complex64
                              ? mismatches<std::complex<float>>(actual, expected, first)
                              : mismatches<std::complex<double>>(actual, expected, first);
    return wrong == 0 ? ""
                      : fmt::format("{} of {} elements differ, first at {}", wrong, count, first);
  }
  int64_t wrong = 0;
  double worst = 0, first_actual = 0, first_expected = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!is_floating(dtype)) {
      const int64_t a = load_as_int64(dtype, actual.data(), i);
      const int64_t e = load_as_int64(dtype, expected.data(), i);
      if (a == e) continue;
      if (wrong++ == 0) {
        first = i;
        first_actual = static_cast<double>(a);
        first_expected = static_cast<double>(e);
      }
      continue;
    }
    const double a = load_as_double(dtype, actual.data(), i);
    const double e = load_as_double(dtype, expected.data(), i);
    const double error = std::fabs(a - e);
    const bool same = a == e || (std::isnan(a) && std::isnan(e)) ||
                      error <= tolerance.atol + tolerance.rtol * std::fabs(e);
    if (same && std::isfinite(e) == std::isfinite(a)) continue;
    worst = std::max(worst, std::isnan(error) ? INFINITY : error);
    if (wrong++ == 0) {
      first = i;
      first_actual = a;
      first_expected = e;
    }
  }
  if (wrong == 0) return "";
  return fmt::format("{} of {} elements differ, first at {}: {} where {} is expected{}", wrong,
                     count, first, first_actual, first_expected,
                     is_floating(dtype) ? fmt::format("; largest difference {:.3g}", worst) : "");
}

}  // namespace ferry::cli
