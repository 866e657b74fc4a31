// Tensor::from_dlpack and Tensor::to_dlpack.
#include "core/dlpack.h"

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "core/storage.h"
#include "devices/device.h"
#include "ferry/error.h"
#include "ferry/tensor.h"

// The layout that every program with a dlpack.h of 1.x was compiled with.
static_assert(sizeof(DLTensor) == 48 && offsetof(DLTensor, byte_offset) == 40);
static_assert(sizeof(DLManagedTensorVersioned) == 80 &&
              offsetof(DLManagedTensorVersioned, dl_tensor) == 32);

namespace ferry {
namespace {

constexpr uint32_t kMajor = 1, kMinor = 1;

[[noreturn]] void refuse(ErrorCode code, const std::string& message) {
  throw Error(code, "DLPack: " + message);
}

struct Row {
  DType dtype;
  uint8_t code, bits;
};
// Strings have no DLPack type.
constexpr std::array kRows = std::to_array<Row>({
    {float32, kDLFloat, 32},
    {float64, kDLFloat, 64},
    {float16, kDLFloat, 16},
    {bfloat16, kDLBfloat, 16},
    {int8, kDLInt, 8},
    {int16, kDLInt, 16},
    {int32, kDLInt, 32},
    {int64, kDLInt, 64},
    {uint8, kDLUInt, 8},
    {uint16, kDLUInt, 16},
    {uint32, kDLUInt, 32},
    {uint64, kDLUInt, 64},
    {boolean, kDLBool, 8},
    {complex64, kDLComplex, 64},
    {complex128, kDLComplex, 128},
    {float8_e4m3fn, kDLFloat8_e4m3fn, 8},
    {float8_e4m3fnuz, kDLFloat8_e4m3fnuz, 8},
    {float8_e5m2, kDLFloat8_e5m2, 8},
    {float8_e5m2fnuz, kDLFloat8_e5m2fnuz, 8},
    {float8_e8m0, kDLFloat8_e8m0fnu, 8},
    {float4_e2m1, kDLFloat4_e2m1fn, 4},
    {int4, kDLInt, 4},
    {uint4, kDLUInt, 4},
    {int2, kDLInt, 2},
    {uint2, kDLUInt, 2},
});

DType dtype_of(const DLDataType& type) {
  if (type.lanes != 1) {
    refuse(ErrorCode::unsupported,
           "elements of " + std::to_string(type.lanes) +
               " lanes are not supported; pass scalars with one more axis.");
  }
  for (const Row& row : kRows) {
    if (row.code == type.code && row.bits == type.bits) return row.dtype;
  }
  refuse(ErrorCode::unsupported, "the type with code " + std::to_string(type.code) + " and " +
                                     std::to_string(type.bits) + " bits is not one of Ferry's.");
}

// Where the memory is, and whether it is page-locked.
std::pair<Device, bool> place_of(const DLDevice& device) {
  switch (device.device_type) {
    case kDLCPU:
      return {Device::cpu(), false};
    case kDLCUDAHost:
      return {Device::cpu(), true};
    case kDLCUDA: {
      const Device cuda(DeviceKind::cuda, device.device_id);
      backend(cuda);  // device_missing
      return {cuda, false};
    }
    default:
      refuse(ErrorCode::unsupported,
             "memory of device type " + std::to_string(device.device_type) +
                 " is not supported; it must be on the CPU (1, 3) or a CUDA GPU (2).");
  }
}

bool has_strides(const DLTensor& tensor, const Shape& shape, const Shape& wanted) {
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1 && tensor.strides[i] != wanted[i]) return false;
  }
  return true;
}

// How the elements lie; refuses orders that Tensor does not have.
MemoryFormat format_of(const DLTensor& tensor, const Shape& shape, DType dtype) {
  if (tensor.strides == nullptr || numel_of(shape) == 0) return MemoryFormat::contiguous;
  const auto strides_as = [&](MemoryFormat format) {
    return Tensor(nullptr, shape, dtype, 0, format).strides();
  };
  if (has_strides(tensor, shape, strides_as(MemoryFormat::contiguous))) {
    return MemoryFormat::contiguous;
  }
  if (shape.size() == 4 && dtype_bits(dtype) >= 8 &&
      has_strides(tensor, shape, strides_as(MemoryFormat::channels_last))) {
    return MemoryFormat::channels_last;
  }
  refuse(ErrorCode::unsupported,
         "strides " + to_string(std::span<const int64_t>(tensor.strides, shape.size())) +
             " of shape " + to_string(std::span(shape)) +
             " are neither row-major nor channels-last, and sharing memory cannot reorder it; "
             "make the tensor contiguous first.");
}

