#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "importer/ops/rows.h"
#include "importer/scope.h"

namespace ferry {

namespace onnx {
class AttributeProto;
}

class TensorReader;

// An attribute of a node. Within a function the value can be the call's, under another name.
struct GivenAttribute {
  std::string name;
  const onnx::AttributeProto* value;
};
using AttributeList = std::vector<GivenAttribute>;

// One node while it is brought to the IR's form: what a row's reader works on.
//
// When a reader starts, node() has its inputs, outputs and bodies, and the attributes of the newest
// form with defaults filled in; attributes that only older forms have are in old(). Whatever the
// reader leaves in node() goes into the graph.
class NodeReader {
 public:
  NodeReader(Scope& scope, const OpRow& row, int opset, Node node)
      : scope_(scope), row_(row), opset_(opset), node_(std::move(node)) {}

  int opset() const { return opset_; }  // of the node's domain
  Node& node() { return node_; }
  Attributes& attributes() { return node_.attributes; }
  const Attributes& old() const { return old_; }
  // True when the file gave the attribute.
  bool was_given(std::string_view attribute) const;

  // ---- inputs and outputs ---------------------------------------------------------------------
  bool has_input(int i) const {
    return i < static_cast<int>(node_.inputs.size()) && node_.inputs[i] != kNoValue;
  }
  bool has_output(int i) const {
    return i < static_cast<int>(node_.outputs.size()) && node_.outputs[i] != kNoValue;
  }
  ValueId input(int i) const { return node_.inputs[i]; }
  void set_input(int i, ValueId value);  // inputs between are absent
  // What the file says of input i; the dtype is undefined and the shape absent where it says
  // nothing.
  const Value& value(int i) const;
  // The rank of input i, where the file or the operators before it say it.
  std::optional<int64_t> rank(int i) const;

  // The constant that a value is, or nullptr.
  const Tensor* constant_of(ValueId value) const;
  void set_output_type(int i, Type type);
  // Gives every output that is left out a value that nobody reads.
  void complete_outputs();

  // ---- more nodes and constants ---------------------------------------------------------------
  ValueId constant(Tensor tensor, std::string_view stem);
  ValueId int_list(const std::vector<int64_t>& values, std::string_view stem);  // int64, 1-D
  ValueId int_scalar(int64_t value, std::string_view stem);                     // int64, 0-D
  // `value` as a 0-D tensor of the type of `like`: a constant where that is known, else CastLike.
  ValueId scalar_like(float value, ValueId like, std::string_view stem);
  // A node before this one, attributes of `given` and defaults for the rest; its only output.
  ValueId emit(std::string_view op, std::vector<ValueId> inputs, Attributes given = {});
  // The same with several outputs.
  std::vector<ValueId> emit_many(std::string_view op, std::vector<ValueId> inputs, int outputs,
                                 Attributes given = {});
  // Output i of this node is a copy of `value`, which another node writes.
  void forward_output(int i, ValueId value);
  // Output i of this node becomes a new value, which `op` turns into what output i was: the first
  // input of `op`, before `more`.
  void finish(int i, std::string_view op, std::vector<ValueId> more, Attributes given = {});
  // A node with defaults for the attributes that are not given, for a body that a reader makes.
  Node make_node(std::string_view op, std::vector<ValueId> inputs, Attributes given);
  // Those of the node's attributes that `op` has too.
  Attributes kept(std::string_view op) const;
  // Turns the node into another operator, with defaults for the attributes that are not given.
  void become(std::string_view op, std::vector<ValueId> inputs, Attributes given = {});
  // The only output is this constant; there will be no node.
  void become_constant(Tensor tensor);

  // ---- the importer's side --------------------------------------------------------------------
  // Reads, checks and completes the attributes. Throws ProblemError at the first that is wrong.
  void read_attributes(const AttributeList& given, TensorReader& tensors);
  // The attribute as it is in the file, or nullptr: for graphs and types.
  const onnx::AttributeProto* raw(std::string_view attribute) const;
  // Puts the node, and what it needs after it, into the graph.
  void commit();

 private:
  Scope& scope_;
  const OpRow& row_;
  int opset_;
  Node node_;
  Attributes old_;
  std::map<std::string, const onnx::AttributeProto*, std::less<>> raw_;
  std::vector<Node> after_;
  bool dropped_ = false;
};

// Writes the defaults of the newest form that `attributes` does not have.
void fill_defaults(const OpRow& row, Attributes& attributes);

}  // namespace ferry
