#include "importer/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "importer/model_importer.h"
#include "importer/ops/rows.h"
#include "importer/text.h"

namespace ferry {
namespace {

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

// Calls visit(node) for every node, those in subgraphs too.
template <typename Visit>
void for_each_node(const Nodes& nodes, const Visit& visit) {
  for (const onnx::NodeProto& node : nodes) {
    visit(node);
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.has_g()) for_each_node(attribute.g().node(), visit);
    }
  }
}

int64_t add_saturating(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

}  // namespace

std::string function_name(const onnx::FunctionProto& function) {
  std::string name = operator_name(function.domain(), function.name());
  return function.overload().empty() ? name : fmt::format("{}:{}", name, function.overload());
}

FunctionTable::Entry* FunctionTable::lookup(const onnx::NodeProto& node) {
  if (entries_.empty()) return nullptr;
  auto found = entries_.find(Key(canonical_domain(node.domain()), node.op_type(), node.overload()));
  return found == entries_.end() ? nullptr : &found->second;
}

const LocalFunction* FunctionTable::find(const onnx::NodeProto& node) const {
  Entry* entry = const_cast<FunctionTable*>(this)->lookup(node);
  return entry == nullptr ? nullptr : &entry->function;
}

void FunctionTable::build(const onnx::ModelProto& model, const ImportLimits& limits,
                          Problems& problems) {
  for (const onnx::FunctionProto& function : model.functions()) {
    std::string name = function_name(function);
    if (function.name().empty() || !is_valid_utf8(name)) {
      problems.add(ProblemCode::function, "a local function has no name, or one that is not UTF-8");
      continue;
    }
    std::string_view domain = canonical_domain(function.domain());
    if ((domain.empty() || domain == "ai.onnx.ml") &&
        find_row(domain, function.name()) != nullptr) {
      problems.add(
          ProblemCode::function,
          "a local function has the name of a standard operator, so it is not clear which of "
          "them its nodes mean",
          "", name);
      continue;
    }
    Entry entry;
    entry.function.proto = &function;
    Key key(domain, function.name(), function.overload());
    if (!entries_.emplace(key, entry).second) {
      problems.add(ProblemCode::function, "two local functions have this name", "", name);
    }
  }
  for (auto& [key, entry] : entries_) {
    try {
      measure(entry, 0, limits);
    } catch (const ProblemError& problem) {
      problems.add(problem.code, problem.message, "", function_name(*entry.function.proto));
      // The table is not safe to expand from any more.
      entries_.clear();
      throw;
    }
  }
}

void FunctionTable::measure(Entry& entry, int depth, const ImportLimits& limits) {
  if (entry.mark == Mark::open) {
    fail(ProblemCode::function, "the local function calls itself, directly or through others");
  }
  if (entry.mark == Mark::fresh) {
    // The bound on `depth` keeps the recursion shallow before heights are known.
    if (depth > limits.function_depth) {
      fail(ProblemCode::limit,
           fmt::format("local functions call each other more than {} deep", limits.function_depth));
    }
    entry.mark = Mark::open;
    int64_t nodes = 0;
    int height = 0;
    for_each_node(entry.function.proto->node(), [&](const onnx::NodeProto& node) {
      Entry* callee = lookup(node);
      if (callee == nullptr) {
        nodes = add_saturating(nodes, 1);
        return;
      }
      measure(*callee, depth + 1, limits);
      nodes = add_saturating(nodes, callee->function.expanded_nodes);
      height = std::max(height, callee->function.height + 1);
    });
    entry.function.expanded_nodes = nodes;
    entry.function.height = height;
    entry.mark = Mark::done;
  }
  if (entry.function.height > limits.function_depth) {
    fail(ProblemCode::limit,
         fmt::format("local functions call each other more than {} deep", limits.function_depth));
  }
}

// A call becomes the nodes of the function's body: its inputs are the caller's values, its outputs
// the values that the caller named, everything between gets the call's path in front.
void ModelImporter::expand_call(const onnx::NodeProto& proto, const LocalFunction& function,
                                const Node& node, Scope& scope, const Frame& frame, int depth) {
  const onnx::FunctionProto& body = *function.proto;
  if (nodes_ + function.expanded_nodes > limits_.nodes) {
    fail(ProblemCode::limit, fmt::format("expanding the local function {} gives more than {} nodes",
                                         function_name(body), limits_.nodes));
  }
  if (proto.input_size() > body.input_size() || proto.output_size() > body.output_size()) {
    fail(ProblemCode::arity,
         fmt::format("the call has {} inputs and {} outputs, the function {} takes {} and gives {}",
                     proto.input_size(), proto.output_size(), function_name(body),
                     body.input_size(), body.output_size()));
  }
  Frame inner;
  inner.function = &body;
  inner.opsets = read_opsets(body.opset_import(), function_name(body));
  for (const std::string& name : body.attribute()) inner.attributes[name] = nullptr;
  for (const onnx::AttributeProto& attribute : body.attribute_proto()) {
    inner.attributes[attribute.name()] = &attribute;
  }
  for (const auto& [name, attribute] : attributes_of(proto, frame)) {
    auto declared = inner.attributes.find(name);
    if (declared == inner.attributes.end()) {
      fail(ProblemCode::attribute,
           fmt::format("the function {} has no attribute {}", function_name(body), quoted(name)));
    }
    if (attribute->has_g() || attribute->graphs_size() > 0) {
      fail(ProblemCode::unsupported, "graphs as attributes of local functions are not supported");
    }
    declared->second = attribute;
  }

  std::string prefix = node.name + "/";
  Scope names(scope.builder(), paths_, prefix, prefix);
  declare_types(body.value_info(), /*sizes=*/false, names, node.name);
  for (int i = 0; i < body.input_size(); ++i) {
    if (names.is_visible(body.input(i))) {
      fail(ProblemCode::function, fmt::format("the function {} has two inputs {}",
                                              function_name(body), quoted(body.input(i))));
    }
    names.define(body.input(i),
                 i < static_cast<int>(node.inputs.size()) ? node.inputs[i] : kNoValue);
  }
  // Outputs that the body's nodes write are the caller's values from the start. What is left is an
  // input or an earlier output handed through, which takes an Identity.
  std::unordered_map<std::string, ValueId> wanted;
  std::vector<std::pair<std::string, ValueId>> handed_through;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const std::string& name = body.output(static_cast<int>(i));
    if (node.outputs[i] == kNoValue) continue;
    bool first = !names.is_visible(name) && wanted.emplace(name, node.outputs[i]).second;
    if (first) {
      names.reserve(name, node.outputs[i]);
    } else {
      handed_through.emplace_back(name, node.outputs[i]);
    }
  }
  import_nodes(body.node(), names, inner, depth);
  for (const auto& [name, value] : handed_through) {
    std::optional<ValueId> source = names.find(name);
    if (!source || *source == kNoValue) {
      fail(ProblemCode::function, fmt::format("the output {} of the function {} has no value",
                                              quoted(name), function_name(body)));
    }
    Node copy;
    copy.op = "Identity";
    copy.name = paths_.claim(prefix + "Identity");
    copy.inputs = {*source};
    copy.outputs = {value};
    copy.sources = node.sources;
    scope.graph().add_node(std::move(copy));
  }
  for (const auto& [name, value] : wanted) {
    if (!names.is_visible(name)) {
      fail(ProblemCode::function, fmt::format("no node of the function {} writes its output {}",
                                              function_name(body), quoted(name)));
    }
  }
}

}  // namespace ferry
