// Operators with bodies.
#include <algorithm>
#include <utility>

#include "ferry/error.h"
#include "graph/ops/bodies.h"
#include "graph/ops/rules.h"

namespace ferry {
namespace {

bool is_unknown(const Type& type) {
  return type.kind == Type::Kind::tensor && type.dtype == DType::undefined && !type.shape;
}

// What holds of both: the sizes that are equal stay, the others are unknown.
Type common_type(const InferContext& context, const Type& a, const Type& b, int output) {
  if (is_unknown(a)) return b;
  if (is_unknown(b)) return a;
  if (a.kind != b.kind ||
      (a.dtype != b.dtype && a.dtype != DType::undefined && b.dtype != DType::undefined)) {
    context.fail("output " + std::to_string(output) + " is " + a.str() + " in one branch and " +
                 b.str() + " in the other");
  }
  Type result;
  result.kind = a.kind;
  result.dtype = a.dtype != DType::undefined ? a.dtype : b.dtype;
  if (a.element && b.element) {
    result.element =
        std::make_shared<const Type>(common_type(context, *a.element, *b.element, output));
  }
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) return result;
  Dims shape = *a.shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!(shape[i] == (*b.shape)[i])) shape[i] = Dim();
  }
  result.shape = std::move(shape);
  return result;
}

const Type& output_type(const Graph& body, int i) { return body.value(body.outputs()[i]).type; }

// If (opset 25): cond -> outputs...; bodies then_branch, else_branch without inputs.
void infer_if(InferContext& context) {
  expect_arity(context, 1, 1, kAnyCount);
  expect_dtype(context, 0, kBool);
  const auto condition = constant_int(context, 0);
  const auto& bodies = context.node().bodies;
  for (const auto& body : bodies) {
    if (static_cast<int>(body->outputs().size()) != context.output_count()) {
      context.fail("a branch has " + std::to_string(body->outputs().size()) +
                   " outputs, the node has " + std::to_string(context.output_count()));
    }
  }
  for (int i = 0; i < context.output_count(); ++i) {
    const Type& then_type = output_type(*bodies[0], i);
    const Type& else_type = output_type(*bodies[1], i);
    if (condition) {
      context.set_output_type(i, *condition != 0 ? then_type : else_type);
    } else {
      context.set_output_type(i, common_type(context, then_type, else_type, i));
    }
  }
}

