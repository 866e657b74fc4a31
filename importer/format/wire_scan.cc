#include "importer/format/wire_scan.h"

#include <fmt/format.h>

#include <array>
#include <bitset>
#include <initializer_list>

#include "importer/format/onnx_wire.pb.h"
#include "importer/format/wire.h"
#include "importer/problems.h"

namespace ferry {
namespace {

enum class Kind : uint8_t {
  verbatim,
  model,
  graph,
  node,
  attribute,
  function,
  tensor,
  sparse_tensor,
  sequence,
  optional,
};

struct Descent {
  uint32_t field;
  Kind kind;
};

// Per message: the fields to walk into, and those to copy as they are. Everything else is dropped.
struct Layout {
  std::bitset<32> copied;
  std::array<Descent, 6> walked{};

  Layout(std::initializer_list<uint32_t> fields, std::initializer_list<Descent> descents) {
    for (uint32_t field : fields) copied.set(field);
    size_t i = 0;
    for (const Descent& descent : descents) walked[i++] = descent;
  }

  Kind kind_of(uint32_t field) const {
    for (const Descent& descent : walked) {
      if (descent.field == field) return descent.kind;
    }
    return Kind::verbatim;
  }
};

const Layout& layout_of(Kind kind) {
  static const Layout layouts[] = {
      /* verbatim */ {{}, {}},
      /* model */ {{1, 2, 3, 4, 5, 8, 14}, {{7, Kind::graph}, {25, Kind::function}}},
      /* graph */
      {{2, 11, 12, 13}, {{1, Kind::node}, {5, Kind::tensor}, {15, Kind::sparse_tensor}}},
      /* node */ {{1, 2, 3, 4, 7, 8}, {{5, Kind::attribute}}},
      /* attribute */
      {{1, 2, 3, 4, 7, 8, 9, 14, 15, 20, 21},
       {{5, Kind::tensor},
        {6, Kind::graph},
        {10, Kind::tensor},
        {11, Kind::graph},
        {22, Kind::sparse_tensor},
        {23, Kind::sparse_tensor}}},
      /* function */ {{1, 4, 5, 6, 9, 10, 12, 13}, {{7, Kind::node}, {11, Kind::attribute}}},
      /* tensor */ {{1, 2, 3, 8, 13, 14}, {}},
      /* sparse_tensor */ {{3}, {{1, Kind::tensor}, {2, Kind::tensor}}},
      /* sequence */ {{1, 2}, {{3, Kind::tensor}}},
      /* optional */ {{1, 2}, {{3, Kind::tensor}}},
  };
  return layouts[static_cast<size_t>(kind)];
}

class Scanner {
 public:
  Scanner(const ScanLimits& limits, WireScan& out) : limits_(limits), out_(out) {}

  void message(Bytes bytes, Kind kind, int depth) {
    if (depth > limits_.depth) {
      fail(ProblemCode::limit,
           fmt::format("messages are nested more than {} deep (subgraphs in subgraphs)",
                       limits_.depth));
    }
    if (++messages_ > limits_.messages) {
      fail(ProblemCode::limit,
           fmt::format("the model has more than {} nodes, attributes and tensors",
                       limits_.messages));
    }
    const Layout& layout = layout_of(kind);
    WireReader reader(bytes);
    WireField field;
    while (reader.next(field)) {
      Kind child = layout.kind_of(field.number);
      if (child != Kind::verbatim) {
        nested(field, child, depth);
      } else if (field.number < layout.copied.size() && layout.copied[field.number]) {
        append(field.encoded);
      }
    }
    if (kind == Kind::tensor) {
      write_tag(out_.skeleton, onnx::TensorProto::kScanIndexFieldNumber, WireType::varint);
      write_varint(out_.skeleton, out_.tensors.size());
      out_.tensors.push_back(bytes);
    }
  }

 private:
  // The child's length is not known before it is written: five bytes are kept for it, the most that
  // a protobuf length has, as a padded varint.
  void nested(const WireField& field, Kind kind, int depth) {
    if (field.type != WireType::bytes) {
      fail(ProblemCode::encoding,
           fmt::format("the protobuf encoding is broken: field {} should be a message",
                       field.number));
    }
    constexpr size_t kLengthBytes = 5;
    write_tag(out_.skeleton, field.number, WireType::bytes);
    size_t at = out_.skeleton.size();
    out_.skeleton.append(kLengthBytes, '\0');
    message(field.bytes, kind, depth + 1);
    uint64_t length = out_.skeleton.size() - at - kLengthBytes;
    for (size_t i = 0; i < kLengthBytes; ++i, length >>= 7) {
      bool last = i + 1 == kLengthBytes;
      out_.skeleton[at + i] = static_cast<char>((length & 0x7f) | (last ? 0 : 0x80));
    }
  }

  void append(Bytes bytes) {
    if (out_.skeleton.size() + bytes.size() > limits_.skeleton_bytes) {
      fail(ProblemCode::limit, fmt::format("names, attributes and types take more than {} bytes",
                                           limits_.skeleton_bytes));
    }
    out_.skeleton.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  const ScanLimits& limits_;
  WireScan& out_;
  uint64_t messages_ = 0;
};

constexpr Kind root_kind(WireMessage message) {
  switch (message) {
    case WireMessage::model:
      return Kind::model;
    case WireMessage::tensor:
      return Kind::tensor;
    case WireMessage::sequence:
      return Kind::sequence;
    case WireMessage::optional:
      return Kind::optional;
  }
  return Kind::verbatim;
}

}  // namespace

WireScan scan(Bytes message, WireMessage kind, const ScanLimits& limits) {
  WireScan out;
  Scanner(limits, out).message(message, root_kind(kind), 0);
  return out;
}

}  // namespace ferry
