#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "ferry/device.h"
#include "ferry/dtype.h"
#include "ferry/export.h"

struct DLManagedTensorVersioned;  // of DLPack 1.x, as dlpack.h declares it

namespace ferry {

// Sizes of the axes, outermost first; empty for a scalar.
using Shape = std::vector<int64_t>;

// How a 4-D tensor [N, C, H, W] lies in memory. `preserve` keeps what the source has.
enum class MemoryFormat : uint8_t { contiguous, channels_last, preserve };

// 16-bit floating types as storage; arithmetic goes through float.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

struct ToOptions {
  // A hint, as in PyTorch: a copy between pinned host memory and a device may still be under way on
  // return. Whoever reads the elements through Ferry waits for it.
  bool non_blocking = false;
  bool copy = false;  // a fresh tensor even when nothing changes
  MemoryFormat memory_format = MemoryFormat::preserve;
};

// A number, or a list of equal-sized lists: the argument of Tensor::from.
class NestedList {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T> NestedList(T value) : value_(static_cast<double>(value)) {}
  NestedList(std::initializer_list<NestedList> items) : items_(items), is_list_(true) {}

  bool is_list() const { return is_list_; }
  double value() const { return value_; }
  const std::vector<NestedList>& items() const { return items_; }

 private:
  double value_ = 0;
  std::vector<NestedList> items_;
  bool is_list_ = false;
};

class Storage;  // core/storage.h

// A dense n-dimensional array on one device: a cheap handle to shared, reference-counted storage.
// Copies of a Tensor see the same elements. Elements lie in row-major order of shape() (or
// channels-last where memory_format() says so); sub-byte types are packed.
//
// Thread safety: like shared_ptr. Distinct handles may be used from distinct threads; the elements
// themselves are not guarded.
//
// Moving and converting follow PyTorch's Tensor.to: the result shares storage with the source when
// nothing changes, the source is never modified, and a missing device is an Error (device_missing),
// never a silent stay on the CPU.
class FERRY_API Tensor {
 public:
  Tensor() = default;  // undefined: no storage, dtype undefined

  // ---- makers -------------------------------------------------------------------------------
  // Uninitialised elements (string elements are empty). Throws invalid_argument for a negative or
  // overflowing shape, out_of_memory, device_missing.
  static Tensor empty(Shape shape, DType dtype = DType::float32, Device device = {});
  static Tensor zeros(Shape shape, DType dtype = DType::float32, Device device = {});
  static Tensor full(Shape shape, double value, DType dtype = DType::float32, Device device = {});
  // From nested braces, for example from({{1, 2, 3}, {4, 5, 6}}). Throws invalid_argument for
  // ragged lists.
  static Tensor from(NestedList values, DType dtype = DType::float32);
  // Copies `values`; shape {size} unless given. T decides the dtype.
  template <typename T>
  static Tensor from(const std::vector<T>& values, Shape shape) {
    return copy_of(std::span<const T>(values), std::move(shape));
  }
  template <typename T>
  static Tensor from(const std::vector<T>& values) {
    return from(values, Shape{static_cast<int64_t>(values.size())});
  }
  template <typename T>
  static Tensor scalar(T value) {
    return copy_of(std::span<const T>(&value, 1), Shape{});
  }
  template <typename T>
  static Tensor copy_of(std::span<const T> values, Shape shape);
  // Borrows host memory of dtype_bytes(dtype, numel) bytes: the caller keeps it alive and unchanged
  // for as long as any handle lives. With `owner`, the handle keeps `owner` alive instead.
  static Tensor from_blob(void* data, Shape shape, DType dtype,
                          std::shared_ptr<const void> owner = nullptr);

  // ---- facts --------------------------------------------------------------------------------
  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int64_t dim() const { return static_cast<int64_t>(shape_.size()); }
  int64_t size(int64_t axis) const;  // negative axes count from the back; throws when out of range
  int64_t numel() const;
  DType dtype() const { return dtype_; }
  Device device() const;
  size_t nbytes() const;  // of the packed elements; sizeof(std::string) each for strings
  MemoryFormat memory_format() const { return format_; }
  // Element strides in memory, per axis of shape().
  Shape strides() const;
  bool is_pinned() const;
  // True when both handles see the same elements.
  bool shares_storage_with(const Tensor& other) const;

