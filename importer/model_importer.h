#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "importer/format/onnx_wire.pb.h"
#include "importer/format/tensor_proto.h"
#include "importer/functions.h"
#include "importer/importer.h"
#include "importer/node_reader.h"
#include "importer/problems.h"
#include "importer/scope.h"

namespace ferry {

// Which versions of operators names mean: those of the model, or of one call of a local function.
struct Frame {
  std::map<std::string, int64_t> opsets;  // canonical domain -> version
  // Set while a function's body is expanded: its attributes as this call gives them (nullptr where
  // the call leaves one without a default out).
  const onnx::FunctionProto* function = nullptr;
  std::map<std::string, const onnx::AttributeProto*, std::less<>> attributes;
};

// The path of a node in a graph whose paths start with `prefix`: its own name, or one made from
// what it writes. Two nodes may have one; NodePaths tells them apart.
std::string path_of(const onnx::NodeProto& proto, std::string_view prefix);

class NodeOrder;

// The nodes of one graph or function, for saying why a value is not there yet.
struct Siblings {
  const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes;
  std::shared_ptr<const NodeOrder> order;  // made when it is first needed
};

// The walk over one parsed model: fills the graph and collects what is wrong. The methods are in
// graph_import.cc (graphs), node_import.cc (nodes) and functions.cc (calls).
class ModelImporter {
 public:
  ModelImporter(const onnx::ModelProto& model, TensorReader& tensors, Problems& problems,
                const ImportLimits& limits)
      : model_(model), tensors_(tensors), problems_(problems), limits_(limits) {}

  // The outermost graph; of no use when there are problems. Throws ProblemError where nothing more
  // can be understood.
  Graph run();

 private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

  // ---- graph_import.cc ------------------------------------------------------------------------
  void read_header(Graph& graph);
  std::map<std::string, int64_t> read_opsets(
      const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports,
      const std::string& place);
  void import_graph(const onnx::GraphProto& proto, Scope& scope, const Frame& frame, int depth);
  void import_initializers(const onnx::GraphProto& proto, Scope& scope, const std::string& place);
  void import_inputs(const onnx::GraphProto& proto, Scope& scope, const std::string& place);
  void import_outputs(const onnx::GraphProto& proto, Scope& scope, const std::string& place);
  // With `sizes` false, of a shape only the rank is taken.
  void declare_types(const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>& values,
                     bool sizes, Scope& scope, const std::string& place);
  void import_nodes(const Nodes& nodes, Scope& scope, const Frame& frame, int depth);
  // Checks a name that is about to be defined; throws ProblemError.
  static void check_new_name(const std::string& name, const Scope& scope);

  // ---- node_import.cc -------------------------------------------------------------------------
  void import_node(const onnx::NodeProto& proto, Scope& scope, const Frame& frame, int depth,
                   Siblings& siblings);
  void import_operator(const onnx::NodeProto& proto, Node node, Scope& scope, const Frame& frame,
                       int depth);
  // The value that the node reads under `name`; a problem and a stand-in when there is none.
  ValueId resolve_input(const std::string& name, Scope& scope, const onnx::NodeProto& proto,
                        const std::string& path, Siblings& siblings);
  std::vector<ValueId> define_outputs(const onnx::NodeProto& proto, Scope& scope,
                                      const std::string& path);
  AttributeList attributes_of(const onnx::NodeProto& proto, const Frame& frame);
  void import_bodies(Node& node, const AttributeList& attributes, Scope& scope, const Frame& frame,
                     int depth);
  void unknown_operator(const onnx::NodeProto& proto, const std::string& path);

  // ---- functions.cc ---------------------------------------------------------------------------
  void expand_call(const onnx::NodeProto& proto, const LocalFunction& function, const Node& node,
                   Scope& scope, const Frame& frame, int depth);

  void report(const ProblemError& problem, const std::string& node, const std::string& op) {
    problems_.add(problem.code, problem.message, node, op);
  }

  const onnx::ModelProto& model_;
  TensorReader& tensors_;
  Problems& problems_;
  const ImportLimits& limits_;
  FunctionTable functions_;
  NodePaths paths_;
  int64_t nodes_ = 0;
};

}  // namespace ferry
