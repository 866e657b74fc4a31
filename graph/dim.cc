#include "graph/dim.h"

#include <algorithm>
#include <cctype>

#include "core/checked.h"
#include "ferry/error.h"

// Normal form: a sum of terms, each an integer times a product of atoms. An atom is a symbol or a
// call of floor, min or max on two sizes that could not be simplified. Terms are ordered by their
// product, so equal polynomials are equal term by term.
namespace ferry {
namespace {

// An expression with more terms or a longer text is not worth tracking.
constexpr size_t kMaxTerms = 64;
constexpr size_t kMaxText = 4096;

[[noreturn]] void overflow(int64_t a, const char* operation, int64_t b) {
  throw Error(ErrorCode::invalid_model, "the size " + std::to_string(a) + " " + operation + " " +
                                            std::to_string(b) + " does not fit into 64 bits");
}

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return q - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

}  // namespace

struct Atom {
  std::string name;      // the symbol, or the printed call: what atoms are compared by
  const char* function;  // nullptr for a symbol
  Dim a, b;
};

using Product = std::vector<std::shared_ptr<const Atom>>;  // sorted by name

struct Term {
  int64_t factor;
  Product product;  // empty for the constant term
};

struct Dim::Expression {
  std::vector<Term> terms;  // no factor 0, sorted by product
};

namespace {

bool same_product(const Product& x, const Product& y) {
  return std::ranges::equal(x, y, [](const auto& p, const auto& q) { return p->name == q->name; });
}

// Longer products first, then by name, so that the constant term is printed last.
bool product_less(const Product& x, const Product& y) {
  if (x.size() != y.size()) return x.size() > y.size();
  return std::ranges::lexicographical_compare(
      x, y, [](const auto& p, const auto& q) { return p->name < q->name; });
}

// Sorts and merges terms; false on overflow.
bool normalize(std::vector<Term>& terms) {
  std::ranges::sort(
      terms, [](const Term& x, const Term& y) { return product_less(x.product, y.product); });
  std::vector<Term> merged;
  for (Term& term : terms) {
    if (!merged.empty() && same_product(merged.back().product, term.product)) {
      const auto sum = checked_add(merged.back().factor, term.factor);
      if (!sum) return false;
      merged.back().factor = *sum;
    } else {
      merged.push_back(std::move(term));
    }
  }
  std::erase_if(merged, [](const Term& term) { return term.factor == 0; });
  terms = std::move(merged);
  return true;
}

// Whether terms are few and short enough to be followed. A text holds all that it is made of, so
// its bound is one on depth and on the time to evaluate as well.
bool is_small(const std::vector<Term>& terms) {
  if (terms.size() > kMaxTerms) return false;
  size_t text = 0;
  for (const Term& term : terms) {
    for (const auto& atom : term.product) text += atom->name.size() + 1;
  }
  return text <= kMaxText;
}

std::string print(const std::vector<Term>& terms) {
  std::string out;
  for (const Term& term : terms) {
    int64_t factor = term.factor;
    if (!out.empty()) {
      out += factor < 0 && factor != INT64_MIN ? " - " : " + ";
      factor = factor < 0 && factor != INT64_MIN ? -factor : factor;
    }
    std::string product;
    for (const auto& atom : term.product) product += (product.empty() ? "" : "*") + atom->name;
    if (product.empty()) {
      out += std::to_string(factor);
    } else if (factor == 1) {
      out += product;
    } else {
      out += (factor == -1 ? "-" : std::to_string(factor) + "*") + product;
    }
  }
  return out;
}

}  // namespace

Dim::Dim(int64_t value) : kind_(Kind::number), value_(value) {}

Dim::Dim(std::shared_ptr<const Expression> expression) {
  const std::vector<Term>& terms = expression->terms;
  if (terms.empty() || (terms.size() == 1 && terms[0].product.empty())) {
    kind_ = Kind::number;
    value_ = terms.empty() ? 0 : terms[0].factor;
  } else {
    kind_ = Kind::expression;
    expression_ = std::move(expression);
  }
}

Dim Dim::symbol(std::string name) {
  auto atom = std::make_shared<const Atom>(Atom{std::move(name), nullptr, {}, {}});
  return Dim(std::make_shared<const Expression>(Expression{{Term{1, {std::move(atom)}}}}));
}

Dim Dim::call(const char* function, const Dim& a, const Dim& b) {
  if (a.is_unknown() || b.is_unknown()) return {};
  std::string name =
      std::string(function) == "floor"
          ? "floor((" + a.str() + ")/" + (b.is_known() ? b.str() : "(" + b.str() + ")") + ")"
          : std::string(function) + "(" + a.str() + ", " + b.str() + ")";
  if (name.size() > kMaxText) return {};
  auto atom = std::make_shared<const Atom>(Atom{std::move(name), function, a, b});
  return Dim(std::make_shared<const Expression>(Expression{{Term{1, {std::move(atom)}}}}));
}

const Dim::Expression& Dim::expression_of(const Dim& dim) {
  thread_local Expression number;
  if (dim.is_symbolic()) return *dim.expression_;
  number.terms.clear();
  if (dim.value_ != 0) number.terms.push_back({dim.value_, {}});
  return number;
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.is_unknown() || b.is_unknown()) return {};
  if (a.is_known() && b.is_known()) {
    const auto sum = checked_add(a.value_, b.value_);
    if (!sum) overflow(a.value_, "+", b.value_);
    return Dim(*sum);
  }
  Dim::Expression out = Dim::expression_of(a);
  const Dim::Expression& right = Dim::expression_of(b);
  out.terms.insert(out.terms.end(), right.terms.begin(), right.terms.end());
  if (!normalize(out.terms) || !is_small(out.terms)) return {};
  return Dim(std::make_shared<const Dim::Expression>(std::move(out)));
}

