#pragma once

#include <array>
#include <climits>
#include <cstdint>
#include <span>
#include <string_view>

// The words in which importer/ops/<family>.cc says what ONNX's operators look like: one row per
// operator, constexpr, with the attributes of every version and the opsets in which they are there.
namespace ferry {

class NodeReader;

// The newest versions that rows were compared with, per domain. A model that imports a newer opset
// is refused: an operator may mean something else there.
inline constexpr int kOnnxReviewed = 28;
inline constexpr int kMlReviewed = 5;
inline constexpr int kForever = INT_MAX;
inline constexpr int kMany = INT_MAX;  // of inputs or outputs

enum class AttrType : uint8_t { integer, real, text, ints, reals, texts, tensor, graph, type };

// What the IR gets where a file leaves an attribute out.
enum class Absent : uint8_t {
  refused,  // the file must give it
  left,     // nothing: readers use Attributes::find
  value,    // the default below, of the attribute's type; an empty list for lists without one
};

struct AttrSpec {
  std::string_view name;
  AttrType type = AttrType::integer;
  Absent absent = Absent::refused;
  int64_t integer = 0;
  float real = 0;
  std::string_view text;
  std::span<const int64_t> ints;
  int first = 1, last = kForever;             // opsets in which files may hold it
  int64_t low = INT64_MIN, high = INT64_MAX;  // of integers, and of each of a list
  std::span<const std::string_view> choices;  // of texts, and of each of a list

  // These return a changed copy, so that rows read as sentences.
  constexpr AttrSpec since(int opset) const {
    AttrSpec copy = *this;
    copy.first = opset;
    return copy;
  }
  constexpr AttrSpec until(int opset) const {
    AttrSpec copy = *this;
    copy.last = opset;
    return copy;
  }
  constexpr AttrSpec within(int64_t lowest, int64_t highest) const {
    AttrSpec copy = *this;
    copy.low = lowest;
    copy.high = highest;
    return copy;
  }
  constexpr AttrSpec at_least(int64_t lowest) const { return within(lowest, INT64_MAX); }
  constexpr AttrSpec one_of(std::span<const std::string_view> texts) const {
    AttrSpec copy = *this;
    copy.choices = texts;
    return copy;
  }

  constexpr bool is_in(int opset) const { return first <= opset && opset <= last; }
};

// Attributes that a file must give.
constexpr AttrSpec required(std::string_view name, AttrType type) {
  return {.name = name, .type = type};
}
// Attributes that may be missing in the IR too.
constexpr AttrSpec maybe(std::string_view name, AttrType type) {
  return {.name = name, .type = type, .absent = Absent::left};
}
constexpr AttrSpec integer(std::string_view name, int64_t value) {
  return {.name = name, .type = AttrType::integer, .absent = Absent::value, .integer = value};
}
constexpr AttrSpec flag(std::string_view name, bool value) {
  return integer(name, value).within(0, 1);
}
// The number of an element type; `value` 0 where a file may leave it to the operator.
constexpr AttrSpec dtype(std::string_view name, int64_t value) {
  return integer(name, value).within(0, 26);
}
constexpr AttrSpec real(std::string_view name, float value) {
  return {.name = name, .type = AttrType::real, .absent = Absent::value, .real = value};
}
constexpr AttrSpec text(std::string_view name, std::string_view value,
                        std::span<const std::string_view> choices = {}) {
  return {.name = name,
          .type = AttrType::text,
          .absent = Absent::value,
          .text = value,
          .choices = choices};
}
constexpr AttrSpec list(std::string_view name, AttrType type) {
  return {.name = name, .type = type, .absent = Absent::value};
}
constexpr AttrSpec ints(std::string_view name) { return list(name, AttrType::ints); }

// How many inputs or outputs a node may have.
struct Arity {
  int least = 0, most = 0;
  constexpr Arity(int count) : least(count), most(count) {}  // NOLINT: a number is an arity
  constexpr Arity(int lowest, int highest) : least(lowest), most(highest) {}
};

// The arity below an opset, where it was another.
struct OldArity {
  int below = 0;
  Arity inputs = 0, outputs = 0;
};

struct OpRow {
  std::string_view op;
  std::string_view domain;        // "" is ai.onnx
  std::array<uint8_t, 12> since;  // the opsets in which ONNX changed it, ascending, then zeros
  Arity inputs = 1, outputs = 1;  // of the newest form
  std::span<const AttrSpec> attributes;
  // Brings older forms to the newest one; runs after the attributes are read and checked.
  void (*read)(NodeReader& reader) = nullptr;
  std::span<const OldArity> old_arity;  // ascending in `below`
  int removed = kForever;               // the first opset without it
  int first = 0;                        // the first opset that is accepted, where not since[0]
  // Inputs from this one on may be left out although later ones are needed.
  int gaps = kMany;

  constexpr int first_opset() const { return first != 0 ? first : since[0]; }
};

// Which opset of the domain the rows were compared with; kForever where only the application has
// operators.
int reviewed_through(std::string_view domain);

// The rows of one family each; importer/ops/table.cc lists them.
std::span<const OpRow> contrib_rows();
std::span<const OpRow> controlflow_rows();
std::span<const OpRow> generator_rows();
std::span<const OpRow> image_rows();
std::span<const OpRow> logical_rows();
std::span<const OpRow> math_rows();
std::span<const OpRow> ml_rows();
std::span<const OpRow> nn_rows();
std::span<const OpRow> object_detection_rows();
std::span<const OpRow> optional_rows();
std::span<const OpRow> preview_rows();
std::span<const OpRow> quantization_rows();
std::span<const OpRow> reduction_rows();
std::span<const OpRow> rnn_rows();
std::span<const OpRow> sequence_rows();
std::span<const OpRow> tensor_rows();
std::span<const OpRow> text_rows();
std::span<const OpRow> training_rows();

std::span<const std::span<const OpRow>> op_rows();

// The row of an operator, ours or a registered one, or nullptr. `domain` as in files, where
// "ai.onnx" is "".
const OpRow* find_row(std::string_view domain, std::string_view op);

}  // namespace ferry
