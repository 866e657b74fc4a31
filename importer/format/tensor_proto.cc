#include "importer/format/tensor_proto.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "core/checked.h"
#include "core/storage.h"
#include "graph/limits.h"
#include "importer/format/onnx_wire.pb.h"
#include "importer/format/wire.h"
#include "importer/format/wire_scan.h"
#include "importer/problems.h"
#include "importer/text.h"

namespace ferry {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

// Field numbers of TensorProto that hold elements.
enum DataField : uint32_t {
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
};

constexpr std::string_view field_name(uint32_t field) {
  switch (field) {
    case kFloatData:
      return "float_data";
    case kInt32Data:
      return "int32_data";
    case kStringData:
      return "string_data";
    case kInt64Data:
      return "int64_data";
    case kDoubleData:
      return "double_data";
    case kUint64Data:
      return "uint64_data";
    default:
      return "raw_data";
  }
}

// Which typed field holds a type, and within which bounds an element of it must be there.
struct TypedField {
  uint32_t field;
  int64_t low = 0, high = 0;  // int32_data only
};

TypedField typed_field(DType dtype) {
  constexpr auto bounds = []<typename T>(T) {
    return TypedField{kInt32Data, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  };
  switch (dtype) {
    case DType::float32:
    case DType::complex64:
      return {kFloatData};
    case DType::float64:
    case DType::complex128:
      return {kDoubleData};
    case DType::int64:
      return {kInt64Data};
    case DType::uint32:
    case DType::uint64:
      return {kUint64Data};
    case DType::string:
      return {kStringData};
    case DType::boolean:
      return {kInt32Data, 0, 1};
    case DType::int32:
      return bounds(int32_t{});
    case DType::int16:
      return bounds(int16_t{});
    case DType::int8:
      return bounds(int8_t{});
    case DType::uint16:
    case DType::float16:
    case DType::bfloat16:
      return bounds(uint16_t{});
    default:  // uint8, float8 and the packed types, whose bytes are stored one by one
      return bounds(uint8_t{});
  }
}

size_t alignment_of(DType dtype) {
  int bits = dtype_bits(dtype);
  if (is_complex(dtype)) bits /= 2;
  return std::max<size_t>(1, static_cast<size_t>(bits) / 8);
}

Shape shape_of(const google::protobuf::RepeatedField<int64_t>& dims) {
  if (dims.size() > kMaxRank) {
    fail(ProblemCode::limit,
         fmt::format("a tensor has {} axes, expected at most {}", dims.size(), kMaxRank));
  }
  int64_t count = 1;
  for (int64_t dim : dims) {
    if (dim < 0) fail(ProblemCode::shape, fmt::format("a tensor has the negative size {}", dim));
    std::optional<int64_t> product = checked_mul(count, dim);
    // A later zero must not hide an overflow: strides would overflow all the same.
    if (!product && dim != 0) fail(ProblemCode::shape, "the sizes of a tensor overflow 64 bits");
    count = dim == 0 ? count : *product;
  }
  return {dims.begin(), dims.end()};
}

// The elements of one tensor message: chunks of one field.
struct Elements {
  uint32_t field = 0;  // 0: none
  std::vector<WireField> parts;
};

Elements find_elements(Bytes message) {
  Elements out;
  WireReader reader(message);
  WireField part;
  while (reader.next(part)) {
    bool data = part.number == kRawData ||
                (part.number >= kFloatData && part.number <= kInt64Data) ||
                part.number == kDoubleData || part.number == kUint64Data;
    if (!data) continue;
    bool repeated = part.number != kRawData && part.number != kStringData;
    if (repeated && part.type == WireType::bytes && part.bytes.empty()) continue;
    if (out.field != 0 && out.field != part.number) {
      fail(ProblemCode::tensor_data, fmt::format("a tensor has elements in both {} and {}",
                                                 field_name(out.field), field_name(part.number)));
    }
    if (part.number == kRawData)
      out.parts.clear();  // of a field that is not repeated the last counts
    out.field = part.number;
    out.parts.push_back(part);
  }
  return out;
}

[[noreturn]] void wrong_count(uint32_t field, uint64_t wanted, std::string_view got,
                              const Shape& shape, DType dtype) {
  fail(ProblemCode::tensor_data,
       fmt::format("a tensor of type {} and shape {} needs {} {} in {} and there are {}",
                   to_string(dtype), to_string(std::span<const int64_t>(shape)), wanted,
                   field == kRawData ? "bytes" : "values", field_name(field), got));
}

// Decodes a packed or unpacked repeated field of numbers. `put(bits)` gets each element; the count
// must be exact.
template <typename Put>
void decode(const Elements& elements, WireType type, uint64_t count, const Shape& shape,
            DType dtype, Put put) {
  uint64_t seen = 0;
  auto take = [&](uint64_t bits) {
    if (seen++ == count) wrong_count(elements.field, count, "more", shape, dtype);
    put(bits);
  };
  size_t width = type == WireType::fixed32 ? 4 : 8;
  for (const WireField& part : elements.parts) {
    if (part.type == type) {
      take(part.value);
    } else if (part.type != WireType::bytes) {
      fail(ProblemCode::encoding,
           fmt::format("{} has the wrong wire type", field_name(part.number)));
    } else if (type == WireType::varint) {
      WireReader packed(part.bytes);
      uint64_t bits;
      while (packed.next_varint(bits)) take(bits);
    } else {
      if (part.bytes.size() % width != 0) {
        fail(ProblemCode::encoding,
             fmt::format("{} ends within a number", field_name(part.number)));
      }
      for (size_t at = 0; at < part.bytes.size(); at += width) {
        uint64_t bits = 0;
        std::memcpy(&bits, part.bytes.data() + at, width);
        take(bits);
      }
    }
  }
  if (seen != count) wrong_count(elements.field, count, fmt::format("{}", seen), shape, dtype);
}

void check_bools(const uint8_t* values, size_t count) {
  const uint8_t* bad =
      std::find_if(values, values + count, [](uint8_t value) { return value > 1; });
  if (bad != values + count) {
    fail(ProblemCode::tensor_data, fmt::format("a bool is stored as {}, only 0 and 1 are", *bad));
  }
}

Tensor decode_typed(const Elements& elements, const Shape& shape, DType dtype, uint64_t bytes) {
  std::shared_ptr<Storage> storage = allocate_host(bytes);
  auto* out = static_cast<uint8_t*>(storage->data());
  TypedField form = typed_field(dtype);
  // A value of the field fills this many bytes of the tensor.
  size_t width = is_complex(dtype)       ? static_cast<size_t>(dtype_bits(dtype)) / 16
                 : dtype_bits(dtype) < 8 ? 1
                                         : static_cast<size_t>(dtype_bits(dtype)) / 8;
  WireType type = form.field == kFloatData    ? WireType::fixed32
                  : form.field == kDoubleData ? WireType::fixed64
                                              : WireType::varint;
  decode(elements, type, bytes / width, shape, dtype, [&](uint64_t bits) {
    if (form.field == kInt32Data) {
      int64_t value = static_cast<int32_t>(static_cast<uint32_t>(bits));
      if (value < form.low || value > form.high) {
        fail(ProblemCode::tensor_data,
             fmt::format("int32_data holds {}, which is no {}", value, to_string(dtype)));
      }
    } else if (dtype == DType::uint32 && bits > std::numeric_limits<uint32_t>::max()) {
      fail(ProblemCode::tensor_data, fmt::format("uint64_data holds {}, which is no uint32", bits));
    }
    std::memcpy(out, &bits, width);
    out += width;
  });
  return Tensor(std::move(storage), shape, dtype);
}

Tensor decode_strings(const Elements& elements, const Shape& shape, uint64_t count) {
  if (elements.parts.size() != count) {
    wrong_count(kStringData, count, fmt::format("{}", elements.parts.size()), shape, DType::string);
  }
  std::shared_ptr<Storage> storage = allocate_host_strings(count);
  auto* out = static_cast<std::string*>(storage->data());
  for (const WireField& part : elements.parts) {
    if (part.type != WireType::bytes) {
      fail(ProblemCode::encoding, "string_data has the wrong wire type");
    }
    std::string_view text(reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size());
    if (!is_valid_utf8(text)) {
      fail(ProblemCode::tensor_data, fmt::format("the string {} is not UTF-8", quoted(text)));
    }
    *out++ = text;
  }
  return Tensor(std::move(storage), shape, DType::string);
}

uint64_t number_of(const std::string& key, const std::string& text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail(ProblemCode::external_data,
         fmt::format("the {} of external data is {}, a number of bytes is needed", key,
                     quoted(text)));
  }
  return value;
}

}  // namespace

