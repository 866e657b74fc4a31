#include "cli/compare_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/text.h"
#include "core/convert.h"
#include "core/files.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

std::string describe(const Tensor& tensor) {
  return std::string(to_string(tensor.dtype())) + to_string(std::span(tensor.shape()));
}

std::vector<int64_t> index_of(int64_t flat, const Shape& shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0; flat /= shape[axis])
    index[axis] = flat % shape[axis];
  return index;
}

// Counts what differs and keeps the first of it.
class Counter {
 public:
  Counter(Comparison& out, const Shape& shape) : out_(out), shape_(shape) {}

  template <typename A>
  void add(int64_t i, const A& a, const A& b) {
    if (out_.wrong++ > 0) return;
    out_.first = index_of(i, shape_);
    out_.first_a = fmt::format("{}", a);
    out_.first_b = fmt::format("{}", b);
  }

 private:
  Comparison& out_;
  const Shape& shape_;
};

// Of what is equal or not.
template <typename T, typename Show>
void compare_equal(const Tensor& a, const Tensor& b, Counter counter, Comparison& out, Show show) {
  const auto x = a.span<T>(), y = b.span<T>();
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] != y[i]) counter.add(static_cast<int64_t>(i), show(x[i]), show(y[i]));
  }
  out.worst = out.wrong > 0 ? kInfinite : 0;
}

template <typename T>
std::string show_complex(const std::complex<T>& value) {
  return fmt::format("{}{:+}i", value.real(), value.imag());
}

// Sums over the elements that are finite on both sides.
struct Sums {
  double abs = 0, ab = 0, aa = 0, bb = 0;
  int64_t count = 0;

  void add(double a, double b, Comparison& out) {
    const double error = std::fabs(a - b);
    abs += error;
    ab += a * b;
    aa += a * a;
    bb += b * b;
    ++count;
    out.max_abs = std::max(out.max_abs, error);
    if (b != 0) out.max_rel = std::max(out.max_rel, error / std::fabs(b));
  }
  void finish(Comparison& out) const {
    if (count > 0) out.mean_abs = abs / static_cast<double>(count);
    if (aa == 0 || bb == 0) {
      out.cosine = aa == bb ? 1 : 0;
    } else {
      out.cosine = ab / (std::sqrt(aa) * std::sqrt(bb));
    }
  }
};

void compare_integers(const Tensor& a, const Tensor& b, int steps, Counter counter,
                      Comparison& out) {
  Sums sums;
  for (int64_t i = 0; i < out.count; ++i) {
    const int64_t x = load_as_int64(a.dtype(), a.data(), i);
    const int64_t y = load_as_int64(b.dtype(), b.data(), i);
    sums.add(static_cast<double>(x), static_cast<double>(y), out);
    if (x == y) continue;
    // Without overflow, also where one is near the end of 64 bits.
    const uint64_t apart = x > y ? static_cast<uint64_t>(x) - static_cast<uint64_t>(y)
                                 : static_cast<uint64_t>(y) - static_cast<uint64_t>(x);
    out.worst = std::max(out.worst, static_cast<double>(apart) / std::max(steps, 0));
    if (apart > static_cast<uint64_t>(steps)) counter.add(i, x, y);
  }
  sums.finish(out);
}

void compare_floats(const Tensor& a, const Tensor& b, const Tolerance& tolerance, Counter counter,
                    Comparison& out) {
  Sums sums;
  for (int64_t i = 0; i < out.count; ++i) {
    const double x = load_as_double(a.dtype(), a.data(), i);
    const double y = load_as_double(b.dtype(), b.data(), i);
    if (std::isfinite(x) && std::isfinite(y)) {
      sums.add(x, y, out);
      if (x == y) continue;
      const double allowed = tolerance.atol + tolerance.rtol * std::fabs(y);
      const double excess = allowed == 0 ? kInfinite : std::fabs(x - y) / allowed;
      out.worst = std::max(out.worst, excess);
      if (excess > 1) counter.add(i, x, y);
    } else if (x != y && !(std::isnan(x) && std::isnan(y))) {
      ++(std::isnan(x) || std::isnan(y) ? out.nan_mismatches : out.infinity_mismatches);
      out.worst = kInfinite;
      counter.add(i, x, y);
    }
  }
  sums.finish(out);
}

// ---- tolerances ---------------------------------------------------------------------------------

// About what a deep model makes of the last place of each type.
struct OfType {
  DType dtype;
  Tolerance tolerance;
};
constexpr OfType kByType[] = {{float64, {1e-6, 1e-9}},
                              {float32, {1e-3, 1e-5}},
                              {float16, {1e-2, 1e-3}},
                              {bfloat16, {5e-2, 1e-2}}};
constexpr Tolerance kSmallFloats = {2e-1, 5e-2};  // of 8 bits and less

Tolerance of_type(DType dtype) {
  const auto found = std::ranges::find(kByType, dtype, &OfType::dtype);
  return found == std::end(kByType) ? kSmallFloats : found->tolerance;
}

