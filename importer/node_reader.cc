#include "importer/node_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/convert.h"
#include "core/nearest.h"
#include "importer/format/onnx_wire.pb.h"
#include "importer/format/tensor_proto.h"
#include "importer/problems.h"
#include "importer/text.h"
#include "importer/types.h"

namespace ferry {
namespace {

using Proto = onnx::AttributeProto;

struct TypeRow {
  int onnx;
  std::string_view name;
  bool (*filled)(const Proto&);  // the field of this type holds something
};

// By AttrType.
constexpr TypeRow kTypes[] = {
    {Proto::INT, "int", [](const Proto& a) { return a.has_i(); }},
    {Proto::FLOAT, "float", [](const Proto& a) { return a.has_f(); }},
    {Proto::STRING, "string", [](const Proto& a) { return a.has_s(); }},
    {Proto::INTS, "ints", [](const Proto& a) { return a.ints_size() > 0; }},
    {Proto::FLOATS, "floats", [](const Proto& a) { return a.floats_size() > 0; }},
    {Proto::STRINGS, "strings", [](const Proto& a) { return a.strings_size() > 0; }},
    {Proto::TENSOR, "tensor", [](const Proto& a) { return a.has_t() || a.has_sparse_tensor(); }},
    {Proto::GRAPH, "graph", [](const Proto& a) { return a.has_g(); }},
    {Proto::TYPE_PROTO, "type", [](const Proto& a) { return a.has_tp(); }},
};

const TypeRow& row_of(AttrType type) { return kTypes[static_cast<size_t>(type)]; }

// Files of the first IR versions have no type field: the field that is filled says it.
int stated_type(const Proto& proto) {
  if (proto.type() != 0) return proto.type();
  for (const TypeRow& row : kTypes) {
    if (row.filled(proto)) return row.onnx;
  }
  return 0;
}

std::string type_name(int type) {
  for (const TypeRow& row : kTypes) {
    if (row.onnx == type) return std::string(row.name);
  }
  return fmt::format("type {}", type);
}

[[noreturn]] void wrong(std::string message) { fail(ProblemCode::attribute, std::move(message)); }

const AttrSpec* find_spec(std::span<const AttrSpec> specs, std::string_view name, int opset) {
  for (const AttrSpec& spec : specs) {
    if (spec.name == name && spec.is_in(opset)) return &spec;
  }
  return nullptr;
}

void check_int(const AttrSpec& spec, int64_t value) {
  if (value >= spec.low && value <= spec.high) return;
  std::string range = spec.high == INT64_MAX ? fmt::format("at least {}", spec.low)
                                             : fmt::format("{} to {}", spec.low, spec.high);
  wrong(fmt::format("attribute '{}' is {}, it must be {}", spec.name, value, range));
}

std::string checked_text(const AttrSpec& spec, const std::string& value) {
  if (!is_valid_utf8(value)) wrong(fmt::format("attribute '{}' is not UTF-8", spec.name));
  if (!spec.choices.empty() && std::ranges::find(spec.choices, value) == spec.choices.end()) {
    wrong(fmt::format("attribute '{}' is {}, it must be one of {}", spec.name, quoted(value),
                      fmt::join(spec.choices, ", ")));
  }
  return value;
}

void check_type(const AttrSpec& spec, const Proto& proto) {
  const TypeRow& wanted = row_of(spec.type);
  int type = stated_type(proto);
  bool sparse = spec.type == AttrType::tensor && type == Proto::SPARSE_TENSOR;
  if (type != wanted.onnx && !sparse) {
    wrong(fmt::format("attribute '{}' has type {}, it must be {}", spec.name, type_name(type),
                      wanted.name));
  }
  for (const TypeRow& other : kTypes) {
    if (&other != &wanted && other.filled(proto)) {
      wrong(fmt::format("attribute '{}' of type {} holds a value of type {}", spec.name,
                        wanted.name, other.name));
    }
  }
}

Attribute read_attribute(const AttrSpec& spec, const Proto& proto, TensorReader& tensors) {
  switch (spec.type) {
    case AttrType::integer:
      check_int(spec, proto.i());
      return proto.i();
    case AttrType::real:
      return proto.f();
    case AttrType::text:
      return checked_text(spec, proto.s());
    case AttrType::ints:
      for (int64_t value : proto.ints()) check_int(spec, value);
      return std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
    case AttrType::reals:
      return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case AttrType::texts: {
      std::vector<std::string> texts;
      for (const std::string& value : proto.strings()) texts.push_back(checked_text(spec, value));
      return texts;
    }
    case AttrType::tensor:
      if (proto.has_sparse_tensor()) return tensors.read_sparse(proto.sparse_tensor());
      if (!proto.has_t()) wrong(fmt::format("attribute '{}' holds no tensor", spec.name));
      return tensors.read(proto.t());
    default:
      throw Error(ErrorCode::internal, "graphs and types are no attributes of the IR");
  }
}

bool is_kept(const AttrSpec& spec) {
  return spec.type != AttrType::graph && spec.type != AttrType::type;
}

Attribute default_of(const AttrSpec& spec) {
  switch (spec.type) {
    case AttrType::integer:
      return spec.integer;
    case AttrType::real:
      return spec.real;
    case AttrType::text:
      return std::string(spec.text);
    case AttrType::ints:
      return std::vector<int64_t>(spec.ints.begin(), spec.ints.end());
    case AttrType::reals:
      return std::vector<float>();
    case AttrType::texts:
      return std::vector<std::string>();
    default:
      throw Error(ErrorCode::internal, "a tensor attribute has no default in the rows");
  }
}

[[noreturn]] void unknown_attribute(const OpRow& row, const std::string& name, int opset) {
  std::vector<std::string> known;
  for (const AttrSpec& spec : row.attributes) {
    if (spec.is_in(opset)) known.emplace_back(spec.name);
    if (spec.name != name) continue;
    wrong(spec.first > opset
              ? fmt::format("attribute '{}' exists from opset {} on, the model imports {}", name,
                            spec.first, opset)
              : fmt::format("attribute '{}' exists up to opset {}, the model imports {}", name,
                            spec.last, opset));
  }
  wrong(fmt::format("there is no attribute {}.{}", quoted(name), did_you_mean(name, known)));
}

}  // namespace

bool NodeReader::was_given(std::string_view attribute) const {
  return raw_.find(attribute) != raw_.end();
}

void NodeReader::set_input(int i, ValueId value) {
  if (i >= static_cast<int>(node_.inputs.size())) {
    node_.inputs.resize(static_cast<size_t>(i) + 1, kNoValue);
  }
  node_.inputs[i] = value;
}

const Value& NodeReader::value(int i) const { return scope_.graph().value(node_.inputs[i]); }

std::optional<int64_t> NodeReader::rank(int i) const {
  // Inference comes later; what nearly always stands between a value of known rank and a node that
  // asks are operators whose RankRule is known.
  constexpr int kFarthest = 64;
  const Graph& graph = scope_.graph();
  ValueId at = node_.inputs[i];
  int64_t dropped = 0;  // axes that reductions on the way took
  for (int step = 0; step < kFarthest; ++step) {
    const Value& value = graph.value(at);
    if (value.type.shape) return static_cast<int64_t>(value.type.shape->size()) - dropped;
    if (value.producer == kNoNode || value.producer_output != 0) return std::nullopt;
    const Node& node = graph.node(value.producer);
    const RankRule rule = node.op.rule().rank;
    if (rule == RankRule::open) return std::nullopt;
    if (rule == RankRule::reduced) {
      if (node.attributes.get_int("keepdims") == 0) {
        const Tensor* axes = node.inputs.size() > 1 ? constant_of(node.inputs[1]) : nullptr;
        if (axes == nullptr) return std::nullopt;
        dropped += axes->numel();
      }
    }
    at = node.inputs[0];
  }
  return std::nullopt;
}

const Tensor* NodeReader::constant_of(ValueId value) const {
  const Value& known = scope_.graph().value(value);
  return known.is_constant() ? &known.constant : nullptr;
}

void NodeReader::set_output_type(int i, Type type) {
  refine(scope_.graph().value(node_.outputs[i]).type, type);
}

void NodeReader::complete_outputs() {
  for (ValueId& output : node_.outputs) {
    if (output == kNoValue) output = scope_.add_unnamed(node_.name);
  }
}

ValueId NodeReader::constant(Tensor tensor, std::string_view stem) {
  return scope_.graph().add_constant(scope_.builder().claim(fmt::format("{}/{}", node_.name, stem)),
                                     std::move(tensor));
}

ValueId NodeReader::int_list(const std::vector<int64_t>& values, std::string_view stem) {
  return constant(Tensor::from(values), stem);
}

ValueId NodeReader::int_scalar(int64_t value, std::string_view stem) {
  return constant(Tensor::scalar(value), stem);
}

ValueId NodeReader::scalar_like(float number, ValueId like, std::string_view stem) {
  DType type = scope_.graph().value(like).type.dtype;
  if (type != DType::undefined) {
    if (!can_convert(float32, type)) {
      fail(ProblemCode::type,
           fmt::format("the data has type {}, a number is needed", to_string(type)));
    }
    return constant(Tensor::full({}, number, type), stem);
  }
  return emit("CastLike", {constant(Tensor::scalar(number), stem), like});
}

Node NodeReader::make_node(std::string_view op, std::vector<ValueId> inputs, Attributes given) {
  const OpRow* row = find_row("", op);
  if (row == nullptr) throw Error(ErrorCode::internal, fmt::format("a reader emits {}", op));
  Node made;
  made.op = std::string(op);
  made.name = scope_.paths().claim(fmt::format("{}/{}", node_.name, op));
  made.sources = node_.sources;
  made.inputs = std::move(inputs);
  made.attributes = std::move(given);
  fill_defaults(*row, made.attributes);
  return made;
}

ValueId NodeReader::emit(std::string_view op, std::vector<ValueId> inputs, Attributes given) {
  return emit_many(op, std::move(inputs), 1, std::move(given))[0];
}

std::vector<ValueId> NodeReader::emit_many(std::string_view op, std::vector<ValueId> inputs,
                                           int outputs, Attributes given) {
  Node made = make_node(op, std::move(inputs), std::move(given));
  for (int i = 0; i < outputs; ++i) made.outputs.push_back(scope_.add_unnamed(made.name));
  std::vector<ValueId> values = made.outputs;
  scope_.graph().add_node(std::move(made));
  return values;
}

void NodeReader::forward_output(int i, ValueId value) {
  Node made = make_node("Identity", {value}, {});
  made.outputs = {node_.outputs[i]};
  node_.outputs[i] = kNoValue;
  scope_.graph().add_node(std::move(made));
}

void NodeReader::finish(int i, std::string_view op, std::vector<ValueId> more, Attributes given) {
  ValueId result = node_.outputs[i];
  ValueId raw = scope_.add_unnamed(fmt::format("{}/{}", node_.name, i));
  node_.outputs[i] = raw;
  more.insert(more.begin(), raw);
  Node made = make_node(op, std::move(more), std::move(given));
  made.outputs = {result};
  // What is added last runs first: it is nearest to the node.
  after_.insert(after_.begin(), std::move(made));
}

Attributes NodeReader::kept(std::string_view op) const {
  Attributes out;
  const OpRow* row = find_row("", op);
  for (const auto& [name, value] : node_.attributes.items()) {
    if (find_spec(row->attributes, name, kForever - 1) != nullptr) out.set(name, value);
  }
  return out;
}

void NodeReader::become(std::string_view op, std::vector<ValueId> inputs, Attributes given) {
  fill_defaults(*find_row("", op), given);
  node_.op = std::string(op);
  node_.inputs = std::move(inputs);
  node_.attributes = std::move(given);
}

void NodeReader::become_constant(Tensor tensor) {
  Value& value = scope_.graph().value(node_.outputs[0]);
  value.type.dtype = tensor.dtype();
  value.type.shape = Dims(tensor.shape().begin(), tensor.shape().end());
  value.constant = std::move(tensor);
  dropped_ = true;
}

const Proto* NodeReader::raw(std::string_view attribute) const {
  auto found = raw_.find(attribute);
  return found == raw_.end() ? nullptr : found->second;
}

void NodeReader::read_attributes(const AttributeList& given, TensorReader& tensors) {
  for (const auto& [name, proto] : given) {
    // What the first opsets said of memory is of no use; ONNX dropped it at opset 6.
    if (name == "consumed_inputs" && row_.since[0] == 1 && opset_ < 6) continue;
    const AttrSpec* spec = find_spec(row_.attributes, name, opset_);
    if (spec == nullptr) unknown_attribute(row_, name, opset_);
    if (!raw_.emplace(name, proto).second)
      wrong(fmt::format("attribute '{}' is given twice", name));
    check_type(*spec, *proto);
    if (!is_kept(*spec)) continue;
    bool newest = find_spec(row_.attributes, name, kForever - 1) != nullptr;
    (newest ? node_.attributes : old_).set(name, read_attribute(*spec, *proto, tensors));
  }
  for (const AttrSpec& spec : row_.attributes) {
    if (!spec.is_in(opset_) || raw_.contains(spec.name)) continue;
    if (spec.absent == Absent::refused) {
      wrong(fmt::format("attribute '{}' is missing, it has no default", spec.name));
    }
    if (spec.absent != Absent::value || !is_kept(spec)) continue;
    bool newest = find_spec(row_.attributes, spec.name, kForever - 1) != nullptr;
    (newest ? node_.attributes : old_).set(std::string(spec.name), default_of(spec));
  }
  fill_defaults(row_, node_.attributes);
}

void NodeReader::commit() {
  if (dropped_) return;
  while (!node_.inputs.empty() && node_.inputs.back() == kNoValue) node_.inputs.pop_back();
  // Those of a node with bodies stand for outputs of the bodies.
  while (node_.bodies.empty() && !node_.outputs.empty() && node_.outputs.back() == kNoValue) {
    node_.outputs.pop_back();
  }
  scope_.graph().add_node(std::move(node_));
  for (Node& made : after_) scope_.graph().add_node(std::move(made));
}

void fill_defaults(const OpRow& row, Attributes& attributes) {
  for (const AttrSpec& spec : row.attributes) {
    bool missing = spec.last == kForever && spec.absent == Absent::value && is_kept(spec) &&
                   !attributes.has(spec.name);
    if (missing) attributes.set(std::string(spec.name), default_of(spec));
  }
}

}  // namespace ferry
