#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "ferry/device.h"
#include "ferry/tensor.h"
#include "graph/attributes.h"
#include "graph/dim.h"
#include "graph/ops/op.h"

// The IR: what the importer makes, rewrites and placement change, and the executor lowers.
//
// One form per operator: the importer settles versions, so a node's `op` is the ONNX name alone
// ("Conv"; other domains carry theirs, "com.microsoft.FusedMatMul", "ai.onnx.ml.Scaler") and its
// attributes and inputs are those of the newest version that Ferry knows. graph/ops/ documents
// the form of each operator beside its rule.
namespace ferry {

using ValueId = int32_t;
using NodeId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input or output that is not there
inline constexpr NodeId kNoNode = -1;

// What is known of a value's type before a run.
struct Type {
  enum class Kind : uint8_t { tensor, sequence, optional };

  Kind kind = Kind::tensor;
  DType dtype = DType::undefined;       // of the elements; undefined while not known
  std::optional<Dims> shape;            // nullopt while not even the rank is known
  std::shared_ptr<const Type> element;  // of sequence and optional

  std::string str() const;  // "float32[batch, 3]", "sequence(int64[?])"
};

// An SSA value: written by one node, or a graph input, or a constant.
struct Value {
  std::string name;  // ONNX's; unique in its graph, and never changed in it
  Type type;
  Tensor constant;  // defined for weights and folded values; always on the CPU
  // For small integer tensors whose elements are known sizes though not constants, in row-major
  // order: the output of Shape, and what shape arithmetic makes of it.
  std::optional<Dims> contents;
  NodeId producer = kNoNode;  // kNoNode for graph inputs, captures and constants
  int producer_output = 0;
  // Where the value lives: cpu until placement; a copy node's output lives where it copies to.
  Device device;

  bool is_constant() const { return constant.defined(); }
};

class Graph;

struct Node {
  Operator op;       // "Conv"; see above
  std::string name;  // path in the model, unique: "/encoder/attn/MatMul", "/loop/body/Add"
  Attributes attributes;
  std::vector<ValueId> inputs;   // kNoValue where an optional input is absent
  std::vector<ValueId> outputs;  // kNoValue where an optional output is not wanted
  // If: {then_branch, else_branch}; Loop and Scan: {body}. Empty otherwise (OpRule::bodies).
  std::vector<std::shared_ptr<Graph>> bodies;
  // Outer values that the bodies read; body->captures()[i] is its name inside each body. They count
  // as inputs of this node for every analysis.
  std::vector<ValueId> captures;
  Device device;                     // cpu until placement
  std::vector<std::string> sources;  // the ONNX node names that this node came from

  bool is_copy() const { return op.rule().is_copy; }
};

// Operator of the copies that placement inserts: one input, one output on another device.
inline constexpr std::string_view kCopyOp = "ferry.Copy";

// A graph owns its nodes and values; ids index them and stay valid until compact(). Nodes are kept
// in a topological order. Not thread-safe while it is changed; copies are independent, except that
// constants share storage.
class Graph {
 public:
  // ---- building -----------------------------------------------------------------------------
  ValueId add_value(Value value);
  ValueId add_input(std::string name, Type type);
  ValueId add_capture(std::string name, Type type);  // parallel to the owning node's captures
  ValueId add_constant(std::string name, Tensor constant);
  // Appends the node (before `before`, where that is given) and makes it the producer of its
  // outputs.
  NodeId add_node(Node node);
  NodeId add_node_before(NodeId before, Node node);
  void set_outputs(std::vector<ValueId> outputs) { outputs_ = std::move(outputs); }
  void set_captures(std::vector<ValueId> captures) { captures_ = std::move(captures); }

  // ---- reading ------------------------------------------------------------------------------
  const std::vector<NodeId>& order() const { return order_; }  // live nodes, topologically
  const Node& node(NodeId id) const { return nodes_[id]; }
  Node& node(NodeId id) { return nodes_[id]; }
  const Value& value(ValueId id) const { return values_[id]; }
  Value& value(ValueId id) { return values_[id]; }
  int value_count() const { return static_cast<int>(values_.size()); }
  int node_capacity() const { return static_cast<int>(nodes_.size()); }  // ids are below this
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& captures() const { return captures_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  bool is_input(ValueId id) const;
  bool is_output(ValueId id) const;
  // Nodes that read each value (inputs and captures), each once, in order.
  std::vector<std::vector<NodeId>> consumers() const;
  // The value named `name`, or kNoValue.
  ValueId find_value(std::string_view name) const;

  // ---- changing -----------------------------------------------------------------------------
  void replace_uses(ValueId from, ValueId to);  // in nodes and graph outputs
  void replace_uses_in(NodeId node, ValueId from, ValueId to);
  // What they still write loses its producer; nothing may read it. Each call walks the order once.
  void remove_node(NodeId id);
  void remove_nodes(const std::vector<bool>& dead);  // by node id
  // Makes `value` output `port` of `node`, instead of the value that it writes now.
  void take_over_output(NodeId node, size_t port, ValueId value);
  // A name that no value of this graph has yet, starting with `stem`.
  std::string unique_name(std::string_view stem);

  // ---- the model's own facts, on the outermost graph -------------------------------------------
  std::string name;
  std::map<std::string, int64_t> opsets;        // domain -> version of the file
  std::map<std::string, std::string> metadata;  // metadata_props
  int64_t ir_version = 0;
  std::string producer;  // "pytorch 2.13.0"

 private:
  // Names of values for unique_name(), which brings it up to date; a copy of the graph begins anew.
  struct Names {
    Names() = default;
    Names(const Names&) {}
    Names(Names&&) = default;
    Names& operator=(const Names&) { return *this = Names(); }
    Names& operator=(Names&&) = default;

    std::unordered_set<std::string> taken;
    size_t counted = 0;  // values whose names are in it
  };

  std::vector<Node> nodes_;
  std::vector<Value> values_;
  std::vector<NodeId> order_;
  std::vector<ValueId> inputs_, captures_, outputs_;
  Names names_;
};

// Checks every invariant above and throws Error internal naming `after`, the pass that just ran:
// each used value exists, is written before it is read and by one node; names are unique; captures
// and bodies agree; copies cross devices and every other node reads only values that it may.
void verify(const Graph& graph, std::string_view after);

// A printed form for people and golden tests, one node a line.
std::string to_string(const Graph& graph);

// Independent of the original in structure; constants share storage.
Graph clone(const Graph& graph);

}  // namespace ferry
