#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/file_map.h"
#include "ferry/dtype.h"
#include "importer/format/onnx_wire.pb.h"

// ONNX models for tests, built in memory:
//
//   ModelBuilder model(21);
//   model.input("x", float32, {"batch", 3}).output("y", float32, {"batch", 3});
//   model.node("Relu", {"x"}, {"y"});
//   Graph graph = import_bytes(model.bytes());
//
// Nothing is checked: the point of many tests is a model that is wrong.
namespace ferry::testing {

using SizeOrName = std::variant<int, const char*>;
using Names = std::vector<std::string>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline void set_type(onnx::ValueInfoProto* info, DType dtype,
                     const std::vector<SizeOrName>& sizes) {
  auto* tensor = info->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(static_cast<int>(dtype));
  tensor->mutable_shape();
  for (const SizeOrName& size : sizes) {
    auto* dim = tensor->mutable_shape()->add_dim();
    if (const int* number = std::get_if<int>(&size)) {
      dim->set_dim_value(*number);
    } else {
      dim->set_dim_param(std::get<const char*>(size));
    }
  }
}

// A tensor with raw_data.
template <typename T>
void set_tensor(onnx::TensorProto* tensor, const std::vector<T>& values,
                const std::vector<int64_t>& shape, DType dtype) {
  tensor->set_data_type(static_cast<int>(dtype));
  for (int64_t size : shape) tensor->add_dims(size);
  tensor->set_raw_data(values.data(), values.size() * sizeof(T));
}

// A node, and the words to give it attributes.
class NodeBuilder {
 public:
  explicit NodeBuilder(onnx::NodeProto* node) : node_(node) {}

  NodeBuilder& name(const std::string& text) {
    node_->set_name(text);
    return *this;
  }
  NodeBuilder& domain(const std::string& text) {
    node_->set_domain(text);
    return *this;
  }
  NodeBuilder& overload(const std::string& text) {
    node_->set_overload(text);
    return *this;
  }
  NodeBuilder& attr(const std::string& name, int64_t value) {
    add(name, onnx::AttributeProto::INT)->set_i(value);
    return *this;
  }
  NodeBuilder& attr(const std::string& name, int value) {
    return attr(name, static_cast<int64_t>(value));
  }
  NodeBuilder& attr(const std::string& name, float value) {
    add(name, onnx::AttributeProto::FLOAT)->set_f(value);
    return *this;
  }
  NodeBuilder& attr(const std::string& name, const char* value) {
    add(name, onnx::AttributeProto::STRING)->set_s(value);
    return *this;
  }
  NodeBuilder& attr(const std::string& name, const std::vector<int64_t>& values) {
    auto* attribute = add(name, onnx::AttributeProto::INTS);
    for (int64_t value : values) attribute->add_ints(value);
    return *this;
  }
  NodeBuilder& attr(const std::string& name, const std::vector<float>& values) {
    auto* attribute = add(name, onnx::AttributeProto::FLOATS);
    for (float value : values) attribute->add_floats(value);
    return *this;
  }
  NodeBuilder& texts(const std::string& name, const Names& values) {
    auto* attribute = add(name, onnx::AttributeProto::STRINGS);
    for (const std::string& value : values) attribute->add_strings(value);
    return *this;
  }
  // In a function: the attribute of the node is the function's attribute.
  NodeBuilder& reference(const std::string& name, const std::string& of_function, int type) {
    add(name, type)->set_ref_attr_name(of_function);
    return *this;
  }
  onnx::TensorProto* tensor(const std::string& name) {
    return add(name, onnx::AttributeProto::TENSOR)->mutable_t();
  }
  onnx::GraphProto* graph(const std::string& name) {
    return add(name, onnx::AttributeProto::GRAPH)->mutable_g();
  }
  onnx::NodeProto* proto() { return node_; }

  onnx::AttributeProto* add(const std::string& name, int type) {
    onnx::AttributeProto* attribute = node_->add_attribute();
    attribute->set_name(name);
    attribute->set_type(type);
    return attribute;
  }

