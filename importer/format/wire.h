#pragma once

#include <cstdint>
#include <string>

#include "core/file_map.h"

// Reading protobuf's wire format without protobuf: enough to walk messages of any size in place.
namespace ferry {

enum class WireType : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::varint;
  uint64_t value = 0;  // of varint, fixed64 and fixed32
  Bytes bytes;         // of length-delimited fields
  Bytes encoded;       // the whole field, tag included
};

// Walks the fields of one message. Offsets are 64 bits wide. Throws ProblemError (encoding) for
// encodings that no writer makes: truncated or overlong numbers, lengths beyond the message,
// groups, field number 0.
class WireReader {
 public:
  explicit WireReader(Bytes message) : message_(message) {}

  bool next(WireField& field);

  // The next bare varint: an element of a packed field.
  bool next_varint(uint64_t& value);

 private:
  uint64_t read_varint();
  Bytes read_bytes(uint64_t count);

  Bytes message_;
  size_t at_ = 0;
};

// Appends to a message that is being written.
void write_varint(std::string& out, uint64_t value);
void write_tag(std::string& out, uint32_t number, WireType type);

}  // namespace ferry
