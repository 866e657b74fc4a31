#include "cli/input_spec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "cli/dims.h"
#include "cli/image.h"
#include "cli/text.h"
#include "core/convert.h"
#include "core/files.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message);
}

// Concrete sizes of an input, from --dim; 1 for symbols without a size.
class Sizes {
 public:
  explicit Sizes(std::map<std::string, int64_t> dims) : dims_(std::move(dims)) {}

  Shape of(const TensorInfo& info) {
    Shape shape;
    for (const std::string& dim : info.dims) {
      if (const auto size = number<int64_t>(dim)) {
        shape.push_back(*size);
        continue;
      }
      const auto given = dims_.find(dim);
      if (given == dims_.end() && assumed_.insert(dim).second) {
        note("size '" + dim + "' of input '" + info.name + "' is not given: 1 is assumed (--dim " +
             dim + "=N)");
      }
      shape.push_back(given == dims_.end() ? 1 : given->second);
    }
    return shape;
  }

 private:
  std::map<std::string, int64_t> dims_;
  std::set<std::string> assumed_;
};

// A range that suits a type: [-1, 1) for floats; small non-negative integers, which are valid
// indices almost everywhere.
Tensor random_tensor(const Shape& shape, DType dtype, double low, double high, uint64_t seed) {
  Tensor out = Tensor::empty(shape, dtype);
  std::mt19937_64 generator(seed);
  const int64_t count = out.numel();
  for (int64_t i = 0; i < count; ++i) {
    const double unit = static_cast<double>(generator() >> 11) * 0x1p-53;
    double value = low + unit * (high - low);
    if (!is_floating(dtype)) value = std::floor(low + unit * (high - low + 1));
    store_from_double(dtype, out.mutable_data(), i, value);
  }
  return out;
}

Tensor default_random(const TensorInfo& info, const Shape& shape, uint64_t seed) {
  if (info.dtype == DType::string) return Tensor::empty(shape, DType::string);
  return is_floating(info.dtype) ? random_tensor(shape, info.dtype, -1, 1, seed)
                                 : random_tensor(shape, info.dtype, 0, 1, seed);
}

Tensor parse_raw(const std::string& spec) {
  const size_t first = spec.find(','), second = spec.find(',', first + 1);
  if (first == std::string::npos || second == std::string::npos) {
    refuse("'raw:" + spec + "': expected raw:FILE,DTYPE,SHAPE, as in raw:x.bin,float32,2x3.");
  }
  const DType dtype = dtype_from_string(spec.substr(first + 1, second - first - 1));
  if (dtype == DType::string || dtype == DType::undefined) {
    refuse("'raw:" + spec + "': the bytes of a file are no " + std::string(to_string(dtype)) +
           " elements; strings come as json: or from a .npy file.");
  }
  Shape shape;
  for (size_t start = second + 1; start <= spec.size();) {
    const size_t end = std::min(spec.find('x', start), spec.size());
    const auto size = number<int64_t>(std::string_view(spec).substr(start, end - start));
    if (!size || *size < 0) {
      refuse("'raw:" + spec + "': the shape must be sizes between x, as in 2x3.");
    }
    shape.push_back(*size);
    start = end + 1;
  }
  const std::string bytes = read_file(spec.substr(0, first));
  if (bytes.size() != dtype_bytes(dtype, numel_of(shape))) {
    refuse("'raw:" + spec + "': the file has " + std::to_string(bytes.size()) + " bytes, shape " +
           to_string(std::span(shape)) + " of " + std::string(to_string(dtype)) + " has " +
           std::to_string(dtype_bytes(dtype, numel_of(shape))) + ".");
  }
  Tensor out = Tensor::empty(shape, dtype);
  std::memcpy(out.mutable_data(), bytes.data(), bytes.size());
  return out;
}

// Nested lists as the elements of a tensor.
class JsonElements {
 public:
  explicit JsonElements(const nlohmann::json& json) { collect(json, 0); }

