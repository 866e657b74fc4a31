#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/function_ref.h"
#include "core/support.h"

// What is true of an operator, wherever it runs: one row in the table of its family
// (graph/ops/FAMILY.cc). Inference, rewrites, placement and the executor read it from the node.
namespace ferry {

class Dim;
class Graph;
class InferContext;
struct Node;
struct NodeSizes;
struct RegisteredOperator;

// Which bytes a node moves.
enum class Traffic : uint8_t {
  all,     // its inputs and outputs
  output,  // of its inputs only the sizes are looked at
  view,    // none: its output is its input's memory
};

// The rank of output 0, where input 0 tells it: the importer asks before types are inferred.
enum class RankRule : uint8_t {
  open,
  same,
  reduced,  // less the axes that input 1 names, unless keepdims
};

// What is true of an operator that runs bodies.
struct BodyRule {
  // Gives the bodies' inputs their types, captures aside, and infers the bodies with `infer_body`.
  // `extra_trips` as in infer_bodies() (graph/ops/bodies.h).
  void (*infer)(const Graph& graph, Node& node, int64_t& extra_trips,
                FunctionRef<void(Graph&)> infer_body);
  // How often a body runs; an unknown size where data decides.
  Dim (*trips)(const Graph& graph, const Node& node);
  // Inputs and outputs of the body that the host writes and reads to run it.
  Ports host_inputs = {}, host_outputs = {};
};

struct OpRule {
  std::string_view op;
  // Checks arity, dtypes, ranks, attributes and every constraint of the operator that types and
  // shapes can show, and sets every present output. Facts that are not known yet (dtype undefined,
  // no shape, unknown dims) are never an error.
  void (*infer)(InferContext& context) = nullptr;
  double (*flops)(const NodeSizes& sizes) = nullptr;  // graph/ops/cost.h
  Traffic traffic = Traffic::all;
  RankRule rank = RankRule::open;
  bool random = false;            // equal inputs may give unequal outputs (Dropout: in training)
  bool takes_activation = false;  // graph/activation.h
  bool is_copy = false;           // from one device to another
  // Inputs that stay float32 in a model that is converted to another floating type.
  Ports fixed_float32 = {};
  // Whether output 0 of the node is its input 0, which is there, unchanged; nullptr: never.
  bool (*gives_input)(const Graph& graph, const Node& node) = nullptr;
  const BodyRule* bodies = nullptr;
  const RegisteredOperator* registered = nullptr;  // of the application (graph/registered.h)
};

// All rows, one span per family file.
std::span<const std::span<const OpRule>> op_rules();
// The row of an operator, registered ones included; nullptr where there is none.
const OpRule* find_op(std::string_view op);
// What holds of an operator that has no row: it cannot be inferred, may be random, and costs one
// operation an output element.
extern const OpRule kUnknownOp;

// A node's operator: its name, and the row that the name had when this was made. The row is never
// looked up again, and a node that becomes another operator cannot keep the old one's.
class Operator {
 public:
  Operator() = default;
  template <std::convertible_to<std::string_view> Name>
  Operator(const Name& name) : Operator(find_op(name), name) {}

  const std::string& name() const { return name_; }
  const OpRule& rule() const { return *rule_; }
  operator const std::string&() const { return name_; }
  operator std::string_view() const { return name_; }

  friend bool operator==(const Operator& a, const Operator& b) { return a.name_ == b.name_; }
  template <std::convertible_to<std::string_view> Name>
  friend bool operator==(const Operator& a, const Name& b) {
    return a.name_ == std::string_view(b);
  }

 private:
  Operator(const OpRule* rule, std::string_view name)
      : name_(name), rule_(rule == nullptr ? &kUnknownOp : rule) {}

  std::string name_;
  const OpRule* rule_ = &kUnknownOp;
};

}  // namespace ferry