DType dtype_of_onnx(int64_t number) {
  if (number <= 0 || number >= kDTypeCount) {
    fail(ProblemCode::type, fmt::format("there is no element type with number {}", number));
  }
  return static_cast<DType>(number);
}

void TensorReader::count_bytes(uint64_t bytes) {
  if (bytes > static_cast<uint64_t>(limits_.tensor_bytes)) {
    fail(ProblemCode::limit,
         fmt::format("a tensor has {} bytes, at most {} are allowed", bytes, limits_.tensor_bytes));
  }
  total_bytes_ += bytes;  // both are far below 2^63
  if (total_bytes_ > static_cast<uint64_t>(limits_.total_bytes)) {
    fail(ProblemCode::limit,
         fmt::format("the tensors of the model have more than {} bytes together",
                     limits_.total_bytes));
  }
}

Tensor TensorReader::place(Bytes bytes, std::shared_ptr<const void> owner, bool mapped,
                           const Shape& shape, DType dtype) {
  if (bytes.empty()) return Tensor(allocate_host(0), shape, dtype);
  if (dtype == DType::boolean) check_bools(bytes.data(), bytes.size());
  return Tensor(Storage::of_file(bytes, alignment_of(dtype), std::move(owner), mapped), shape,
                dtype);
}

Tensor TensorReader::read_external(const onnx::TensorProto& proto, const Shape& shape,
                                   DType dtype) {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const onnx::StringStringEntryProto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number_of(entry.key(), entry.value());
    if (entry.key() == "length") length = number_of(entry.key(), entry.value());
  }
  if (dtype == DType::string) {
    fail(ProblemCode::external_data, "strings cannot be in external data");
  }
  uint64_t bytes = dtype_bytes(dtype, numel_of(shape));
  if (length && *length != bytes) {
    fail(ProblemCode::external_data,
         fmt::format("external data of type {} and shape {} needs {} bytes and its length says {}",
                     to_string(dtype), to_string(std::span<const int64_t>(shape)), bytes, *length));
  }
  if (external_ == nullptr) fail(ProblemCode::external_data, "external data is not allowed here");
  MappedFile view = external_->view(location, offset, bytes);
  return place(view.bytes, view.owner, /*mapped=*/true, shape, dtype);
}

