// Graphs: header, types, inputs, initializers, outputs.
#include <fmt/format.h>

#include <unordered_set>

#include "importer/model_importer.h"
#include "importer/ops/rows.h"
#include "importer/text.h"
#include "importer/types.h"

namespace ferry {
namespace {

constexpr int64_t kOldestIr = 3, kNewestIr = 14;

bool has_fixed_inputs(const onnx::GraphProto& proto) {
  for (const onnx::ValueInfoProto& input : proto.input()) {
    if (!input.type().has_tensor_type() || !input.type().tensor_type().has_shape()) return false;
    for (const onnx::TensorShapeProto::Dimension& dim : input.type().tensor_type().shape().dim()) {
      if (!dim.has_dim_value()) return false;
    }
  }
  return true;
}

std::string place_of(const Scope& scope) {
  std::string path = scope.prefix();
  if (!path.empty()) path.pop_back();
  return path;
}

}  // namespace

std::map<std::string, int64_t> ModelImporter::read_opsets(
    const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports,
    const std::string& place) {
  // Once for a function, not for each of its calls.
  auto report_once = [&](const std::string& message) {
    problems_.add_grouped(ProblemCode::opset, place + message, message, place, "");
  };
  std::map<std::string, int64_t> opsets;
  for (const onnx::OperatorSetIdProto& import : imports) {
    std::string domain(canonical_domain(import.domain()));
    std::string shown = domain.empty() ? "ai.onnx" : domain;
    if (!is_valid_utf8(domain)) {
      report_once(fmt::format("the domain {} is not UTF-8", quoted(domain)));
      continue;
    }
    if (import.version() < 1) {
      report_once(fmt::format("opset {} of {} does not exist", import.version(), shown));
    }
    auto [known, added] = opsets.emplace(domain, import.version());
    if (!added) {
      // Writers that merge models repeat themselves; only a contradiction is a problem.
      if (known->second == import.version()) continue;
      report_once(fmt::format("{} is imported at opset {} and at opset {}", shown, known->second,
                              import.version()));
    }
    bool standard = domain.empty() || domain == "ai.onnx.ml";
    if (standard && import.version() > reviewed_through(domain)) {
      report_once(
          fmt::format("opset {} of {} is newer than what Ferry knows, which is {}; export "
                      "the model for that opset",
                      import.version(), shown, reviewed_through(domain)));
      // So that the nodes can be checked all the same.
      known->second = reviewed_through(domain);
    }
  }
  return opsets;
}

void ModelImporter::read_header(Graph& graph) {
  graph.ir_version = model_.ir_version();
  graph.name = escaped(model_.graph().name());
  graph.producer = escaped(model_.producer_name());
  if (!model_.producer_version().empty())
    graph.producer += " " + escaped(model_.producer_version());
  for (const onnx::StringStringEntryProto& entry : model_.metadata_props()) {
    graph.metadata.emplace(escaped(entry.key()), escaped(entry.value()));
  }
  if (graph.ir_version < kOldestIr || graph.ir_version > kNewestIr) {
    problems_.add(ProblemCode::ir_version,
                  fmt::format("the file has IR version {}, Ferry reads {} to {}", graph.ir_version,
                              kOldestIr, kNewestIr));
  }
}

Graph ModelImporter::run() {
  if (!model_.has_graph()) {
    fail(ProblemCode::encoding,
         "there is no graph in the file: it is no ONNX model (a tensor or another protobuf "
         "message?)");
  }
  Graph graph;
  read_header(graph);
  Frame frame;
  frame.opsets = read_opsets(model_.opset_import(), "");
  if (model_.opset_import().empty()) {
    problems_.add(ProblemCode::opset, "the model does not say which opset it is written for");
    frame.opsets.emplace("", reviewed_through(""));
  }
  graph.opsets = frame.opsets;
  try {
    functions_.build(model_, limits_, problems_);
  } catch (const ProblemError&) {
    return graph;  // it is in the list; nothing can be expanded
  }
  NamedGraph builder(graph);
  Scope scope(builder, paths_, "", "");
  import_graph(model_.graph(), scope, frame, 0);
  if (graph.outputs().empty() && problems_.empty()) {
    problems_.add(ProblemCode::name, "the graph has no outputs");
  }
  return graph;
}

void ModelImporter::check_new_name(const std::string& name, const Scope& scope) {
  if (!is_valid_utf8(name)) {
    fail(ProblemCode::name, fmt::format("the name {} is not UTF-8", quoted(name)));
  }
  if (scope.is_visible(name)) {
    fail(ProblemCode::name,
         fmt::format("the value {} is defined twice (a name means one value, in subgraphs too)",
                     quoted(name)));
  }
}

void ModelImporter::declare_types(
    const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>& values, bool sizes,
    Scope& scope, const std::string& place) {
  for (const onnx::ValueInfoProto& info : values) {
    if (!info.has_type() || info.type().value_case() == onnx::TypeProto::VALUE_NOT_SET) continue;
    try {
      Type declared = type_of(info.type());
      if (!sizes) declared = without_sizes(declared);
      refine(scope.declared[info.name()], declared);
    } catch (const ProblemError& problem) {
      problems_.add(problem.code, fmt::format("value {}: {}", quoted(info.name()), problem.message),
                    place);
    }
  }
}

void ModelImporter::import_inputs(const onnx::GraphProto& proto, Scope& scope,
                                  const std::string& place) {
  std::unordered_set<std::string> initialized;
  for (const onnx::TensorProto& tensor : proto.initializer()) initialized.insert(tensor.name());
  for (const onnx::SparseTensorProto& tensor : proto.sparse_initializer()) {
    initialized.insert(tensor.values().name());
  }
  bool outermost = place.empty();
  std::unordered_set<std::string> seen;
  for (const onnx::ValueInfoProto& info : proto.input()) {
    const std::string& name = info.name();
    try {
      if (name.empty()) fail(ProblemCode::name, "an input has no name");
      if (!seen.insert(name).second) {
        fail(ProblemCode::name, fmt::format("the graph has two inputs {}", quoted(name)));
      }
      // An input with an initializer has a default; Ferry takes it as the constant that it nearly
      // always is.
      if (initialized.contains(name)) continue;
      check_new_name(name, scope);
      auto declared = scope.declared.find(name);
      Type type = declared == scope.declared.end() ? Type() : declared->second;
      scope.define(name, scope.graph().add_input(scope.builder().claim(name), std::move(type)));
      if (outermost && info.type().value_case() == onnx::TypeProto::VALUE_NOT_SET) {
        fail(ProblemCode::type, fmt::format("the input {} has no type", quoted(name)));
      }
    } catch (const ProblemError& problem) {
      report(problem, place, "");
    }
  }
}

void ModelImporter::import_initializers(const onnx::GraphProto& proto, Scope& scope,
                                        const std::string& place) {
  auto add = [&](const std::string& name, auto&& read) {
    try {
      if (name.empty()) fail(ProblemCode::name, "an initializer has no name");
      check_new_name(name, scope);
      Tensor tensor = read();
      Type type;
      type.dtype = tensor.dtype();
      type.shape = Dims(tensor.shape().begin(), tensor.shape().end());
      auto declared = scope.declared.find(name);
      if (declared != scope.declared.end()) refine(type, declared->second);
      scope.define(name,
                   scope.graph().add_constant(scope.builder().claim(name), std::move(tensor)));
    } catch (const ProblemError& problem) {
      std::string message = name.empty()
                                ? problem.message
                                : fmt::format("initializer {}: {}", quoted(name), problem.message);
      problems_.add(problem.code, message, place);
      // A stand-in, so that its readers are not problems too.
      if (!name.empty() && !scope.is_visible(name)) scope.add(name);
    }
  };
  for (const onnx::TensorProto& tensor : proto.initializer()) {
    add(tensor.name(), [&] { return tensors_.read(tensor); });
  }
  for (const onnx::SparseTensorProto& tensor : proto.sparse_initializer()) {
    add(tensor.values().name(), [&] { return tensors_.read_sparse(tensor); });
  }
}

void ModelImporter::import_outputs(const onnx::GraphProto& proto, Scope& scope,
                                   const std::string& place) {
  std::vector<ValueId> outputs;
  std::unordered_set<std::string> seen;
  for (const onnx::ValueInfoProto& info : proto.output()) {
    const std::string& name = info.name();
    std::optional<ValueId> value = scope.find(name);
    if (!value || *value == kNoValue) {
      problems_.add(ProblemCode::name,
                    fmt::format("nothing writes the graph output {}", quoted(name)), place);
      continue;
    }
    if (place.empty() && !seen.insert(name).second) {
      problems_.add(ProblemCode::name, fmt::format("the graph has two outputs {}", quoted(name)));
    }
    outputs.push_back(*value);
  }
  scope.graph().set_outputs(std::move(outputs));
}

void ModelImporter::import_graph(const onnx::GraphProto& proto, Scope& scope, const Frame& frame,
                                 int depth) {
  if (depth > limits_.graph_depth) {
    fail(ProblemCode::limit,
         fmt::format("subgraphs are nested more than {} deep", limits_.graph_depth));
  }
  std::string place = place_of(scope);
  declare_types(proto.input(), /*sizes=*/true, scope, place);
  // Exporters write the sizes of their example where sizes vary with the inputs. Only where no
  // input varies do the sizes of outputs say something; those of values within never need to.
  declare_types(proto.output(), place.empty() && has_fixed_inputs(proto), scope, place);
  declare_types(proto.value_info(), /*sizes=*/false, scope, place);
  import_inputs(proto, scope, place);
  import_initializers(proto, scope, place);
  import_nodes(proto.node(), scope, frame, depth);
  import_outputs(proto, scope, place);
}

void ModelImporter::import_nodes(const Nodes& nodes, Scope& scope, const Frame& frame, int depth) {
  Siblings siblings{nodes, nullptr};
  for (const onnx::NodeProto& node : nodes) import_node(node, scope, frame, depth, siblings);
}

}  // namespace ferry