Dim operator-(const Dim& a, const Dim& b) {
  if (a.is_known() && b.is_known()) {
    const auto difference = checked_sub(a.value_, b.value_);
    if (!difference) overflow(a.value_, "-", b.value_);
    return Dim(*difference);
  }
  return a + Dim(-1) * b;
}

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is_unknown() || b.is_unknown()) return {};
  if (a.is_known() && b.is_known()) {
    const auto product = checked_mul(a.value_, b.value_);
    if (!product) overflow(a.value_, "*", b.value_);
    return Dim(*product);
  }
  const Dim::Expression left = Dim::expression_of(a);
  const Dim::Expression right = Dim::expression_of(b);
  if (left.terms.size() * right.terms.size() > kMaxTerms) return {};
  Dim::Expression out;
  for (const Term& x : left.terms) {
    for (const Term& y : right.terms) {
      const auto factor = checked_mul(x.factor, y.factor);
      if (!factor) return {};
      Product product = x.product;
      product.insert(product.end(), y.product.begin(), y.product.end());
      std::ranges::sort(product, [](const auto& p, const auto& q) { return p->name < q->name; });
      out.terms.push_back({*factor, std::move(product)});
    }
  }
  if (!normalize(out.terms) || !is_small(out.terms)) return {};
  return Dim(std::make_shared<const Dim::Expression>(std::move(out)));
}

Dim floor_div(const Dim& a, const Dim& b) {
  if (a.is_unknown() || b.is_unknown() || (b.is_known() && b.value_ == 0)) return {};
  if (b.is_known() && b.value_ == 1) return a;
  if (a == b) return Dim(1);
  if (a.is_known() && b.is_known()) {
    if (a.value_ == INT64_MIN && b.value_ == -1) return {};
    return Dim(floor_divide(a.value_, b.value_));
  }
  const Dim::Expression left = Dim::expression_of(a);
  if (b.is_known()) {
    // floor((k*b*x + r)/b) = k*x + floor(r/b).
    Dim::Expression whole, rest;
    for (const Term& term : left.terms) {
      if (term.factor != INT64_MIN && term.factor % b.value_ == 0) {
        whole.terms.push_back({term.factor / b.value_, term.product});
      } else {
        rest.terms.push_back(term);
      }
    }
    if (!whole.terms.empty()) {
      return Dim(std::make_shared<const Dim::Expression>(std::move(whole))) +
             floor_div(Dim(std::make_shared<const Dim::Expression>(std::move(rest))), b);
    }
  } else if (const Dim::Expression& right = Dim::expression_of(b); right.terms.size() == 1) {
    // Exact division by one term, where it divides every term of the numerator.
    const Term divisor = right.terms[0];
    Dim::Expression quotient;
    for (const Term& term : left.terms) {
      if (term.factor == INT64_MIN || term.factor % divisor.factor != 0) break;
      Product product = term.product;
      bool divides = true;
      for (const auto& atom : divisor.product) {
        const auto at =
            std::ranges::find_if(product, [&](const auto& p) { return p->name == atom->name; });
        if (at == product.end()) {
          divides = false;
          break;
        }
        product.erase(at);
      }
      if (!divides) break;
      quotient.terms.push_back({term.factor / divisor.factor, std::move(product)});
    }
    if (quotient.terms.size() == left.terms.size() && normalize(quotient.terms)) {
      return Dim(std::make_shared<const Dim::Expression>(std::move(quotient)));
    }
  }
  return Dim::call("floor", a, b);
}