constexpr std::string_view kPresets[] = {"onnx", "dtype", "int8", "exact"};

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message);
}

}  // namespace

Comparison compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance) {
  Comparison out;
  out.count = b.numel();
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) {
    out.other_type = "is " + describe(a) + ", expected " + describe(b);
    out.worst = kInfinite;
    return out;
  }
  const Counter counter(out, b.shape());
  const DType dtype = b.dtype();
  if (dtype == DType::string) {
    compare_equal<std::string>(a, b, counter, out,
                               [](const std::string& text) { return "'" + text + "'"; });
  } else if (dtype == DType::complex64) {
    compare_equal<std::complex<float>>(a, b, counter, out, show_complex<float>);
  } else if (dtype == DType::complex128) {
    compare_equal<std::complex<double>>(a, b, counter, out, show_complex<double>);
  } else if (is_floating(dtype)) {
    compare_floats(a, b, tolerance, counter, out);
  } else {
    compare_integers(a, b, dtype == DType::boolean ? 0 : tolerance.steps, counter, out);
  }
  return out;
}

std::string Comparison::difference() const {
  if (same()) return "";
  if (!other_type.empty()) return other_type;
  const std::string at =
      first.empty() ? "" : fmt::format(", first at [{}]", fmt::join(first, ", "));
  std::string out = fmt::format("{} of {} elements differ{}: {} where {} is expected", wrong, count,
                                at, first_a, first_b);
  if (max_abs > 0) out += fmt::format("; largest difference {:.3g}", max_abs);
  return out;
}

Tolerances::Numbers Tolerances::read(std::string option, const std::vector<std::string>& texts) {
  Numbers out{std::move(option), {}};
  for (const std::string& text : texts) {
    const size_t equals = text.rfind('=');
    const auto value =
        number<double>(std::string_view(text).substr(equals == std::string::npos ? 0 : equals + 1));
    if (!value || !(*value >= 0)) {
      refuse(out.option + " " + text + ": expected a number from 0 on, or NAME=NUMBER.");
    }
    out.by_name[equals == std::string::npos ? "" : text.substr(0, equals)] = *value;
  }
  return out;
}

Tolerances::Tolerances(std::string_view preset, const std::vector<std::string>& rtol,
                       const std::vector<std::string>& atol)
    : preset_(preset), rtol_(read("--rtol", rtol)), atol_(read("--atol", atol)) {
  if (std::ranges::find(kPresets, preset) != std::end(kPresets)) return;
  refuse("--preset " + preset_ + ": expected onnx, dtype, int8 or exact." +
         suggestion(preset, {std::begin(kPresets), std::end(kPresets)}));
}

void Tolerances::check_names(const std::vector<std::string>& names) const {
  for (const Numbers* numbers : {&rtol_, &atol_}) {
    for (const auto& [name, value] : numbers->by_name) {
      if (name.empty() || std::ranges::find(names, name) != names.end()) continue;
      throw Error(ErrorCode::not_found,
                  "the model has no output named '" + name + "'." + suggestion(name, names));
    }
  }
}

Tolerance Tolerances::of(const std::string& name, DType dtype) const {
  Tolerance out = preset_ == "onnx"    ? fixed_
                  : preset_ == "exact" ? Tolerance{0, 0}
                                       : of_type(dtype);
  if (preset_ == "int8" && (dtype == DType::int8 || dtype == DType::uint8)) out.steps = 1;
  const auto set = [&](const Numbers& numbers, double& value) {
    for (const std::string& key : {std::string(), name}) {
      if (const auto at = numbers.by_name.find(key); at != numbers.by_name.end())
        value = at->second;
    }
  };
  set(rtol_, out.rtol);
  set(atol_, out.atol);
  return out;
}

void Tolerances::set_preset(const Tolerance& tolerance) {
  preset_ = "onnx";
  fixed_ = tolerance;
}

CaseData read_case_data(const std::string& folder) {
  CaseData out;
  const std::string path = folder + "/data.json";
  if (!std::filesystem::exists(path)) return out;
  const auto json = nlohmann::json::parse(read_file(path), nullptr, false);
  if (!json.is_object()) refuse("'" + path + "': expected a JSON object.");
  const auto read = [&](const char* key, double& value) {
    const auto at = json.find(key);
    if (at == json.end()) return;
    if (!at->is_number() || !(at->get<double>() >= 0)) {
      refuse(fmt::format("'{}': {}: expected a number from 0 on, got {}.", path, key, at->dump()));
    }
    value = at->get<double>();
    out.has_tolerance = true;
  };
  read("rtol", out.tolerance.rtol);
  read("atol", out.tolerance.atol);
  if (const auto url = json.find("url"); url != json.end()) {
    if (!url->is_string()) refuse("'" + path + "': url: expected a text, got " + url->dump() + ".");
    out.url = url->get<std::string>();
  }
  return out;
}

}  // namespace ferry::cli
