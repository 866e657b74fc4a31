#include "graph/infer.h"

#include <utility>

#include "core/checked.h"
#include "ferry/error.h"
#include "graph/ops/bodies.h"
#include "graph/ops/cost.h"
#include "graph/ops/rules.h"

namespace ferry {
namespace {

using Symbols = std::map<std::string, int64_t>;

Dims evaluate(const Dims& dims, const Symbols& symbols) {
  Dims result = dims;
  for (Dim& dim : result) {
    if (!dim.is_symbolic()) continue;
    if (const auto number = dim.evaluate(symbols)) dim = *number;
  }
  return result;
}

[[noreturn]] void contradiction(const std::string& value, const Type& inferred,
                                const Type& declared) {
  throw Error(ErrorCode::invalid_model, "the value '" + value + "' is declared as " +
                                            declared.str() + ", but its operator makes it " +
                                            inferred.str());
}

// The better known of both, axis by axis. Numbers must agree; where names are involved the inferred
// size holds, since it is what the graph computes: exporters declare numbers for sizes that vary.
Type merge(const Type& inferred, const Type& declared, const std::string& value) {
  const bool has_dtype = inferred.dtype != DType::undefined;
  const bool declares_dtype = declared.dtype != DType::undefined;
  const bool declares_element = declared.element != nullptr;
  if (!declares_dtype && !declares_element && !declared.shape) return inferred;
  if (inferred.kind != declared.kind) {
    if (!has_dtype && inferred.element == nullptr && !inferred.shape) return declared;
    contradiction(value, inferred, declared);
  }
  Type result = inferred;
  if (has_dtype && declares_dtype && inferred.dtype != declared.dtype) {
    contradiction(value, inferred, declared);
  }
  if (!has_dtype) result.dtype = declared.dtype;
  if (declares_element) {
    result.element =
        inferred.element
            ? std::make_shared<const Type>(merge(*inferred.element, *declared.element, value))
            : declared.element;
  }
  if (!declared.shape) return result;
  if (!inferred.shape) {
    result.shape = declared.shape;
    return result;
  }
  if (inferred.shape->size() != declared.shape->size()) contradiction(value, inferred, declared);
  for (size_t i = 0; i < result.shape->size(); ++i) {
    Dim& dim = (*result.shape)[i];
    const Dim& other = (*declared.shape)[i];
    if (dim.is_known() && other.is_known() && dim.value() != other.value()) {
      contradiction(value, inferred, declared);
    }
    if (dim.is_unknown()) dim = other;
  }
  return result;
}

Type constant_type(const Tensor& constant) {
  Type type;
  type.dtype = constant.dtype();
  type.shape = Dims(constant.shape().begin(), constant.shape().end());
  return type;
}

// An integer or bool tensor of these elements.
Tensor tensor_of(const Dims& contents, Shape shape, DType dtype) {
  Tensor tensor = Tensor::empty(std::move(shape), dtype);
  const auto fill = [&]<typename T>(T*) {
    T* out = static_cast<T*>(tensor.mutable_data());
    for (size_t i = 0; i < contents.size(); ++i) out[i] = static_cast<T>(contents[i].value());
  };
  switch (dtype) {
    case int64:
      fill(static_cast<int64_t*>(nullptr));
      break;
    case int32:
      fill(static_cast<int32_t*>(nullptr));
      break;
    default:
      fill(static_cast<bool*>(nullptr));
      break;
  }
  return tensor;
}

// What one call of infer() may still spend, bodies included.
struct Budget {
  int64_t folded_bytes = 0;
  double folded_work = 0;      // operations
  int64_t extra_trips = 1000;  // infer_bodies
};

// The bytes of the constants, bodies included.
int64_t constant_bytes(const Graph& graph) {
  int64_t bytes = 0;
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    bytes += static_cast<int64_t>(graph.value(id).constant.nbytes());
  }
  for (const NodeId id : graph.order()) {
    for (const auto& body : graph.node(id).bodies) bytes += constant_bytes(*body);
  }
  return bytes;
}

class Driver {
 public:
  Driver(Graph& graph, const InferOptions& options, Symbols symbols, Budget& budget)
      : graph_(graph), options_(options), symbols_(std::move(symbols)), budget_(budget) {}

  void run_inputs();
  void run_nodes();

 private:
  void run_node(NodeId id);
  void accept(ValueId id, Value& inferred);
  void fold(const Node& node);
  bool small_enough(const Node& node) const;
  double work_of_folding(const Node& node) const;

