#include "cli/tensor_text.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "cli/text.h"
#include "core/convert.h"
#include "core/files.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

template <typename T>
Json complex_number(const Tensor& tensor, int64_t i) {
  const std::complex<T> value = tensor.span<std::complex<T>>()[i];
  return {json_number(value.real()), json_number(value.imag())};
}

Json element(const Tensor& tensor, int64_t i) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::string) return tensor.span<std::string>()[i];
  if (dtype == DType::boolean) return load_as_int64(dtype, tensor.data(), i) != 0;
  if (dtype == DType::complex64) return complex_number<float>(tensor, i);
  if (dtype == DType::complex128) return complex_number<double>(tensor, i);
  if (dtype == DType::uint64) return tensor.span<uint64_t>()[i];
  if (is_integer(dtype)) return load_as_int64(dtype, tensor.data(), i);
  return json_number(load_as_double(dtype, tensor.data(), i));
}

Json nested(const Tensor& tensor, size_t axis, int64_t& next) {
  if (axis == tensor.shape().size()) return element(tensor, next++);
  Json list = Json::array();
  for (int64_t i = 0; i < tensor.shape()[axis]; ++i) {
    list.push_back(nested(tensor, axis + 1, next));
  }
  return list;
}

[[noreturn]] void refuse_labels(const std::string& path, const std::string& reason) {
  throw Error(ErrorCode::invalid_argument, "the labels of '" + path + "' " + reason);
}

std::string label_of(const Json& value, const std::string& path) {
  const Json& last = value.is_array() && !value.empty() ? value.back() : value;
  if (!last.is_string()) refuse_labels(path, "are not all texts: " + value.dump() + ".");
  return last.get<std::string>();
}

std::vector<std::string> labels_by_number(const Json& object, const std::string& path) {
  std::vector<std::string> labels(object.size());
  for (const auto& [key, value] : object.items()) {
    const auto index = number<size_t>(key);
    if (!index || *index >= labels.size()) {
      refuse_labels(path, "have the key \"" + key + "\"; keys must be the numbers from 0 to " +
                              std::to_string(labels.size() - 1) + ".");
    }
    labels[*index] = label_of(value, path);
  }
  return labels;
}

}  // namespace

Json tensor_json(const Tensor& tensor) {
  const Tensor plain = tensor.contiguous();
  int64_t next = 0;
  return {{"dtype", to_string(plain.dtype())},
          {"shape", plain.shape()},
          {"values", nested(plain, 0, next)}};
}

std::vector<std::string> read_labels(const std::string& path) {
  const std::string text = read_file(path);
  const size_t first = text.find_first_not_of(" \t\r\n");
  std::vector<std::string> labels;
  if (first != std::string::npos && (text[first] == '[' || text[first] == '{')) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) refuse_labels(path, "are not valid JSON.");
    if (json.is_object()) return labels_by_number(json, path);
    for (const Json& value : json) labels.push_back(label_of(value, path));
    return labels;
  }
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    labels.push_back(text.substr(start, end - start));
    if (labels.back().ends_with('\r')) labels.back().pop_back();
    start = end + 1;
  }
  return labels;
}

std::vector<std::vector<Ranked>> largest(const Tensor& tensor, int count) {
  const Tensor plain = tensor.contiguous();
  const int64_t width = plain.dim() == 0 ? 1 : plain.shape().back();
  std::vector<std::vector<Ranked>> rows;
  for (int64_t start = 0; start < plain.numel(); start += width) {
    std::vector<Ranked>& row = rows.emplace_back();
    for (int64_t i = 0; i < width; ++i) {
      row.push_back({i, load_as_double(plain.dtype(), plain.data(), start + i)});
    }
    // NaN is larger than any number, as in PyTorch's topk.
    std::ranges::stable_sort(row, [](const Ranked& a, const Ranked& b) {
      return std::isnan(b.value) ? false : std::isnan(a.value) || a.value > b.value;
    });
    row.resize(std::min(row.size(), static_cast<size_t>(count)));
  }
  return rows;
}

}  // namespace ferry::cli