Tensor TensorReader::read(const onnx::TensorProto& proto) {
  DType dtype = dtype_of_onnx(proto.data_type());
  Shape shape = shape_of(proto.dims());
  if (proto.has_segment()) fail(ProblemCode::unsupported, "tensors in segments are not supported");
  if (proto.scan_index() >= messages_.size()) {
    throw Error(ErrorCode::internal, "a tensor was not seen by the scanner");
  }
  uint64_t count = static_cast<uint64_t>(numel_of(shape));
  uint64_t bytes;
  if (dtype == DType::string) {
    bytes = count;
  } else {
    std::optional<uint64_t> bits = checked_mul<uint64_t>(count, dtype_bits(dtype));
    if (!bits) fail(ProblemCode::shape, "the bytes of a tensor overflow 64 bits");
    bytes = (*bits + 7) / 8;
  }
  count_bytes(bytes);
  Elements elements = find_elements(messages_[proto.scan_index()]);
  if (proto.data_location() == 1) {
    if (elements.field != 0) {
      fail(ProblemCode::tensor_data,
           fmt::format("a tensor has external data and {}", field_name(elements.field)));
    }
    return read_external(proto, shape, dtype);
  }
  if (proto.data_location() != 0) {
    fail(ProblemCode::tensor_data,
         fmt::format("there is no data location {}", proto.data_location()));
  }
  if (elements.field == kRawData) {
    if (dtype == DType::string) fail(ProblemCode::tensor_data, "strings cannot be in raw_data");
    const WireField& raw = elements.parts.back();
    if (raw.type != WireType::bytes)
      fail(ProblemCode::encoding, "raw_data has the wrong wire type");
    if (raw.bytes.size() != bytes) {
      wrong_count(kRawData, bytes, fmt::format("{}", raw.bytes.size()), shape, dtype);
    }
    return place(raw.bytes, owner_, mapped_, shape, dtype);
  }
  uint32_t wanted = typed_field(dtype).field;
  if (elements.field == 0) elements.field = wanted;
  if (elements.field != wanted) {
    fail(ProblemCode::tensor_data,
         fmt::format("a tensor of type {} has its elements in {}, they belong in {} or raw_data",
                     to_string(dtype), field_name(elements.field), field_name(wanted)));
  }
  // A varint takes at least one byte, so this bounds the allocation by the size of the file.
  if (bytes > 0 && messages_[proto.scan_index()].size() < count / 8) {
    wrong_count(wanted, count, "fewer", shape, dtype);
  }
  return dtype == DType::string ? decode_strings(elements, shape, count)
                                : decode_typed(elements, shape, dtype, bytes);
}