  Graph& graph_;
  const InferOptions& options_;
  Symbols symbols_;
  Budget& budget_;
  std::vector<Value> outputs_;     // scratch
  std::vector<Tensor> constants_;  // scratch
};

void Driver::run_inputs() {
  for (ValueId id : graph_.inputs()) {
    Value& value = graph_.value(id);
    const auto given = options_.input_shapes.find(value.name);
    if (given == options_.input_shapes.end()) continue;
    const Dims shape(given->second.begin(), given->second.end());
    if (value.type.shape && value.type.shape->size() == shape.size()) {
      for (size_t i = 0; i < shape.size(); ++i) {
        const Dim& declared = (*value.type.shape)[i];
        std::vector<std::string> names;
        declared.collect_symbols(names);
        if (names.size() == 1 && declared == Dim::symbol(names[0])) {
          symbols_.emplace(names[0], shape[i].value());
        }
      }
    }
    Type type = value.type;
    type.shape = shape;
    value.type = merge(type, value.type, value.name);
  }
  for (ValueId id : graph_.inputs()) {
    Value& value = graph_.value(id);
    if (value.type.shape) value.type.shape = evaluate(*value.type.shape, symbols_);
  }
}

void Driver::accept(ValueId id, Value& inferred) {
  Value& value = graph_.value(id);
  if (!symbols_.empty() && value.type.shape) {
    value.type.shape = evaluate(*value.type.shape, symbols_);
  }
  value.type = merge(inferred.type, value.type, value.name);
  value.contents = std::move(inferred.contents);
  if (!value.contents || !value.device.is_cpu() || !value.type.shape) return;
  const DType dtype = value.type.dtype;
  if (dtype != int64 && dtype != int32 && dtype != boolean) return;
  for (const Dim& dim : *value.contents) {
    if (!dim.is_known()) return;
  }
  auto shape = known_shape(*value.type.shape);
  if (!shape) return;
  if (product(*value.type.shape).value() != std::ssize(*value.contents)) {
    contradiction(value.name, inferred.type, value.type);
  }
  value.constant = tensor_of(*value.contents, std::move(*shape), dtype);
}

// Whether the results are known to fit what may be folded: a size that only the data decides, such
// as that of NonZero, is not.
bool Driver::small_enough(const Node& node) const {
  int64_t total = 0;
  for (ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const Type& type = graph_.value(id).type;
    if (type.kind != Type::Kind::tensor || !graph_.value(id).device.is_cpu()) return false;
    if (!type.shape) return false;
    const Dim count = product(*type.shape);
    if (!count.is_known()) return false;
    const Dim bytes = ceil_div(count * Dim(dtype_bits(type.dtype)), 8);
    if (bytes.value() > options_.max_folded_bytes) return false;
    total += bytes.value();
  }
  return total <= budget_.folded_bytes;
}

// Operations, from the constants; every size is known by now.
double Driver::work_of_folding(const Node& node) const {
  const OpRule& rule = node.op.rule();
  if (rule.flops == nullptr) return 0;
  NodeSizes sizes{node.attributes, {}, {}};
  for (const Tensor& constant : constants_) {
    const Shape shape = constant.defined() ? constant.shape() : Shape();
    sizes.inputs.emplace_back(shape.begin(), shape.end());
  }
  for (const ValueId id : node.outputs) {
    std::vector<double>& output = sizes.outputs.emplace_back();
    if (id == kNoValue) continue;
    for (const Dim& dim : *graph_.value(id).type.shape) {
      output.push_back(static_cast<double>(dim.value()));
    }
  }
  return rule.flops(sizes);
}

// Gives the outputs their constants where every input is one. What a kernel refuses is left to the
// run, which may never come to it: a branch that is not taken may divide by zero.
void Driver::fold(const Node& node) {
  constants_.clear();
  for (ValueId id : node.inputs) {
    if (id == kNoValue) {
      constants_.emplace_back();
    } else if (graph_.value(id).is_constant()) {
      constants_.push_back(graph_.value(id).constant);
    } else {
      return;
    }
  }
  if (!node.bodies.empty() || !small_enough(node)) return;
  const double work = work_of_folding(node);
  if (!(work <= budget_.folded_work)) return;
  budget_.folded_work -= work;
  std::optional<std::vector<Tensor>> results;
  try {
    results = options_.evaluator->evaluate(node, constants_);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) throw;
  }
  if (!results) return;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& value = graph_.value(node.outputs[i]);
    value.type = merge(constant_type((*results)[i]), value.type, value.name);
    value.constant = (*results)[i];
    value.contents.reset();
    budget_.folded_bytes -= static_cast<int64_t>(value.constant.nbytes());
  }
}

void Driver::run_node(NodeId id) {
  Node& node = graph_.node(id);
  const OpRule& rule = node.op.rule();
  if (rule.infer == nullptr) return;
  if (rule.bodies != nullptr) {
    infer_bodies(graph_, node, budget_.extra_trips, [&](Graph& body) {
      Driver driver(body, options_, symbols_, budget_);
      driver.run_nodes();
    });
  }
  outputs_.clear();
  outputs_.resize(node.outputs.size());
  InferContext context(graph_, node, outputs_);
  rule.infer(context);
  bool folded = true;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    accept(node.outputs[i], outputs_[i]);
    folded = folded && graph_.value(node.outputs[i]).is_constant();
  }
  if (!folded && options_.evaluator != nullptr) fold(node);
}

void Driver::run_nodes() {
  for (NodeId id : graph_.order()) {
    try {
      run_node(id);
    } catch (const Error& error) {
      const Node& node = graph_.node(id);
      throw error.with_node(node.name, node.op);
    }
  }
}

}  // namespace

