#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/file_map.h"
#include "ferry/tensor.h"
#include "importer/format/external_data.h"
#include "importer/importer.h"

namespace ferry {

namespace onnx {
class TensorProto;
class SparseTensorProto;
}  // namespace onnx

// Turns the tensors of one scanned message into Tensors.
//
// Elements stay where they are in the file (raw_data and external data) when the first of them lies
// at a multiple of its alignment: that of the C++ type of one element (the half for complex, one
// byte for bool and packed types). Elsewhere they are copied when they are first read, since a
// misaligned typed read is undefined. Both are read-only. Typed fields (float_data, int32_data,
// ...) are decoded into new memory at once, since what they hold has to be checked.
class TensorReader {
 public:
  // `messages` and `owner` belong to the scan; `mapped` says that they are of a file's mapping.
  // `external` may be nullptr (external data is refused).
  TensorReader(std::span<const Bytes> messages, std::shared_ptr<const void> owner, bool mapped,
               ExternalData* external, const ImportLimits& limits)
      : messages_(messages),
        owner_(std::move(owner)),
        mapped_(mapped),
        external_(external),
        limits_(limits) {}

  // Checks everything: the type exists, sizes are not negative and do not overflow, exactly one
  // kind of data is there and it is the right one, and it has exactly as many elements as the shape
  // says. Throws ProblemError.
  Tensor read(const onnx::TensorProto& proto);

  // The dense form of a sparse tensor: zeros and the given values. Throws ProblemError.
  Tensor read_sparse(const onnx::SparseTensorProto& proto);

 private:
  static Tensor place(Bytes bytes, std::shared_ptr<const void> owner, bool mapped,
                      const Shape& shape, DType dtype);
  Tensor read_external(const onnx::TensorProto& proto, const Shape& shape, DType dtype);
  void count_bytes(uint64_t bytes);

  std::span<const Bytes> messages_;
  std::shared_ptr<const void> owner_;
  bool mapped_;
  ExternalData* external_;
  ImportLimits limits_;
  uint64_t total_bytes_ = 0;
  uint64_t dense_bytes_ = 0;
};

// The type with that number of TensorProto.DataType; throws ProblemError (type).
DType dtype_of_onnx(int64_t number);

// One TensorProto, as the test data of ONNX and onnx.save_tensor hold it. A SequenceProto or an
// OptionalProto is recognised and refused with its name, as are external data. `owner` keeps
// `bytes`. Throws Error.
Tensor tensor_from_pb(Bytes bytes, std::shared_ptr<const void> owner);
std::string tensor_to_pb(const Tensor& tensor, const std::string& name);

}  // namespace ferry
