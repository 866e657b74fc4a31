#include <cstring>

#include "core/convert.h"
#include "core/storage.h"
#include "devices/copy.h"
#include "ferry/error.h"
#include "ferry/tensor.h"

// Tensor's members that may involve a device other than the host.
namespace ferry {
namespace {

[[noreturn]] void invalid(std::string message) {
  throw Error(ErrorCode::invalid_argument, std::move(message));
}

// Elements of `bytes` bytes each, [N, C, H, W] in memory to [N, H, W, C] in memory.
void permute_to_channels_last(const char* source, char* destination, const Shape& nchw,
                              size_t bytes) {
  const int64_t n = nchw[0], c = nchw[1], pixels = nchw[2] * nchw[3];
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t k = 0; k < c; ++k) {
        std::memcpy(destination + ((i * pixels + p) * c + k) * bytes,
                    source + ((i * c + k) * pixels + p) * bytes, bytes);
      }
    }
  }
}

Tensor with_format(const Tensor& host, MemoryFormat format) {
  const size_t bytes = static_cast<size_t>(dtype_bits(host.dtype())) / 8;
  if (bytes == 0) {
    invalid("channels_last needs elements of whole bytes, not " +
            std::string(to_string(host.dtype())) + ".");
  }
  Tensor out(allocate_host(host.nbytes()), host.shape(), host.dtype(), 0, format);
  const Shape& s = host.shape();
  // Going back is the same permutation of the shape [N, H*W, C, 1].
  const Shape order = format == MemoryFormat::channels_last ? s : Shape{s[0], s[2] * s[3], s[1], 1};
  permute_to_channels_last(static_cast<const char*>(host.data()),
                           static_cast<char*>(out.mutable_data()), order, bytes);
  return out;
}

Tensor with_dtype(const Tensor& host, DType dtype) {
  Tensor out(allocate_host(dtype_bytes(dtype, host.numel())), host.shape(), dtype, 0,
             host.memory_format());
  convert(host.dtype(), host.data(), dtype, out.mutable_data(), host.numel());
  return out;
}

Tensor moved(const Tensor& source, Device target) {
  if (source.dtype() == DType::string) {
    throw Error(
        ErrorCode::unsupported,
        "tensors of strings live on the CPU only; they cannot move to " + target.str() + ".");
  }
  Tensor out(allocate_on(target, source.nbytes()), source.shape(), source.dtype(), 0,
             source.memory_format());
  // A weight of a file is read where it lies, at any address.
  const auto* from = static_cast<const char*>(source.storage()->unaligned());
  copy_now(out.mutable_data(), target, from + source.storage_offset(), source.device(),
           source.nbytes());
  return out;
}

Tensor copied_on_host(const Tensor& host) {
  if (host.dtype() != DType::string) return moved(host, Device::cpu());
  const auto strings = host.span<std::string>();
  return Tensor::copy_of(strings, host.shape());
}

}  // namespace

Tensor Tensor::empty(Shape shape, DType dtype, Device device) {
  const int64_t count = numel_of(shape);
  if (dtype == DType::undefined) invalid("a tensor needs an element type.");
  if (dtype == DType::string) {
    if (!device.is_cpu()) invalid("tensors of strings live on the CPU only.");
    return Tensor(allocate_host_strings(static_cast<size_t>(count)), std::move(shape), dtype);
  }
  return Tensor(allocate_on(device, dtype_bytes(dtype, count)), std::move(shape), dtype);
}

Tensor Tensor::to(Device target, DType target_dtype, ToOptions options) const {
  if (!defined()) invalid("to(): the tensor is undefined.");
  const MemoryFormat target_format =
      options.memory_format == MemoryFormat::preserve ? format_ : options.memory_format;
  if (target_format == MemoryFormat::channels_last && dim() != 4) {
    invalid("channels_last needs a 4-D tensor, not shape " + to_string(shape_) + ".");
  }
  const bool same_elements = target_dtype == dtype_ && target_format == format_;
  if (same_elements && target == device()) {
    if (!options.copy) return *this;
    return target.is_cpu() ? copied_on_host(*this) : moved(*this, target);
  }
  if (same_elements) return moved(*this, target);
  // Elements change on the host.
  Tensor host = device().is_cpu() ? *this : moved(*this, Device::cpu());
  if (target_format != format_) host = with_format(host, target_format);
  if (target_dtype != dtype_) host = with_dtype(host, target_dtype);
  return target.is_cpu() ? host : moved(host, target);
}

Tensor Tensor::pin_memory(Device device) const {
  if (is_pinned()) return *this;
  const Tensor host = cpu();
  Tensor out(allocate_pinned_for(device, nbytes()), shape_, dtype_, 0, format_);
  std::memcpy(out.mutable_data(), host.data(), nbytes());
  return out;
}

}  // namespace ferry
