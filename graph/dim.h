#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ferry {

// One size of a shape: a number, an expression over named symbols ("batch", "2*seq + 1",
// "floor(seq/4)"), or unknown. A value type; copying is cheap.
//
// Expressions are kept in one normal form, so == says whether two sizes are the same for every
// value of the symbols as far as that form shows. An unknown size equals nothing, itself included.
// Two numbers that overflow 64 bits are an Error invalid_model; a long expression is unknown.
class Dim {
 public:
  Dim() = default;     // unknown
  Dim(int64_t value);  // NOLINT(google-explicit-constructor): a number is a size
  static Dim symbol(std::string name);

  bool is_known() const { return kind_ == Kind::number; }
  bool is_unknown() const { return kind_ == Kind::unknown; }
  bool is_symbolic() const { return kind_ == Kind::expression; }
  int64_t value() const { return value_; }  // only when is_known()

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim floor_div(const Dim& a, const Dim& b);  // unknown when b is 0
  friend Dim ceil_div(const Dim& a, const Dim& b);
  friend Dim min(const Dim& a, const Dim& b);
  friend Dim max(const Dim& a, const Dim& b);
  friend bool operator==(const Dim& a, const Dim& b);

  // The number when every symbol has a value in `symbols`, else nullopt.
  std::optional<int64_t> evaluate(const std::map<std::string, int64_t>& symbols) const;
  void collect_symbols(std::vector<std::string>& names) const;

  std::string str() const;  // "?" when unknown

 private:
  enum class Kind : uint8_t { unknown, number, expression };
  struct Expression;
  explicit Dim(std::shared_ptr<const Expression> expression);
  static Dim call(const char* function, const Dim& a, const Dim& b);
  static const Expression& expression_of(const Dim& dim);

  Kind kind_ = Kind::unknown;
  int64_t value_ = 0;
  std::shared_ptr<const Expression> expression_;
};

using Dims = std::vector<Dim>;

std::string to_string(const Dims& dims);  // "[batch, 3, ?]"

// All numbers, or nullopt.
std::optional<std::vector<int64_t>> known_shape(const Dims& dims);

}  // namespace ferry
