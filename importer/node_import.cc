// Nodes: names, versions, attributes, bodies.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/nearest.h"
#include "graph/registered.h"
#include "importer/model_importer.h"
#include "importer/node_reader.h"
#include "importer/ops/rows.h"
#include "importer/text.h"

namespace ferry {
namespace {

bool is_within(const Arity& arity, int count) {
  return arity.least <= count && count <= arity.most;
}

std::string describe(const Arity& arity) {
  if (arity.least == arity.most) return fmt::format("{}", arity.least);
  if (arity.most == kMany) return fmt::format("at least {}", arity.least);
  return fmt::format("{} to {}", arity.least, arity.most);
}

// `inputs_given` are the node's values: in a function, one that is named can be left out by the
// call.
void check_arity(const OpRow& row, int opset, const onnx::NodeProto& proto,
                 const std::vector<ValueId>& inputs_given) {
  Arity inputs = row.inputs, outputs = row.outputs;
  for (const OldArity& old : row.old_arity) {
    if (opset >= old.below) continue;
    inputs = old.inputs;
    outputs = old.outputs;
    break;
  }
  if (!is_within(inputs, proto.input_size())) {
    fail(ProblemCode::arity, fmt::format("there are {} inputs, opset {} takes {}",
                                         proto.input_size(), opset, describe(inputs)));
  }
  if (!is_within(outputs, proto.output_size())) {
    fail(ProblemCode::arity, fmt::format("there are {} outputs, opset {} gives {}",
                                         proto.output_size(), opset, describe(outputs)));
  }
  for (int i = 0; i < proto.input_size(); ++i) {
    bool optional = i >= inputs.least ? inputs.most != kMany : i >= row.gaps;
    if (inputs_given[i] == kNoValue && !optional) {
      fail(ProblemCode::arity, fmt::format("input {} is left out, it is not optional", i));
    }
  }
}

}  // namespace

std::string path_of(const onnx::NodeProto& proto, std::string_view prefix) {
  std::string name = proto.name();
  if (name.empty() || !is_valid_utf8(name)) {
    name = proto.op_type();
    for (const std::string& output : proto.output()) {
      if (output.empty() || !is_valid_utf8(output)) continue;
      name += "_" + output;
      break;
    }
  }
  if (prefix.empty()) return name;
  return std::string(prefix) + (name.starts_with('/') ? name.substr(1) : name);
}

// Who writes what in a list of nodes, and whether the nodes could be put in an order at all.
class NodeOrder {
 public:
  explicit NodeOrder(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
    for (int i = 0; i < nodes.size(); ++i) {
      for (const std::string& output : nodes[i].output()) writers_.emplace(output, i);
    }
    std::vector<std::vector<int>> readers(static_cast<size_t>(nodes.size()));
    waiting_.assign(static_cast<size_t>(nodes.size()), 0);
    for (int i = 0; i < nodes.size(); ++i) {
      for (const std::string& input : nodes[i].input()) {
        std::optional<int> source = input.empty() ? std::nullopt : writer(input);
        if (!source) continue;
        readers[*source].push_back(i);
        ++waiting_[i];
      }
    }
    std::vector<int> ready;
    for (int i = 0; i < nodes.size(); ++i) {
      if (waiting_[i] == 0) ready.push_back(i);
    }
    while (!ready.empty()) {
      int node = ready.back();
      ready.pop_back();
      for (int reader : readers[node]) {
        if (--waiting_[reader] == 0) ready.push_back(reader);
      }
    }
  }

  std::optional<int> writer(const std::string& value) const {
    auto found = writers_.find(value);
    return found == writers_.end() ? std::nullopt : std::optional(found->second);
  }
  // True when the node is on a cycle or behind one.
  bool waits_forever(int node) const { return waiting_[node] > 0; }