Tensor TensorReader::read_sparse(const onnx::SparseTensorProto& proto) {
  Tensor values = read(proto.values());
  Tensor indices = read(proto.indices());
  Shape shape = shape_of(proto.dims());
  int64_t count = numel_of(shape);
  DType dtype = values.dtype();
  int64_t rank = static_cast<int64_t>(shape.size());
  if (dtype == DType::string || dtype_bits(dtype) < 8) {
    fail(ProblemCode::unsupported,
         fmt::format("sparse tensors of type {} are not supported", to_string(dtype)));
  }
  if (values.dim() != 1 || indices.dtype() != DType::int64) {
    fail(ProblemCode::tensor_data, "a sparse tensor needs values of rank 1 and indices of int64");
  }
  int64_t stored = values.numel();
  bool linear = indices.shape() == Shape{stored};
  if (!linear && indices.shape() != Shape{stored, rank}) {
    fail(ProblemCode::tensor_data,
         fmt::format("a sparse tensor of {} values and rank {} has indices of shape {}", stored,
                     rank, to_string(std::span<const int64_t>(indices.shape()))));
  }
  uint64_t width = static_cast<uint64_t>(dtype_bits(dtype)) / 8;
  std::optional<uint64_t> bytes = checked_mul<uint64_t>(static_cast<uint64_t>(count), width);
  uint64_t allowed = static_cast<uint64_t>(limits_.dense_bytes);
  if (!bytes || *bytes > allowed || dense_bytes_ + *bytes > allowed) {
    fail(ProblemCode::limit,
         fmt::format("the dense forms of sparse tensors need more than {} bytes",
                     limits_.dense_bytes));
  }
  dense_bytes_ += *bytes;
  count_bytes(*bytes);
  Tensor dense = Tensor::zeros(shape, dtype);
  auto* out = static_cast<uint8_t*>(dense.mutable_data());
  const auto* in = static_cast<const uint8_t*>(values.data());
  std::span<const int64_t> at = indices.span<int64_t>();
  int64_t previous = -1;
  for (int64_t i = 0; i < stored; ++i) {
    int64_t position = linear ? at[i] : 0;
    if (linear && (position < 0 || position >= count)) {
      fail(ProblemCode::tensor_data, fmt::format("the sparse index {} is out of range", position));
    }
    for (int64_t axis = 0; !linear && axis < rank; ++axis) {
      int64_t index = at[i * rank + axis];
      if (index < 0 || index >= shape[axis]) {
        fail(ProblemCode::tensor_data, fmt::format("the sparse index {} is out of range", index));
      }
      position = position * shape[axis] + index;
    }
    if (position <= previous) {
      fail(ProblemCode::tensor_data, "the indices of a sparse tensor are not in ascending order");
    }
    previous = position;
    std::memcpy(out + position * width, in + i * width, width);
  }
  return dense;
}

