// Operators with bodies.
#include <utility>

#include "ferry/error.h"
#include "graph/infer/bodies.h"
#include "graph/infer/rules.h"

namespace ferry {
namespace {

// What holds of both: the sizes that are equal stay, the others are unknown.
Type common_type(const InferContext& context, const Type& a, const Type& b, int output) {
  if (a.kind != b.kind ||
      (a.dtype != b.dtype && a.dtype != DType::undefined && b.dtype != DType::undefined)) {
    context.fail("output " + std::to_string(output) + " is " + a.str() + " in one branch and " +
                 b.str() + " in the other");
  }
  Type result = a;
  if (result.dtype == DType::undefined) result.dtype = b.dtype;
  if (a.element && b.element) {
    result.element =
        std::make_shared<const Type>(common_type(context, *a.element, *b.element, output));
  }
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) {
    result.shape.reset();
    return result;
  }
  for (size_t i = 0; i < a.shape->size(); ++i) {
    if (!((*a.shape)[i] == (*b.shape)[i])) (*result.shape)[i] = Dim();
  }
  return result;
}

const Type& output_type(const Graph& body, int i) { return body.value(body.outputs()[i]).type; }

// If (opset 25): cond -> outputs...; bodies then_branch, else_branch without inputs.
void infer_if(InferContext& context) {
  expect_arity(context, 1, 1, kAnyCount);
  expect_dtype(context, 0, kBool);
  const auto& bodies = context.node().bodies;
  for (const auto& body : bodies) {
    if (static_cast<int>(body->outputs().size()) != context.output_count()) {
      context.fail("a branch has " + std::to_string(body->outputs().size()) +
                   " outputs, the node has " + std::to_string(context.output_count()));
    }
  }
  const auto condition = context.constant_ints(0);
  for (int i = 0; i < context.output_count(); ++i) {
    const Type& then_type = output_type(*bodies[0], i);
    const Type& else_type = output_type(*bodies[1], i);
    if (condition && condition->size() == 1) {
      context.set_output_type(i, condition->front() != 0 ? then_type : else_type);
    } else {
      context.set_output_type(i, common_type(context, then_type, else_type, i));
    }
  }
}

// Loop (opset 25): M?, cond?, v_initial... -> v_final..., scan_outputs...; the body takes the trip
// number, the condition and what is carried, and gives the condition, what is carried and one slice
// of each scan output.
void infer_loop(InferContext& context) {
  expect_arity(context, 0, kAnyCount, kAnyCount);
  if (context.input_count() < 2) context.fail("the node has fewer than 2 inputs");
  if (context.has_input(0)) expect_dtype(context, 0, TypeSet{int64});
  if (context.has_input(1)) expect_dtype(context, 1, kBool);
  const Graph& body = *context.node().bodies[0];
  const int carried = context.input_count() - 2;
  if (static_cast<int>(body.outputs().size()) != context.output_count() + 1 ||
      context.output_count() < carried) {
    context.fail("the body has " + std::to_string(body.outputs().size()) +
                 " outputs, expected the condition, " + std::to_string(carried) +
                 " carried values and the scan outputs, one more than the node has");
  }
  for (int i = 0; i < carried; ++i) {
    // After no trip it is the initial value, after others the body's.
    const Type& initial = context.input(i + 2).type;
    const Type& last = output_type(body, i + 1);
    context.set_output_type(i, common_type(context, initial, last, i));
  }
  for (int i = carried; i < context.output_count(); ++i) {
    Type type = output_type(body, i + 1);
    if (type.shape) type.shape->insert(type.shape->begin(), Dim());
    context.set_output_type(i, std::move(type));
  }
}

constexpr InferRule kRules[] = {
    {"If", infer_if},
    {"Loop", infer_loop},
};

// The values of `body` that outer ones are: the loop around it may change a body's input, a capture
// is the outer value itself.
void set_captures(const Graph& graph, const Node& node, Graph& body) {
  for (size_t i = 0; i < body.captures().size(); ++i) {
    const Value& outer = graph.value(node.captures[i]);
    Value& inner = body.value(body.captures()[i]);
    inner.type = outer.type;
    inner.contents = outer.contents;
    inner.constant = outer.constant;
  }
}

// What the body's declared type leaves of an outer type: the sizes that both say.
Type entry_type(const Type& outer, const Type& declared) {
  Type type = outer;
  if (type.dtype == DType::undefined && type.element == nullptr) type = declared;
  return type;
}

// Makes the sizes of `carried` unknown where the body gives back others. True when it did.
bool widen(Type& carried, const Type& next) {
  if (!carried.shape) return false;
  if (!next.shape || next.shape->size() != carried.shape->size()) {
    carried.shape.reset();
    return true;
  }
  bool changed = false;
  for (size_t i = 0; i < carried.shape->size(); ++i) {
    Dim& dim = (*carried.shape)[i];
    if (dim.is_unknown() || dim == (*next.shape)[i]) continue;
    dim = Dim();
    changed = true;
  }
  return changed;
}

void infer_loop_body(const Graph& graph, Node& node, FunctionRef<void(Graph&)> infer_body) {
  Graph& body = *node.bodies[0];
  const size_t carried = node.inputs.size() - 2;
  if (body.inputs().size() != carried + 2 || body.outputs().size() < carried + 1) {
    throw Error(ErrorCode::invalid_model,
                "the body has " + std::to_string(body.inputs().size()) + " inputs and " +
                    std::to_string(body.outputs().size()) + " outputs, expected " +
                    std::to_string(carried + 2) + " inputs and at least " +
                    std::to_string(carried + 1) + " outputs");
  }
  std::vector<Type> types(carried + 2);
  types[0].dtype = int64;
  types[0].shape = Dims();
  types[1].dtype = boolean;
  types[1].shape = Dims();
  for (size_t i = 0; i < carried; ++i) {
    if (node.inputs[i + 2] == kNoValue) continue;
    types[i + 2] =
        entry_type(graph.value(node.inputs[i + 2]).type, body.value(body.inputs()[i + 2]).type);
  }
  for (;;) {
    Graph attempt = clone(body);
    for (size_t i = 0; i < types.size(); ++i) {
      attempt.value(attempt.inputs()[i]).type = types[i];
    }
    infer_body(attempt);
    bool changed = false;
    for (size_t i = 0; i < carried; ++i) {
      const Type& next = attempt.value(attempt.outputs()[i + 1]).type;
      if (widen(types[i + 2], next)) changed = true;
    }
    if (changed) continue;
    body = std::move(attempt);
    return;
  }
}

}  // namespace

void infer_bodies(const Graph& graph, Node& node, FunctionRef<void(Graph&)> infer_body) {
  for (const auto& body : node.bodies) set_captures(graph, node, *body);
  if (node.op == "Loop") {
    infer_loop_body(graph, node, infer_body);
  } else {
    for (const auto& body : node.bodies) infer_body(*body);
  }
}

std::span<const InferRule> controlflow_rules() { return kRules; }

}  // namespace ferry