 private:
  std::unordered_map<std::string, int> writers_;
  std::vector<int> waiting_;
};

ValueId ModelImporter::resolve_input(const std::string& name, Scope& scope,
                                     const onnx::NodeProto& proto, const std::string& path,
                                     Siblings& siblings) {
  if (name.empty()) return kNoValue;
  if (std::optional<ValueId> value = scope.find(name)) return *value;
  if (siblings.order == nullptr) siblings.order = std::make_shared<NodeOrder>(siblings.nodes);
  std::optional<int> writer = siblings.order->writer(name);
  if (!writer) {
    problems_.add(ProblemCode::name, fmt::format("it reads {}, which nothing writes", quoted(name)),
                  path, proto.op_type());
    // A stand-in, so that the node's own problems show and further readers are not reported again.
    return scope.add(name);
  }
  bool cycle = siblings.order->waits_forever(*writer);
  problems_.add(
      cycle ? ProblemCode::cycle : ProblemCode::order,
      fmt::format(
          fmt::runtime(
              cycle ? "it reads {}, which node {} writes only after it: the nodes form a cycle"
                    : "it reads {}, which node {} writes later: nodes must be in an order in "
                      "which values are written before they are read"),
          quoted(name), quoted(siblings.nodes[*writer].name())),
      path, proto.op_type());
  return scope.add_unnamed(name);
}

std::vector<ValueId> ModelImporter::define_outputs(const onnx::NodeProto& proto, Scope& scope,
                                                   const std::string& path) {
  std::vector<ValueId> outputs;
  for (const std::string& name : proto.output()) {
    if (name.empty()) {
      outputs.push_back(kNoValue);
      continue;
    }
    try {
      check_new_name(name, scope);
      outputs.push_back(scope.add(name));
    } catch (const ProblemError& problem) {
      report(problem, path, proto.op_type());
      outputs.push_back(scope.add_unnamed(is_valid_utf8(name) ? name : "output"));
    }
  }
  return outputs;
}

AttributeList ModelImporter::attributes_of(const onnx::NodeProto& proto, const Frame& frame) {
  AttributeList list;
  for (const onnx::AttributeProto& attribute : proto.attribute()) {
    if (attribute.ref_attr_name().empty()) {
      list.push_back({attribute.name(), &attribute});
      continue;
    }
    std::string reference = quoted(attribute.ref_attr_name());
    if (frame.function == nullptr) {
      fail(ProblemCode::attribute,
           fmt::format("attribute {} refers to {} of a function, and the node is in none",
                       quoted(attribute.name()), reference));
    }
    auto found = frame.attributes.find(attribute.ref_attr_name());
    if (found == frame.attributes.end()) {
      fail(ProblemCode::attribute,
           fmt::format("attribute {} refers to {}, which function {} lacks",
                       quoted(attribute.name()), reference, function_name(*frame.function)));
    }
    // What the call leaves out is left out here too.
    if (found->second == nullptr) continue;
    if (attribute.type() != 0 && found->second->type() != 0 &&
        attribute.type() != found->second->type()) {
      fail(ProblemCode::attribute, fmt::format("attribute {} refers to {}, which has another type",
                                               quoted(attribute.name()), reference));
    }
    list.push_back({attribute.name(), found->second});
  }
  return list;
}

void ModelImporter::unknown_operator(const onnx::NodeProto& proto, const std::string& path) {
  std::string name = operator_name(proto.domain(), proto.op_type());
  if (!is_valid_utf8(name)) {
    problems_.add(ProblemCode::name, "the operator's name is not UTF-8", path);
    return;
  }
  std::vector<std::string> known;
  bool known_domain = false;
  for (std::span<const OpRow> family : op_rows()) {
    for (const OpRow& row : family) {
      bool same = row.domain == canonical_domain(proto.domain());
      known_domain |= same;
      if (same) known.emplace_back(row.op);
    }
  }
  for (const RegisteredOperator* entry : registered_operators()) {
    if (entry->definition.domain != proto.domain()) continue;
    known_domain = true;
    known.push_back(entry->definition.name);
  }
  std::string message =
      known_domain
          ? fmt::format("Ferry does not know the operator {}.{}", quoted(name),
                        problems_.wants_hint() ? did_you_mean(proto.op_type(), known) : "")
          : fmt::format(
                "Ferry knows no operator of the domain {}, and the model has no function {}",
                quoted(proto.domain()), quoted(name));
  problems_.add_grouped(ProblemCode::unknown_operator, name, message, path, name);
}

void ModelImporter::import_node(const onnx::NodeProto& proto, Scope& scope, const Frame& frame,
                                int depth, Siblings& siblings) {
  if (++nodes_ > limits_.nodes) {
    fail(ProblemCode::limit, fmt::format("the model has more than {} nodes", limits_.nodes));
  }
  Node node;
  node.name = paths_.claim(path_of(proto, scope.prefix()));
  node.op = operator_name(proto.domain(), proto.op_type());
  if (!proto.name().empty()) node.sources = {escaped(proto.name())};
  for (const std::string& input : proto.input()) {
    node.inputs.push_back(resolve_input(input, scope, proto, node.name, siblings));
  }
  std::string path = node.name, op = node.op;
  try {
    const LocalFunction* function = functions_.find(proto);
    // A body's outputs are defined after it is read: it cannot see them.
    if (function != nullptr) {
      node.outputs = define_outputs(proto, scope, path);
      expand_call(proto, *function, node, scope, frame, depth);
    } else {
      import_operator(proto, std::move(node), scope, frame, depth);
    }
  } catch (const ProblemError& problem) {
    if (problem.code == ProblemCode::limit) throw;
    report(problem, path, op);
    // So that the readers of its outputs are not problems too.
    for (const std::string& output : proto.output()) {
      if (!output.empty() && !scope.is_visible(output)) scope.add(output);
    }
  }
}

void ModelImporter::import_operator(const onnx::NodeProto& proto, Node node, Scope& scope,
                                    const Frame& frame, int depth) {
  std::string path = node.name;
  std::string domain(canonical_domain(proto.domain()));
  const OpRow* row = find_row(domain, proto.op_type());
  if (row == nullptr) {
    node.outputs = define_outputs(proto, scope, path);
    return unknown_operator(proto, path);
  }
  auto import = frame.opsets.find(domain);
  if (import == frame.opsets.end()) {
    // Said once for all nodes of the domain.
    node.outputs = define_outputs(proto, scope, path);
    problems_.add_grouped(ProblemCode::opset, domain,
                          fmt::format("the domain {} is used and no opset of it is imported",
                                      domain.empty() ? "ai.onnx" : quoted(domain)),
                          path, node.op);
    return;
  }
  int opset = static_cast<int>(std::clamp<int64_t>(import->second, 1, 1'000'000));
  if (opset > reviewed_through(domain)) {
    fail(ProblemCode::operator_version,
         fmt::format("opset {} of {} is wanted, Ferry knows it through {}", opset, domain,
                     reviewed_through(domain)));
  }
  if (opset < row->first_opset() || opset >= row->removed) {
    fail(ProblemCode::operator_version,
         opset >= row->removed
             ? fmt::format("the operator was removed in opset {}, the model imports {}",
                           row->removed, opset)
             : fmt::format("the operator exists from opset {} on, the model imports {}",
                           row->first_opset(), opset));
  }
  check_arity(*row, opset, proto, node.inputs);
  AttributeList attributes = attributes_of(proto, frame);
  import_bodies(node, attributes, scope, frame, depth);
  node.outputs = define_outputs(proto, scope, path);
  NodeReader reader(scope, *row, opset, std::move(node));
  reader.read_attributes(attributes, tensors_);
  if (row->read != nullptr) row->read(reader);
  reader.commit();
}

void ModelImporter::import_bodies(Node& node, const AttributeList& attributes, Scope& scope,
                                  const Frame& frame, int depth) {
  // If's branches in the order of the IR: then, else.
  AttributeList graphs;
  for (const GivenAttribute& attribute : attributes) {
    if (attribute.value->has_g()) graphs.push_back(attribute);
  }
  if (graphs.empty()) return;
  std::sort(graphs.begin(), graphs.end(),
            [](const auto& a, const auto& b) { return a.name > b.name; });
  Captures captures;
  std::vector<std::unique_ptr<NamedGraph>> builders;
  std::vector<std::unique_ptr<Scope>> scopes;
  for (const auto& [name, attribute] : graphs) {
    auto body = std::make_shared<Graph>();
    body->name = escaped(attribute->g().name());
    builders.push_back(std::make_unique<NamedGraph>(*body));
    scopes.push_back(std::make_unique<Scope>(
        *builders.back(), paths_, fmt::format("{}/{}/", node.name, name), scope, captures));
    // All bodies have all captures, in one order; those of earlier bodies come first.
    scopes.back()->sync_captures();
    node.bodies.push_back(std::move(body));
    import_graph(attribute->g(), *scopes.back(), frame, depth + 1);
  }
  for (std::unique_ptr<Scope>& body : scopes) body->sync_captures();
  node.captures = captures.outer;
}

}  // namespace ferry