Dim ceil_div(const Dim& a, const Dim& b) { return Dim(-1) * floor_div(Dim(-1) * a, b); }

Dim min(const Dim& a, const Dim& b) {
  if (a.is_known() && b.is_known()) return Dim(std::min(a.value_, b.value_));
  return a == b ? a : Dim::call("min", a, b);
}

Dim max(const Dim& a, const Dim& b) {
  if (a.is_known() && b.is_known()) return Dim(std::max(a.value_, b.value_));
  return a == b ? a : Dim::call("max", a, b);
}

bool operator==(const Dim& a, const Dim& b) {
  if (a.kind_ != b.kind_ || a.is_unknown()) return false;
  if (a.is_known()) return a.value_ == b.value_;
  if (a.expression_ == b.expression_) return true;
  return std::ranges::equal(a.expression_->terms, b.expression_->terms,
                            [](const Term& x, const Term& y) {
                              return x.factor == y.factor && same_product(x.product, y.product);
                            });
}

std::optional<int64_t> Dim::evaluate(const std::map<std::string, int64_t>& symbols) const {
  if (is_known()) return value_;
  if (is_unknown()) return std::nullopt;
  int64_t sum = 0;
  for (const Term& term : expression_->terms) {
    std::optional<int64_t> product = term.factor;
    for (const auto& atom : term.product) {
      std::optional<int64_t> value;
      if (atom->function == nullptr) {
        const auto at = symbols.find(atom->name);
        if (at != symbols.end()) value = at->second;
      } else {
        const auto a = atom->a.evaluate(symbols), b = atom->b.evaluate(symbols);
        if (!a || !b) return std::nullopt;
        const Dim result = atom->function == std::string("floor") ? floor_div(Dim(*a), Dim(*b))
                           : atom->function == std::string("min") ? min(Dim(*a), Dim(*b))
                                                                  : max(Dim(*a), Dim(*b));
        if (result.is_known()) value = result.value();
      }
      if (!value) return std::nullopt;
      product = checked_mul(*product, *value);
      if (!product) return std::nullopt;
    }
    const auto next = checked_add(sum, *product);
    if (!next) return std::nullopt;
    sum = *next;
  }
  return sum;
}

void Dim::collect_symbols(std::vector<std::string>& names) const {
  if (!is_symbolic()) return;
  for (const Term& term : expression_->terms) {
    for (const auto& atom : term.product) {
      if (atom->function == nullptr) {
        if (std::ranges::find(names, atom->name) == names.end()) names.push_back(atom->name);
      } else {
        atom->a.collect_symbols(names);
        atom->b.collect_symbols(names);
      }
    }
  }
}

std::string Dim::str() const {
  if (is_known()) return std::to_string(value_);
  return is_unknown() ? "?" : print(expression_->terms);
}

std::string to_string(const Dims& dims) {
  std::string out = "[";
  for (size_t i = 0; i < dims.size(); ++i) out += (i > 0 ? ", " : "") + dims[i].str();
  return out + "]";
}

std::optional<std::vector<int64_t>> known_shape(const Dims& dims) {
  std::vector<int64_t> out;
  out.reserve(dims.size());
  for (const Dim& dim : dims) {
    if (!dim.is_known()) return std::nullopt;
    out.push_back(dim.value());
  }
  return out;
}

}  // namespace ferry