namespace {

bool is_tensor(Bytes bytes) {
  WireReader reader(bytes);
  WireField field;
  bool typed = false;
  while (reader.next(field)) {
    typed |= field.number == 2 && field.type == WireType::varint && field.value > 0 &&
             field.value < kDTypeCount;
  }
  return typed;
}

// Whether the bytes are a SequenceProto or an OptionalProto. Both say in field 2 what they hold (1
// tensor to 5 optional) and have it in the fields 3 to 7; field 3 is a tensor. A TensorProto has
// its type in field 2 and elements in some of the others, so what they hold decides.
bool is_container(Bytes bytes, int depth = 0) {
  constexpr int kDeepest = 8;
  if (depth > kDeepest) return false;
  WireReader reader(bytes);
  WireField field;
  bool holds_something = false, says_what = false;
  while (reader.next(field)) {
    if (field.number == 2) {
      if (field.type != WireType::varint || field.value < 1 || field.value > 5) return false;
      says_what = true;
    } else if (field.type != WireType::bytes || field.number > 7) {
      return false;
    } else if (field.number == 3) {
      if (!is_tensor(field.bytes)) return false;
      holds_something = true;
    } else if (field.number == 5 || field.number == 7) {
      if (!is_container(field.bytes, depth + 1)) return false;
      holds_something = true;
    }
  }
  return says_what && (holds_something || depth > 0);
}

}  // namespace

Tensor tensor_from_pb(Bytes bytes, std::shared_ptr<const void> owner) {
  try {
    bool container = false;
    try {
      container = is_container(bytes);
    } catch (const ProblemError&) {
      // Not even fields: what reading the tensor finds is said.
    }
    if (container) {
      fail(ProblemCode::unsupported,
           "the file holds a SequenceProto or an OptionalProto; only a TensorProto can be read "
           "here");
    }
    WireScan parts = scan(bytes, WireMessage::tensor);
    onnx::TensorProto proto;
    if (!proto.ParseFromString(parts.skeleton)) {
      fail(ProblemCode::encoding, "the file is not a TensorProto");
    }
    return TensorReader(parts.tensors, std::move(owner), /*mapped=*/false, nullptr, {}).read(proto);
  } catch (const ProblemError& problem) {
    throw Error(error_code(problem.code), problem.message);
  }
}

std::string tensor_to_pb(const Tensor& tensor, const std::string& name) {
  if (!tensor.defined())
    throw Error(ErrorCode::invalid_argument, "an undefined tensor cannot be saved");
  Tensor host = tensor.cpu().contiguous();
  onnx::TensorProto proto;
  for (int64_t dim : host.shape()) proto.add_dims(dim);
  proto.set_data_type(static_cast<int32_t>(host.dtype()));
  proto.set_name(name);
  if (host.dtype() == DType::string) {
    for (const std::string& text : host.span<std::string>()) proto.add_string_data(text);
  }
  std::string out = proto.SerializeAsString();
  if (host.dtype() != DType::string) {
    // Appended by hand: protobuf would copy the elements and stops at 2 GiB.
    write_tag(out, kRawData, WireType::bytes);
    write_varint(out, host.nbytes());
    if (host.nbytes() > 0) out.append(static_cast<const char*>(host.data()), host.nbytes());
  }
  return out;
}

}  // namespace ferry
