#include "importer/format/wire.h"

#include <fmt/format.h>

#include <cstring>

#include "importer/problems.h"

namespace ferry {
namespace {

[[noreturn]] void malformed(const char* what, size_t at) {
  fail(ProblemCode::encoding,
       fmt::format("the protobuf encoding is broken: {} at byte {} of its message; the file is "
                   "truncated, damaged, or not an ONNX file",
                   what, at));
}

constexpr uint64_t kMaxFieldNumber = (1u << 29) - 1;

}  // namespace

uint64_t WireReader::read_varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ >= message_.size()) malformed("a number ends too early", at_);
    uint8_t byte = message_[at_++];
    // Bits beyond 64 are dropped, as protobuf does: -1 as an int32 has them.
    if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  malformed("a number has more than ten bytes", at_);
}

Bytes WireReader::read_bytes(uint64_t count) {
  if (count > message_.size() - at_) malformed("a length runs past the end", at_);
  Bytes bytes = message_.subspan(at_, static_cast<size_t>(count));
  at_ += static_cast<size_t>(count);
  return bytes;
}

bool WireReader::next_varint(uint64_t& value) {
  if (at_ == message_.size()) return false;
  value = read_varint();
  return true;
}

bool WireReader::next(WireField& field) {
  if (at_ == message_.size()) return false;
  size_t start = at_;
  uint64_t tag = read_varint();
  if (tag >> 3 == 0 || tag >> 3 > kMaxFieldNumber)
    malformed("a field number is out of range", start);
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(tag & 7);
  field.value = 0;
  field.bytes = {};
  switch (field.type) {
    case WireType::varint:
      field.value = read_varint();
      break;
    case WireType::bytes:
      field.bytes = read_bytes(read_varint());
      break;
    case WireType::fixed32:
    case WireType::fixed64: {
      // Little-endian, as this machine is.
      Bytes bytes = read_bytes(field.type == WireType::fixed32 ? 4 : 8);
      std::memcpy(&field.value, bytes.data(), bytes.size());
      break;
    }
    default:
      malformed("a field has an unknown wire type", start);
  }
  field.encoded = message_.subspan(start, at_ - start);
  return true;
}

void write_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void write_tag(std::string& out, uint32_t number, WireType type) {
  write_varint(out, static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(type));
}

}  // namespace ferry