// ---- InferContext -------------------------------------------------------------------------------

bool InferContext::has_input(int i) const {
  return i < input_count() && node_.inputs[i] != kNoValue;
}

bool InferContext::has_output(int i) const {
  return i < output_count() && node_.outputs[i] != kNoValue;
}

const Value& InferContext::input(int i) const { return graph_.value(node_.inputs[i]); }

const Tensor* InferContext::constant(int i) const {
  const Value& value = input(i);
  contents_read_.add(i);
  return value.is_constant() ? &value.constant : nullptr;
}

std::optional<Dims> InferContext::contents(int i) const {
  const Value& value = input(i);
  if (value.contents) return value.contents;
  if (!value.is_constant()) return std::nullopt;
  const Tensor& tensor = value.constant;
  const size_t count = static_cast<size_t>(tensor.numel());
  if (count > kMaxContents) return std::nullopt;
  contents_read_.add(i);
  Dims result(count);
  switch (tensor.dtype()) {
    case int64: {
      const auto* data = static_cast<const int64_t*>(tensor.data());
      for (size_t k = 0; k < count; ++k) result[k] = data[k];
      return result;
    }
    case int32: {
      const auto* data = static_cast<const int32_t*>(tensor.data());
      for (size_t k = 0; k < count; ++k) result[k] = int64_t{data[k]};
      return result;
    }
    case boolean: {
      const auto* data = static_cast<const uint8_t*>(tensor.data());
      for (size_t k = 0; k < count; ++k) result[k] = int64_t{data[k] != 0};
      return result;
    }
    default:
      return std::nullopt;
  }
}

std::optional<std::vector<int64_t>> InferContext::constant_ints(int i) const {
  const auto dims = contents(i);
  if (!dims) return std::nullopt;
  return known_shape(*dims);
}

void InferContext::set_output(int i, DType dtype, std::optional<Dims> shape) {
  Type type;
  type.dtype = dtype;
  type.shape = std::move(shape);
  set_output_type(i, std::move(type));
}

void InferContext::set_output_type(int i, Type type) {
  if (!has_output(i)) return;
  if (type.shape) check_output_shape(i, *type.shape);
  outputs_[i].type = std::move(type);
}

void InferContext::check_output_shape(int i, const Dims& shape) const {
  const auto refuse = [&](const std::string& why) {
    fail("output " + std::to_string(i) + " would have " + why);
  };
  if (shape.size() > static_cast<size_t>(kMaxRank)) {
    refuse(std::to_string(shape.size()) + " axes, expected at most " + std::to_string(kMaxRank));
  }
  bool empty = false;
  std::optional<int64_t> count = 1;
  for (const Dim& dim : shape) {
    if (!dim.is_known()) continue;
    if (dim.value() < 0) {
      refuse("the shape " + to_string(shape) + ", in which a size is negative");
    }
    empty = empty || dim.value() == 0;
    if (count) count = checked_mul(*count, dim.value());
  }
  if (!empty && (!count || *count > kMaxElements)) {
    refuse("the shape " + to_string(shape) + ", which has more than 2^55 elements");
  }
}

void InferContext::set_contents(int i, Dims contents) {
  if (!has_output(i) || contents.size() > kMaxContents) return;
  const Type& type = outputs_[i].type;
  if (type.dtype != int64 && type.dtype != int32 && type.dtype != boolean) return;
  if (type.shape) {
    const Dim count = product(*type.shape);
    if (count.is_known() && count.value() != std::ssize(contents)) return;
  }
  if (type.dtype == int32) {
    for (Dim& dim : contents) {
      if (dim.is_known()) dim = int64_t{static_cast<int32_t>(dim.value())};
    }
  }
  outputs_[i].contents = std::move(contents);
}

void InferContext::fail(std::string message) const {
  throw Error(ErrorCode::invalid_model, std::move(message));
}

// ---- the graph ----------------------------------------------------------------------------------

void infer(Graph& graph, const InferOptions& options) {
  Budget budget{.folded_bytes = options.max_folded_total, .folded_work = options.max_folded_work};
  if (options.evaluator != nullptr) budget.folded_bytes += 8 * constant_bytes(graph);
  Driver driver(graph, options, options.symbols, budget);
  driver.run_inputs();
  driver.run_nodes();
}

std::vector<Type> infer_node(const Graph& graph, NodeId id, Ports* contents_read) {
  const Node& node = graph.node(id);
  std::vector<Value> outputs(node.outputs.size());
  const OpRule& rule = node.op.rule();
  if (rule.infer == nullptr) {
    throw Error(ErrorCode::unsupported,
                "there is no inference rule for the operator " + node.op.name())
        .with_node(node.name, node.op);
  }
  try {
    InferContext context(graph, node, outputs);
    rule.infer(context);
    if (contents_read != nullptr) *contents_read = context.contents_read();
  } catch (const Error& error) {
    throw error.with_node(node.name, node.op);
  }
  std::vector<Type> types;
  types.reserve(outputs.size());
  for (Value& output : outputs) types.push_back(std::move(output.type));
  return types;
}

}  // namespace ferry
