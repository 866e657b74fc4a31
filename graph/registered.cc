#include "graph/registered.h"

#include <map>
#include <mutex>
#include <shared_mutex>

#include "ferry/error.h"
#include "graph/ops/cost.h"

namespace ferry {
namespace {

struct Registry {
  std::shared_mutex mutex;
  std::map<std::string, std::unique_ptr<const RegisteredOperator>, std::less<>> operators;
};

Registry& registry() {
  static Registry& one = *new Registry;  // outlives every thread that may ask
  return one;
}

}  // namespace

void add_registered(std::unique_ptr<const RegisteredOperator> entry) {
  const std::unique_lock lock(registry().mutex);
  const std::string name = entry->op;
  if (!registry().operators.emplace(name, std::move(entry)).second) {
    throw Error(
        ErrorCode::invalid_argument,
        "the operator '" + name + "' is registered already; an operator is registered once.");
  }
}

const RegisteredOperator* find_registered(std::string_view op) {
  const std::shared_lock lock(registry().mutex);
  const auto at = registry().operators.find(op);
  return at == registry().operators.end() ? nullptr : at->second.get();
}

std::vector<const RegisteredOperator*> registered_operators() {
  const std::shared_lock lock(registry().mutex);
  std::vector<const RegisteredOperator*> out;
  for (const auto& [name, entry] : registry().operators) out.push_back(entry.get());
  return out;
}

void infer_registered(InferContext& context) {
  const RegisteredOperator* entry = context.node().op.rule().registered;
  OperatorInference inference(context);
  call_registered([&] { entry->definition.infer(inference); });
  for (int i = 0; i < context.output_count(); ++i) {
    if (context.has_output(i) && !inference.is_set_[i]) {
      throw Error(ErrorCode::invalid_argument,
                  "the operator's shape rule did not set output " + std::to_string(i) + ".");
    }
  }
}

OpRule rule_of(const RegisteredOperator& entry) {
  return {.op = entry.op,
          .infer = infer_registered,
          .flops = each<1>,
          .random = !entry.definition.deterministic,
          .registered = &entry};
}

// ---- attributes ---------------------------------------------------------------------------------

const Attribute* OperatorAttributes::find(std::string_view name) const {
  return attributes_->lookup(name);
}

void OperatorAttributes::fail(std::string_view name) {
  throw Error(ErrorCode::invalid_argument,
              "the operator has no attribute '" + std::string(name) + "' of this type.");
}

// ---- sizes --------------------------------------------------------------------------------------

Dimension::Dimension(int64_t size) : Dimension(Dim(size)) {}
Dimension::Dimension(const Dim& dim) : dim_(std::make_shared<const Dim>(dim)) {}
Dimension Dimension::unknown() { return Dimension(Dim()); }
bool Dimension::is_known() const { return dim_->is_known(); }
std::string Dimension::str() const { return dim_->str(); }

int64_t Dimension::value() const {
  if (is_known()) return dim_->value();
  throw Error(ErrorCode::invalid_argument, "the size '" + str() + "' is not a number yet.");
}

Dimension operator+(const Dimension& a, const Dimension& b) { return Dimension(*a.dim_ + *b.dim_); }
Dimension operator-(const Dimension& a, const Dimension& b) { return Dimension(*a.dim_ - *b.dim_); }
Dimension operator*(const Dimension& a, const Dimension& b) { return Dimension(*a.dim_ * *b.dim_); }
Dimension operator/(const Dimension& a, const Dimension& b) {
  return Dimension(floor_div(*a.dim_, *b.dim_));
}
bool operator==(const Dimension& a, const Dimension& b) { return *a.dim_ == *b.dim_; }

// ---- inference ----------------------------------------------------------------------------------

OperatorInference::OperatorInference(InferContext& context)
    : context_(&context),
      attributes_(context.attributes()),
      is_set_(static_cast<size_t>(context.output_count())) {}

int OperatorInference::input_count() const { return context_->input_count(); }
int OperatorInference::output_count() const { return context_->output_count(); }
bool OperatorInference::has_input(int i) const { return context_->has_input(i); }
bool OperatorInference::has_output(int i) const { return context_->has_output(i); }
DType OperatorInference::dtype(int i) const {
  return has_input(i) ? context_->dtype(i) : DType::undefined;
}

std::optional<Dimensions> OperatorInference::shape(int i) const {
  if (!has_input(i) || !context_->shape(i)) return std::nullopt;
  Dimensions out;
  for (const Dim& dim : *context_->shape(i)) out.push_back(Dimension(dim));
  return out;
}

const Tensor* OperatorInference::constant(int i) const {
  return has_input(i) ? context_->constant(i) : nullptr;
}

void OperatorInference::set_output(int i, DType dtype, std::optional<Dimensions> shape) {
  if (!has_output(i)) return;
  is_set_[i] = true;
  std::optional<Dims> dims;
  if (shape) {
    dims.emplace();
    for (const Dimension& size : *shape) {
      if (size.is_known() && size.value() < 0) {
        fail("output " + std::to_string(i) + " would have the size " + size.str() + ".");
      }
      dims->push_back(*size.dim_);
    }
  }
  context_->set_output(i, dtype, std::move(dims));
}

void OperatorInference::fail(const std::string& sentence) const { context_->fail(sentence); }

}  // namespace ferry