 private:
  onnx::NodeProto* node_;
};

// Adds nodes, inputs and outputs to a graph or (nodes only) to a function.
template <typename Proto>
NodeBuilder add_node(Proto* owner, const std::string& op, const Names& inputs,
                     const Names& outputs) {
  onnx::NodeProto* node = owner->add_node();
  node->set_op_type(op);
  for (const std::string& name : inputs) node->add_input(name);
  for (const std::string& name : outputs) node->add_output(name);
  return NodeBuilder(node);
}

class GraphProtoBuilder {
 public:
  explicit GraphProtoBuilder(onnx::GraphProto* graph) : graph_(graph) {}

  GraphProtoBuilder& input(const std::string& name, DType dtype,
                           const std::vector<SizeOrName>& sizes = {}) {
    return declare(graph_->add_input(), name, dtype, sizes);
  }
  GraphProtoBuilder& output(const std::string& name, DType dtype,
                            const std::vector<SizeOrName>& sizes = {}) {
    return declare(graph_->add_output(), name, dtype, sizes);
  }
  GraphProtoBuilder& value_info(const std::string& name, DType dtype,
                                const std::vector<SizeOrName>& sizes = {}) {
    return declare(graph_->add_value_info(), name, dtype, sizes);
  }
  // Outputs of bodies are often without a type.
  GraphProtoBuilder& untyped_output(const std::string& name) {
    graph_->add_output()->set_name(name);
    return *this;
  }
  GraphProtoBuilder& untyped_input(const std::string& name) {
    graph_->add_input()->set_name(name);
    return *this;
  }
  template <typename T>
  GraphProtoBuilder& initializer(const std::string& name, const std::vector<T>& values,
                                 const std::vector<int64_t>& shape,
                                 DType dtype = std::is_same_v<T, float> ? DType::float32
                                                                        : DType::int64) {
    onnx::TensorProto* tensor = graph_->add_initializer();
    tensor->set_name(name);
    set_tensor(tensor, values, shape, dtype);
    return *this;
  }
  NodeBuilder node(const std::string& op, const Names& inputs, const Names& outputs) {
    return add_node(graph_, op, inputs, outputs);
  }
  onnx::GraphProto* graph() { return graph_; }

 private:
  GraphProtoBuilder& declare(onnx::ValueInfoProto* info, const std::string& name, DType dtype,
                             const std::vector<SizeOrName>& sizes) {
    info->set_name(name);
    set_type(info, dtype, sizes);
    return *this;
  }

  onnx::GraphProto* graph_;
};

class ModelBuilder : public GraphProtoBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 21, int64_t ir_version = 10)
      : GraphProtoBuilder(nullptr), model_(std::make_unique<onnx::ModelProto>()) {
    model_->set_ir_version(ir_version);
    model_->mutable_graph()->set_name("test");
    if (opset > 0) import("", opset);
    static_cast<GraphProtoBuilder&>(*this) = GraphProtoBuilder(model_->mutable_graph());
  }

  ModelBuilder& import(const std::string& domain, int64_t version) {
    onnx::OperatorSetIdProto* entry = model_->add_opset_import();
    entry->set_domain(domain);
    entry->set_version(version);
    return *this;
  }
  onnx::FunctionProto* function(const std::string& domain, const std::string& name,
                                const Names& inputs, const Names& outputs, int64_t opset = 21) {
    onnx::FunctionProto* function = model_->add_functions();
    function->set_domain(domain);
    function->set_name(name);
    for (const std::string& input : inputs) function->add_input(input);
    for (const std::string& output : outputs) function->add_output(output);
    onnx::OperatorSetIdProto* entry = function->add_opset_import();
    entry->set_domain("");
    entry->set_version(opset);
    entry = function->add_opset_import();
    entry->set_domain(domain);
    entry->set_version(1);
    return function;
  }
  onnx::ModelProto& proto() { return *model_; }
  std::string bytes() const { return model_->SerializeAsString(); }

 private:
  std::unique_ptr<onnx::ModelProto> model_;
};

}  // namespace ferry::testing