// Gives the producer its tensor back when the last handle goes.
struct Taken {
  DLManagedTensorVersioned* managed = nullptr;

  Taken() = default;
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  ~Taken() {
    if (managed != nullptr && managed->deleter != nullptr) managed->deleter(managed);
  }
};

// What an exported tensor points to.
struct Exported {
  Tensor tensor;
  Shape shape, strides;
  DLManagedTensorVersioned managed;
};

}  // namespace

Tensor Tensor::from_dlpack(DLManagedTensorVersioned* managed) {
  if (managed == nullptr) refuse(ErrorCode::invalid_argument, "the tensor is null.");
  if (managed->version.major != kMajor) {
    refuse(ErrorCode::unsupported, "version " + std::to_string(managed->version.major) + "." +
                                       std::to_string(managed->version.minor) +
                                       " is not 1.x, the version that Ferry reads.");
  }
  const DLTensor& source = managed->dl_tensor;
  const DType dtype = dtype_of(source.dtype);
  if (source.ndim < 0 || (source.ndim > 0 && source.shape == nullptr)) {
    refuse(ErrorCode::invalid_argument, "the tensor has " + std::to_string(source.ndim) + " axes" +
                                            (source.shape == nullptr ? " and no shape." : "."));
  }
  const auto rank = static_cast<size_t>(source.ndim);
  Shape shape(source.shape, source.shape + rank);
  const size_t bytes = dtype_bytes(dtype, numel_of(shape));
  const int bits = dtype_bits(dtype);
  if (bits < 8 && (managed->flags & kDLPackSubbyteTypePadded) != 0) {
    refuse(ErrorCode::unsupported,
           "elements of " + std::to_string(bits) + " bits must be packed, not padded to bytes.");
  }
  const MemoryFormat format = format_of(source, shape, dtype);
  const auto [device, pinned] = place_of(source.device);
  if (source.data == nullptr && bytes > 0) refuse(ErrorCode::invalid_argument, "data is null.");
  char* const start = bytes > 0 ? static_cast<char*>(source.data) + source.byte_offset : nullptr;
  const auto alignment = static_cast<uintptr_t>(is_complex(dtype) ? bits / 16 : (bits + 7) / 8);
  if (reinterpret_cast<uintptr_t>(start) % alignment != 0) {
    refuse(ErrorCode::invalid_argument, "the first element is not aligned to " +
                                            std::to_string(alignment) + " bytes, as elements of " +
                                            std::string(to_string(dtype)) + " must be.");
  }
  const bool read_only = (managed->flags & kDLPackReadOnly) != 0;
  const auto taken = std::make_shared<Taken>();
  auto storage = std::make_shared<Storage>(start, bytes, device, taken, read_only, pinned);
  Tensor out(std::move(storage), std::move(shape), dtype, 0, format);
  taken->managed = managed;  // nothing throws from here on
  return out;
}

DLManagedTensorVersioned* Tensor::to_dlpack() const {
  if (!defined()) refuse(ErrorCode::invalid_argument, "the tensor is undefined.");
  const Row* row = nullptr;
  for (const Row& candidate : kRows) {
    if (candidate.dtype == dtype_) row = &candidate;
  }
  if (row == nullptr) {
    refuse(ErrorCode::unsupported, "it has no type for " + std::string(to_string(dtype_)) + ".");
  }
  if (device().kind() == DeviceKind::sim) {
    refuse(ErrorCode::unsupported, "memory of " + device().str() +
                                       " is of an emulated GPU, which no other library can "
                                       "address; call cpu() first.");
  }
  auto exported = std::make_unique<Exported>();
  exported->tensor = *this;
  exported->shape = shape_;
  exported->strides = strides();
  DLManagedTensorVersioned& managed = exported->managed;
  managed.version = {kMajor, kMinor};
  managed.manager_ctx = exported.get();
  managed.deleter = [](DLManagedTensorVersioned* self) {
    delete static_cast<Exported*>(self->manager_ctx);
  };
  managed.flags = storage_->read_only() ? kDLPackReadOnly : 0;
  DLTensor& tensor = managed.dl_tensor;
  tensor.data = const_cast<void*>(data());
  tensor.device = {device().is_cpu() ? kDLCPU : kDLCUDA, static_cast<int32_t>(device().index())};
  tensor.ndim = static_cast<int32_t>(shape_.size());
  tensor.dtype = {row->code, row->bits, 1};
  tensor.shape = exported->shape.data();
  tensor.strides = exported->strides.data();
  tensor.byte_offset = 0;
  return &exported.release()->managed;
}

}  // namespace ferry