  // ---- elements (host tensors) ----------------------------------------------------------------
  // The elements in memory order. Throws invalid_argument when T is not the dtype's type or the
  // tensor is not on the CPU. bool is stored as one byte, 0 or 1; Half and BFloat16 are bits.
  template <typename T>
  std::span<const T> span() const;
  template <typename T>
  std::span<T> mutable_span();
  // The address of the first element, on whatever device it is; nullptr when undefined.
  const void* data() const;
  void* mutable_data();
  // The only element as a double, whatever the dtype and device; throws when there is not exactly
  // one.
  double item() const;

  // ---- moving and converting ------------------------------------------------------------------
  [[nodiscard]] Tensor to(Device device, ToOptions options = {}) const;
  [[nodiscard]] Tensor to(DType dtype, ToOptions options = {}) const;
  [[nodiscard]] Tensor to(Device device, DType dtype, ToOptions options = {}) const;
  // To the device and dtype of `other`.
  [[nodiscard]] Tensor to(const Tensor& other, ToOptions options = {}) const;
  [[nodiscard]] Tensor cpu() const;
  [[nodiscard]] Tensor cuda(int index = 0) const;
  [[nodiscard]] Tensor half() const;
  [[nodiscard]] Tensor bfloat16() const;
  [[nodiscard]] Tensor float32() const;
  [[nodiscard]] Tensor float64() const;
  [[nodiscard]] Tensor contiguous(MemoryFormat format = MemoryFormat::contiguous) const;
  [[nodiscard]] Tensor clone() const;
  // A copy in page-locked host memory of `device`'s driver, so that copies can overlap work.
  [[nodiscard]] Tensor pin_memory(Device device) const;
  // The same elements under another shape of equal element count.
  [[nodiscard]] Tensor reshape(Shape shape) const;

  // ---- files ----------------------------------------------------------------------------------
  // By the ending: .npy, or .pb (a TensorProto). "archive.npz:KEY" and "model.safetensors:KEY" name
  // one tensor of several. Throws Error: not_found (also for a key, with the nearest), io,
  // invalid_argument for malformed files.
  static Tensor load(const std::string& path);
  // By the ending: .npy or .pb; a .safetensors or .npz file of one tensor where a key follows it.
  // Writes a temporary file beside `path` and renames it, so that no half-written file appears.
  void save(const std::string& path) const;

  // ---- other libraries ------------------------------------------------------------------------
  // Shares the elements of a tensor of PyTorch, JAX, CuPy, ... (DLPack 1.x), on the CPU or a CUDA
  // GPU, in row-major or channels-last order. On success the tensor is taken: its deleter runs when
  // the last handle goes. A tensor that is flagged read-only stays so (mutable_data() throws). Work
  // that writes the elements must be done, as after cuda::synchronize(). Throws Error, and then the
  // caller still owns `managed`: unsupported (types, lanes, devices, strides, other versions),
  // invalid_argument (null or unaligned data, bad shapes), device_missing.
  static Tensor from_dlpack(DLManagedTensorVersioned* managed);
  // Shares this tensor's elements. The caller owns the result and calls its deleter once; until
  // then the elements stay alive. Throws Error unsupported for strings and on `sim`,
  // invalid_argument when undefined.
  DLManagedTensorVersioned* to_dlpack() const;

  // As PyTorch prints a tensor: tensor([[1., 2., 3.],\n        [4., 5., 6.]], device='cuda:0').
  std::string str() const;

  // Internal: wraps storage. `shape` and `dtype` describe its elements from byte `offset` on.
  Tensor(std::shared_ptr<Storage> storage, Shape shape, DType dtype, size_t offset = 0,
         MemoryFormat format = MemoryFormat::contiguous);
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  size_t storage_offset() const { return offset_; }

 private:
  std::shared_ptr<Storage> storage_;
  Shape shape_;
  size_t offset_ = 0;
  DType dtype_ = DType::undefined;
  MemoryFormat format_ = MemoryFormat::contiguous;
};

FERRY_API std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

// The number of elements. Throws Error invalid_argument for a negative size or an overflow.
FERRY_API int64_t numel_of(std::span<const int64_t> shape);

// "[2, 3]"
FERRY_API std::string to_string(std::span<const int64_t> shape);

}  // namespace ferry
