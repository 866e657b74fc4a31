#include "ferry/tensor.h"

#include <algorithm>
#include <complex>
#include <cstring>

#include "core/checked.h"
#include "core/convert.h"
#include "core/element_type.h"
#include "core/storage.h"
#include "ferry/error.h"

// The parts of Tensor that need no device but the host. Moving between devices is in
// devices/tensor_to.cc, files are in importer/tensor_file.cc.
namespace ferry {
namespace {

[[noreturn]] void invalid(std::string message) {
  throw Error(ErrorCode::invalid_argument, std::move(message));
}

void require_host(const Tensor& tensor, const char* what) {
  if (!tensor.device().is_cpu()) {
    invalid(std::string(what) + " needs a tensor on the CPU; this one is on " +
            tensor.device().str() + ". Call cpu() first.");
  }
}

void flatten(const NestedList& list, size_t depth, Shape& shape, std::vector<double>& values) {
  if (!list.is_list()) {
    if (depth != shape.size()) invalid("Tensor::from: lists of unequal depth.");
    values.push_back(list.value());
    return;
  }
  const auto size = static_cast<int64_t>(list.items().size());
  if (depth == shape.size()) {
    if (!values.empty()) invalid("Tensor::from: lists of unequal depth.");
    shape.push_back(size);
  }
  if (shape[depth] != size) {
    invalid("Tensor::from: a list of " + std::to_string(size) +
            " items where its neighbours have " + std::to_string(shape[depth]) + ".");
  }
  for (const NestedList& item : list.items()) flatten(item, depth + 1, shape, values);
}

}  // namespace

int64_t numel_of(std::span<const int64_t> shape) {
  int64_t count = 1;
  bool zero = false;
  for (const int64_t size : shape) {
    if (size < 0) invalid("shape " + to_string(shape) + " has a negative size.");
    if (size == 0) zero = true;
    if (zero) continue;
    const auto product = checked_mul(count, size);
    if (!product) invalid("shape " + to_string(shape) + " has more than 2^63 elements.");
    count = *product;
  }
  return zero ? 0 : count;
}

std::string to_string(std::span<const int64_t> shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + "]";
}

Tensor::Tensor(std::shared_ptr<Storage> storage, Shape shape, DType dtype, size_t offset,
               MemoryFormat format)
    : storage_(std::move(storage)),
      shape_(std::move(shape)),
      offset_(offset),
      dtype_(dtype),
      format_(format) {}

Tensor Tensor::full(Shape shape, double value, DType dtype, Device device) {
  Tensor out = empty(std::move(shape), dtype);
  const int64_t count = out.numel();
  for (int64_t i = 0; i < count; ++i) store_from_double(dtype, out.mutable_data(), i, value);
  return device.is_cpu() ? out : out.to(device);
}

Tensor Tensor::zeros(Shape shape, DType dtype, Device device) {
  Tensor out = empty(std::move(shape), dtype);
  if (dtype != DType::string && out.nbytes() > 0) std::memset(out.mutable_data(), 0, out.nbytes());
  return device.is_cpu() ? out : out.to(device);
}

Tensor Tensor::from(NestedList values, DType dtype) {
  Shape shape;
  std::vector<double> flat;
  flatten(values, 0, shape, flat);
  Tensor out = empty(std::move(shape), dtype);
  for (size_t i = 0; i < flat.size(); ++i) {
    store_from_double(dtype, out.mutable_data(), static_cast<int64_t>(i), flat[i]);
  }
  return out;
}

template <typename T>
Tensor Tensor::copy_of(std::span<const T> values, Shape shape) {
  if (numel_of(shape) != static_cast<int64_t>(values.size())) {
    invalid("Tensor::from: " + std::to_string(values.size()) + " values for shape " +
            to_string(shape) + ".");
  }
  Tensor out = empty(std::move(shape), kDTypeOf<T>);
  std::copy(values.begin(), values.end(), out.mutable_span<T>().begin());
  return out;
}

Tensor Tensor::from_blob(void* data, Shape shape, DType dtype, std::shared_ptr<const void> owner) {
  const size_t bytes = dtype_bytes(dtype, numel_of(shape));
  if (data == nullptr && bytes > 0) invalid("Tensor::from_blob: the address is null.");
  auto storage = std::make_shared<Storage>(data, bytes, Device::cpu(), std::move(owner));
  return Tensor(std::move(storage), std::move(shape), dtype);
}

int64_t Tensor::size(int64_t axis) const {
  if (axis < -dim() || axis >= dim()) {
    invalid("axis " + std::to_string(axis) + " is out of range for shape " + to_string(shape_) +
            ".");
  }
  return shape_[axis < 0 ? axis + dim() : axis];
}

int64_t Tensor::numel() const { return defined() ? numel_of(shape_) : 0; }

Device Tensor::device() const { return defined() ? storage_->device() : Device::cpu(); }

size_t Tensor::nbytes() const { return dtype_bytes(dtype_, numel()); }

Shape Tensor::strides() const {
  // Only strides of a tensor without elements can overflow, and those are never followed.
  const auto times = [](int64_t a, int64_t b) { return checked_mul(a, b).value_or(INT64_MAX); };
  if (format_ == MemoryFormat::channels_last) {
    const int64_t c = shape_[1], row = times(shape_[3], c);
    return {times(shape_[2], row), 1, row, c};
  }
  Shape strides(shape_.size(), 1);
  for (size_t i = shape_.size(); i-- > 1;) strides[i - 1] = times(strides[i], shape_[i]);
  return strides;
}

bool Tensor::is_pinned() const { return defined() && storage_->pinned(); }

bool Tensor::shares_storage_with(const Tensor& other) const {
  return storage_ == other.storage_ && offset_ == other.offset_;
}

const void* Tensor::data() const {
  return defined() ? static_cast<const char*>(storage_->data()) + offset_ : nullptr;
}

void* Tensor::mutable_data() {
  if (defined() && storage_->read_only()) {
    invalid("this tensor is a read-only view of a file; clone() it to change it.");
  }
  return const_cast<void*>(data());
}

template <typename T>
std::span<const T> Tensor::span() const {
  require_host(*this, "span()");
  if (kDTypeOf<T> != dtype_) {
    invalid("span(): the tensor holds " + std::string(to_string(dtype_)) + ", not " +
            std::string(to_string(kDTypeOf<T>)) + ".");
  }
  return {static_cast<const T*>(data()), static_cast<size_t>(numel())};
}

template <typename T>
std::span<T> Tensor::mutable_span() {
  const std::span<const T> elements = span<T>();
  return {static_cast<T*>(mutable_data()), elements.size()};
}

#define FERRY_ELEMENT_TYPE(T)                                    \
  template FERRY_API std::span<const T> Tensor::span<T>() const; \
  template FERRY_API std::span<T> Tensor::mutable_span<T>();     \
  template FERRY_API Tensor Tensor::copy_of<T>(std::span<const T>, Shape)
FERRY_ELEMENT_TYPE(float);
FERRY_ELEMENT_TYPE(double);
FERRY_ELEMENT_TYPE(Half);
FERRY_ELEMENT_TYPE(BFloat16);
FERRY_ELEMENT_TYPE(int8_t);
FERRY_ELEMENT_TYPE(int16_t);
FERRY_ELEMENT_TYPE(int32_t);
FERRY_ELEMENT_TYPE(int64_t);
FERRY_ELEMENT_TYPE(uint8_t);
FERRY_ELEMENT_TYPE(uint16_t);
FERRY_ELEMENT_TYPE(uint32_t);
FERRY_ELEMENT_TYPE(uint64_t);
FERRY_ELEMENT_TYPE(bool);
FERRY_ELEMENT_TYPE(std::string);
FERRY_ELEMENT_TYPE(std::complex<float>);
FERRY_ELEMENT_TYPE(std::complex<double>);
#undef FERRY_ELEMENT_TYPE

double Tensor::item() const {
  if (numel() != 1) {
    invalid("item() needs exactly one element; shape " + to_string(shape_) + " has " +
            std::to_string(numel()) + ".");
  }
  const Tensor host = cpu();
  return load_as_double(dtype_, host.data(), 0);
}

Tensor Tensor::reshape(Shape shape) const {
  if (numel_of(shape) != numel()) {
    invalid("reshape: shape " + to_string(shape_) + " has " + std::to_string(numel()) +
            " elements, the new shape " + to_string(shape) + " has another count.");
  }
  const Tensor source = contiguous();
  return Tensor(source.storage_, std::move(shape), dtype_, source.offset_);
}

Tensor Tensor::cpu() const { return to(Device::cpu()); }
Tensor Tensor::cuda(int index) const { return to(Device(DeviceKind::cuda, index)); }
Tensor Tensor::half() const { return to(DType::float16); }
Tensor Tensor::bfloat16() const { return to(DType::bfloat16); }
Tensor Tensor::float32() const { return to(DType::float32); }
Tensor Tensor::float64() const { return to(DType::float64); }
Tensor Tensor::clone() const { return to(device(), {.copy = true}); }
Tensor Tensor::contiguous(MemoryFormat format) const {
  return to(device(), {.memory_format = format});
}

Tensor Tensor::to(Device target, ToOptions options) const { return to(target, dtype_, options); }
Tensor Tensor::to(DType target, ToOptions options) const { return to(device(), target, options); }
Tensor Tensor::to(const Tensor& other, ToOptions options) const {
  return to(other.device(), other.dtype(), options);
}

}  // namespace ferry