  Tensor as(DType dtype) const {
    if (is_complex(dtype)) refuse("json: complex numbers cannot be written; use a .npy file.");
    if (is_integer(dtype) && dtype != DType::uint64) return integers(dtype);
    Tensor out = Tensor::empty(shape_, dtype);
    for (size_t i = 0; i < leaves_.size(); ++i) store(out, i, *leaves_[i]);
    return out;
  }

 private:
  static constexpr size_t kDeepest = 32;

  void collect(const nlohmann::json& json, size_t depth) {
    if (!json.is_array()) {
      if (depth != shape_.size()) refuse("json: lists of unequal depth.");
      leaves_.push_back(&json);
      return;
    }
    const auto size = static_cast<int64_t>(json.size());
    if (depth == shape_.size()) {
      if (!leaves_.empty()) refuse("json: lists of unequal depth.");
      if (depth == kDeepest) refuse("json: lists are nested too deeply.");
      shape_.push_back(size);
    }
    if (shape_[depth] != size) refuse("json: lists of unequal length.");
    for (const auto& item : json) collect(item, depth + 1);
  }

  [[noreturn]] static void mismatch(const nlohmann::json& leaf, DType dtype) {
    refuse("json: " + leaf.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
           " is not an element of type " + std::string(to_string(dtype)) + ".");
  }

  // Exactly, whatever the type: through 64 bits and back.
  Tensor integers(DType dtype) const {
    std::vector<int64_t> values;
    for (const nlohmann::json* leaf : leaves_) {
      const bool fits = leaf->is_number_integer() &&
                        !(leaf->is_number_unsigned() && leaf->get<uint64_t>() > INT64_MAX);
      if (!fits) mismatch(*leaf, dtype);
      values.push_back(leaf->get<int64_t>());
    }
    const Tensor out = Tensor::from(values, shape_).to(dtype);
    for (size_t i = 0; i < values.size(); ++i) {
      if (load_as_int64(dtype, out.data(), static_cast<int64_t>(i)) != values[i]) {
        mismatch(*leaves_[i], dtype);
      }
    }
    return out;
  }

  static void store(Tensor& out, size_t i, const nlohmann::json& leaf) {
    const DType dtype = out.dtype();
    if (dtype == DType::string) {
      if (!leaf.is_string()) mismatch(leaf, dtype);
      out.mutable_span<std::string>()[i] = leaf.get<std::string>();
    } else if (dtype == DType::boolean) {
      if (!leaf.is_boolean()) mismatch(leaf, dtype);
      out.mutable_span<bool>()[i] = leaf.get<bool>();
    } else if (dtype == DType::uint64) {
      if (!leaf.is_number_unsigned()) mismatch(leaf, dtype);
      out.mutable_span<uint64_t>()[i] = leaf.get<uint64_t>();
    } else {
      store_from_double(dtype, out.mutable_data(), static_cast<int64_t>(i), real(leaf, dtype));
    }
  }

  // A number, or the words that --format json has for what JSON cannot write.
  static double real(const nlohmann::json& leaf, DType dtype) {
    if (leaf.is_number()) return leaf.get<double>();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (leaf == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (leaf == "Infinity") return kInfinity;
    if (leaf == "-Infinity") return -kInfinity;
    mismatch(leaf, dtype);
  }

  Shape shape_;
  std::vector<const nlohmann::json*> leaves_;
};

Tensor parse_json(const std::string& text, DType dtype) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) refuse("'json:" + text + "' is not valid JSON.");
  return JsonElements(json).as(dtype);
}

Tensor parse_rand(const std::string& range, const TensorInfo& info, const Shape& shape,
                  uint64_t seed) {
  const size_t dots = range.find("..");
  const std::string_view text(range);
  const auto low = number<double>(text.substr(0, dots));
  const auto high =
      dots == std::string::npos ? std::nullopt : number<double>(text.substr(dots + 2));
  if (!low || !high || !(*low <= *high) || !std::isfinite(*high - *low)) {
    refuse("'rand:" + range + "': expected rand:LO..HI, as in rand:0..99.");
  }
  return random_tensor(shape, info.dtype, *low, *high, seed);
}