// Loop (opset 25): M?, cond?, v_initial... -> v_final..., scan_outputs...; the body takes the trip
// number, the condition and what is carried, and gives the condition, what is carried and one slice
// of each scan output. Inputs that are absent at the end may be left out altogether.
void infer_loop(InferContext& context) {
  expect_arity(context, 0, kAnyCount, kAnyCount);
  if (context.has_input(0)) expect_dtype(context, 0, TypeSet{int64});
  if (context.has_input(1)) expect_dtype(context, 1, kBool);
  for (int i : {0, 1}) expect_one_element(context, i);
  const Graph& body = *context.node().bodies[0];
  const int carried = std::max(0, context.input_count() - 2);
  if (static_cast<int>(body.outputs().size()) != context.output_count() + 1 ||
      context.output_count() < carried) {
    context.fail("the body has " + std::to_string(body.outputs().size()) +
                 " outputs, expected the condition, " + std::to_string(carried) +
                 " carried values and the scan outputs, one more than the node has");
  }
  for (int i = 0; i < carried; ++i) {
    // After no trip it is the initial value, after others the body's.
    if (!context.has_input(i + 2)) context.fail(input_name(i + 2) + " is required, it is carried");
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

// How a Scan's inputs divide: the state comes first, then what is scanned.
struct ScanForm {
  int64_t states, scanned;
};
ScanForm scan_form(const Node& node) {
  const int64_t scanned = node.attributes.get_int("num_scan_inputs");
  return {static_cast<int64_t>(node.inputs.size()) - scanned, scanned};
}

// Scan (opset 25): initial_state_and_scan_inputs... -> final_state_and_scan_outputs...;
// num_scan_inputs, scan_input_axes, scan_input_directions, scan_output_axes, scan_output_directions
// (one number each). The body takes the state and one slice of each scanned input, and gives the
// state and one slice of each scan output.
void infer_scan(InferContext& context) {
  expect_arity(context, 1, kAnyCount, kAnyCount);
  const auto [states, scanned] = scan_form(context.node());
  const Graph& body = *context.node().bodies[0];
  if (scanned < 1 || states < 0 || context.output_count() < states ||
      static_cast<int>(body.outputs().size()) != context.output_count()) {
    context.fail("the node has " + std::to_string(context.input_count()) + " inputs, of which " +
                 std::to_string(scanned) + " are scanned, and " +
                 std::to_string(context.output_count()) + " outputs, its body " +
                 std::to_string(body.outputs().size()) + " outputs");
  }
  const Attributes& attributes = context.attributes();
  Dim steps;
  for (int64_t i = 0; i < scanned; ++i) {
    const int input = static_cast<int>(states + i);
    if (!context.shape(input)) continue;
    const int64_t axis =
        normalize_axis(context, attributes.get_ints("scan_input_axes")[i], context.rank(input));
    steps = expect_equal(context, steps, (*context.shape(input))[axis],
                         "the sizes of the scanned axes");
  }
  for (int i = 0; i < context.output_count(); ++i) {
    Type type = output_type(body, i);
    if (i < states) {
      context.set_output_type(i, common_type(context, context.input(i).type, type, i));
      continue;
    }
    if (type.shape) {
      const int64_t axis =
          normalize_axis(context, attributes.get_ints("scan_output_axes")[i - states],
                         static_cast<int64_t>(type.shape->size()) + 1);
      type.shape->insert(type.shape->begin() + axis, steps);
    }
    context.set_output_type(i, std::move(type));
  }
}

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

// Infers the body with inputs of `types`; those from `first` on for `count` are carried: the body
// gives them back as its outputs from `output` on.
void infer_carried(Graph& body, std::vector<Type> types, size_t first, size_t count, size_t output,
                   int64_t& extra_trips, FunctionRef<void(Graph&)> infer_body) {
  if (body.inputs().size() != types.size() || body.outputs().size() < output + count) {
    throw Error(ErrorCode::invalid_model,
                "the body has " + std::to_string(body.inputs().size()) + " inputs and " +
                    std::to_string(body.outputs().size()) + " outputs, expected " +
                    std::to_string(types.size()) + " inputs and at least " +
                    std::to_string(output + count) + " outputs");
  }
  for (size_t i = 0; i < types.size(); ++i) {
    types[i] = entry_type(types[i], body.value(body.inputs()[i]).type);
  }
  for (;; --extra_trips) {
    if (extra_trips <= 0) {
      for (size_t i = 0; i < count; ++i) types[first + i].shape.reset();
    }
    Graph attempt = clone(body);
    for (size_t i = 0; i < types.size(); ++i) {
      attempt.value(attempt.inputs()[i]).type = types[i];
    }
    infer_body(attempt);
    bool changed = false;
    for (size_t i = 0; i < count; ++i) {
      const Type& next = attempt.value(attempt.outputs()[output + i]).type;
      if (widen(types[first + i], next)) changed = true;
    }
    if (changed) continue;
    body = std::move(attempt);
    return;
  }
}

void infer_loop_body(const Graph& graph, Node& node, int64_t& extra_trips,
                     FunctionRef<void(Graph&)> infer_body) {
  std::vector<Type> types(std::max<size_t>(2, node.inputs.size()));
  types[0].dtype = int64;
  types[0].shape = Dims();
  types[1].dtype = boolean;
  types[1].shape = Dims();
  for (size_t i = 2; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != kNoValue) types[i] = graph.value(node.inputs[i]).type;
  }
  const size_t carried = types.size() - 2;
  infer_carried(*node.bodies[0], std::move(types), 2, carried, 1, extra_trips, infer_body);
}

void infer_scan_body(const Graph& graph, Node& node, int64_t& extra_trips,
                     FunctionRef<void(Graph&)> infer_body) {
  const auto [states, scanned] = scan_form(node);
  if (states < 0) return;  // the rule says what is wrong
  std::vector<Type> types;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    Type type = graph.value(node.inputs[i]).type;
    if (static_cast<int64_t>(i) >= states && type.shape) {
      const int64_t rank = static_cast<int64_t>(type.shape->size());
      const int64_t given = node.attributes.get_ints("scan_input_axes")[i - states];
      const int64_t axis = given < 0 ? given + rank : given;
      if (axis >= 0 && axis < rank) type.shape->erase(type.shape->begin() + axis);
    }
    types.push_back(std::move(type));
  }
  infer_carried(*node.bodies[0], std::move(types), 0, static_cast<size_t>(states), 0, extra_trips,
                infer_body);
}

void infer_branches(const Graph&, Node& node, int64_t&, FunctionRef<void(Graph&)> infer_body) {
  for (const auto& body : node.bodies) infer_body(*body);
}

Dim one_trip(const Graph&, const Node&) { return 1; }

// The constant trip limit, as if the condition held.
Dim loop_trips(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return {};
  const Tensor& limit = graph.value(node.inputs[0]).constant;
  if (!limit.defined() || limit.dtype() != int64 || limit.numel() != 1) return {};
  return limit.span<int64_t>()[0];
}

// The size of the first scanned input along its axis.
Dim scan_trips(const Graph& graph, const Node& node) {
  const auto scanned = static_cast<size_t>(node.attributes.get_int("num_scan_inputs"));
  const auto& shape = graph.value(node.inputs[node.inputs.size() - scanned]).type.shape;
  if (!shape) return {};
  const int64_t axis = node.attributes.get_ints("scan_input_axes")[0];
  return (*shape)[axis < 0 ? axis + std::ssize(*shape) : axis];
}

constexpr BodyRule kBranches{.infer = infer_branches, .trips = one_trip};
// The host runs a Loop: it writes the trip's number and the condition, and reads the next
// condition.
constexpr BodyRule kLoop{
    .infer = infer_loop_body, .trips = loop_trips, .host_inputs = {0, 1}, .host_outputs = {0}};
constexpr BodyRule kScan{.infer = infer_scan_body, .trips = scan_trips};

constexpr OpRule kRules[] = {
    {.op = "If", .infer = infer_if, .flops = each<1>, .bodies = &kBranches},
    {.op = "Loop", .infer = infer_loop, .flops = each<1>, .bodies = &kLoop},
    {.op = "Scan", .infer = infer_scan, .flops = each<1>, .bodies = &kScan},
};

}  // namespace

void infer_bodies(const Graph& graph, Node& node, int64_t& extra_trips,
                  FunctionRef<void(Graph&)> infer_body) {
  for (const auto& body : node.bodies) set_captures(graph, node, *body);
  node.op.rule().bodies->infer(graph, node, extra_trips, infer_body);
}

std::span<const OpRule> controlflow_rules() { return kRules; }

}  // namespace ferry
