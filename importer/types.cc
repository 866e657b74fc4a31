#include "importer/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "graph/limits.h"
#include "importer/format/onnx_wire.pb.h"
#include "importer/format/tensor_proto.h"
#include "importer/problems.h"
#include "importer/text.h"

namespace ferry {
namespace {

// Characters of the expressions that exporters write into dim_param.
bool is_symbol(std::string_view name) {
  return !name.empty() && name.find_first_of("+*/()% ,") == std::string_view::npos &&
         is_valid_utf8(name);
}

Dims dims_of(const onnx::TensorShapeProto& proto) {
  if (proto.dim_size() > kMaxRank) {
    fail(ProblemCode::limit, fmt::format("a declared shape has {} axes, expected at most {}",
                                         proto.dim_size(), kMaxRank));
  }
  Dims dims;
  dims.reserve(static_cast<size_t>(proto.dim_size()));
  for (const onnx::TensorShapeProto::Dimension& dim : proto.dim()) {
    if (dim.has_dim_value()) {
      if (dim.dim_value() < 0) {
        fail(ProblemCode::shape, fmt::format("a declared size is {}", dim.dim_value()));
      }
      dims.emplace_back(dim.dim_value());
    } else if (dim.has_dim_param() && is_symbol(dim.dim_param())) {
      dims.push_back(Dim::symbol(dim.dim_param()));
    } else {
      dims.emplace_back();
    }
  }
  return dims;
}

Type container(Type::Kind kind, const onnx::TypeProto& element) {
  Type type;
  type.kind = kind;
  type.element = std::make_shared<const Type>(type_of(element));
  return type;
}

}  // namespace

Type type_of(const onnx::TypeProto& proto) {
  switch (proto.value_case()) {
    case onnx::TypeProto::kTensorType: {
      Type type;
      type.dtype = dtype_of_onnx(proto.tensor_type().elem_type());
      if (proto.tensor_type().has_shape()) type.shape = dims_of(proto.tensor_type().shape());
      return type;
    }
    case onnx::TypeProto::kSequenceType:
      return container(Type::Kind::sequence, proto.sequence_type().elem_type());
    case onnx::TypeProto::kOptionalType:
      return container(Type::Kind::optional, proto.optional_type().elem_type());
    case onnx::TypeProto::kMapType:
      fail(ProblemCode::unsupported, "values of type map are not supported");
    case onnx::TypeProto::kSparseTensorType:
      fail(ProblemCode::unsupported, "values of type sparse tensor are not supported");
    case onnx::TypeProto::kOpaqueType:
      fail(ProblemCode::unsupported, "values of an opaque type are not supported");
    case onnx::TypeProto::VALUE_NOT_SET:
      break;
  }
  fail(ProblemCode::type, "a declared value has no type");
}

Type without_sizes(const Type& type) {
  Type out = type;
  if (out.shape) out.shape = Dims(out.shape->size());
  if (out.element) out.element = std::make_shared<const Type>(without_sizes(*out.element));
  return out;
}

void refine(Type& type, const Type& declared) {
  bool blank = type.kind == Type::Kind::tensor && type.dtype == DType::undefined && !type.shape;
  if (blank) {
    type = declared;
    return;
  }
  auto contradiction = [&] {
    fail(ProblemCode::type,
         fmt::format("it is declared as {} and is {}", declared.str(), type.str()));
  };
  if (type.kind != declared.kind) contradiction();
  if (type.kind != Type::Kind::tensor) return;
  if (type.dtype == DType::undefined) type.dtype = declared.dtype;
  if (declared.dtype != DType::undefined && declared.dtype != type.dtype) contradiction();
  if (!declared.shape) return;
  if (!type.shape) {
    type.shape = declared.shape;
    return;
  }
  if (type.shape->size() != declared.shape->size()) contradiction();
  for (size_t i = 0; i < type.shape->size(); ++i) {
    Dim& mine = (*type.shape)[i];
    const Dim& theirs = (*declared.shape)[i];
    if (mine.is_known() && theirs.is_known() && mine.value() != theirs.value()) contradiction();
    if (!mine.is_known() && !theirs.is_unknown()) mine = theirs;
  }
}

}  // namespace ferry