Tensor parse_spec(const std::string& spec, const TensorInfo& info, Sizes& sizes, uint64_t seed) {
  if (spec == "rand") return default_random(info, sizes.of(info), seed);
  if (spec == "zeros") return Tensor::zeros(sizes.of(info), info.dtype);
  if (spec == "ones") return Tensor::full(sizes.of(info), 1, info.dtype);
  if (spec.starts_with("rand:")) return parse_rand(spec.substr(5), info, sizes.of(info), seed);
  if (spec.starts_with("raw:")) return parse_raw(spec.substr(4));
  if (spec.starts_with("img:")) return load_image(spec.substr(4), info);
  if (spec.starts_with("json:")) return parse_json(spec.substr(5), info.dtype);
  return Tensor::load(spec);
}

// All inputs of a folder or archive. Names of an archive that are no inputs are left alone: goldens
// often hold outputs beside them.
std::map<std::string, Tensor> load_all(const std::string& path, const Model& model) {
  std::map<std::string, Tensor> out;
  const std::vector<TensorInfo> inputs = model.inputs();
  if (path.ends_with(".npz") || path.ends_with(".safetensors")) {
    for (const auto& [name, tensor] : NamedValues::load(path)) out[name] = tensor;
    std::erase_if(out, [&](const auto& item) {
      return std::ranges::find(inputs, item.first, &TensorInfo::name) == inputs.end();
    });
    if (out.empty()) {
      throw Error(ErrorCode::not_found, "'" + path + "' holds none of the model's inputs.");
    }
    return out;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string file = path + "/input_" + std::to_string(i) + ".pb";
    std::error_code error;
    if (std::filesystem::exists(file, error)) {
      out[inputs[i].name] = Tensor::load(file);
    } else if (error) {
      throw Error(ErrorCode::io, "cannot look for '" + file + "': " + error.message() + ".");
    }
  }
  if (out.empty()) throw Error(ErrorCode::not_found, "'" + path + "' has no input_0.pb.");
  return out;
}

}  // namespace

Inputs make_inputs(const Model& model, const InputArgs& args) {
  const std::map<std::string, int64_t> dims = parse_dims(args.dims);
  require_known_dims(dims, model);
  const std::vector<TensorInfo> infos = model.inputs();
  std::vector<std::string> names;
  for (const TensorInfo& info : infos) names.push_back(info.name);

  std::map<std::string, Tensor> tensors;
  if (!args.all.empty()) tensors = load_all(args.all, model);
  std::map<std::string, std::string> specs;
  for (const std::string& text : args.inputs) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      refuse("'" + text + "': expected -i NAME=SPEC, as in -i x=rand or -i x=image.npy.");
    }
    const std::string name = text.substr(0, equals);
    if (std::ranges::find(names, name) == names.end()) {
      throw Error(ErrorCode::not_found,
                  "the model has no input named '" + name + "'." + suggestion(name, names));
    }
    specs[name] = text.substr(equals + 1);
  }
  Sizes sizes(dims);
  Inputs out;
  for (size_t i = 0; i < infos.size(); ++i) {
    const TensorInfo& info = infos[i];
    const uint64_t seed = static_cast<uint64_t>(args.seed) * 1000003 + i;
    const auto spec = specs.find(info.name);
    const auto loaded = tensors.find(info.name);
    if (spec != specs.end()) {
      out.add(info.name, parse_spec(spec->second, info, sizes, seed));
    } else if (loaded != tensors.end()) {
      out.add(info.name, loaded->second);
    } else {
      const Shape shape = sizes.of(info);
      note("input '" + info.name + "' is not given: random " + std::string(to_string(info.dtype)) +
           to_string(std::span(shape)) + ", seed " + std::to_string(args.seed));
      out.add(info.name, default_random(info, shape, seed));
    }
  }
  return out;
}

Inputs as_model_takes(const Inputs& inputs, const Model& model) {
  const std::vector<TensorInfo> infos = model.inputs();
  Inputs out;
  for (const auto& [name, tensor] : inputs) {
    const DType wanted = std::ranges::find(infos, name, &TensorInfo::name)->dtype;
    out.add(name, is_floating(tensor.dtype()) && is_floating(wanted) ? tensor.to(wanted) : tensor);
  }
  return out;
}

}  // namespace ferry::cli
