#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/support.h"
#include "graph/graph.h"
#include "graph/limits.h"

// Type, shape and value inference: gives every value of a graph a dtype, a shape (symbolic where
// sizes are), and its contents where those are known.
namespace ferry {

// Runs one node on host tensors: how the graph folds constants without knowing a kernel. Inputs are
// in the node's order, undefined Tensors where absent. Returns nullopt when the node cannot be run
// that way (no kernel, control flow, random numbers); throws Error for bad data.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual std::optional<std::vector<Tensor>> evaluate(const Node& node,
                                                      std::span<const Tensor> inputs) = 0;
};

// What a rule sees of the node that it infers, and where it puts the result.
class InferContext {
 public:
  InferContext(const Graph& graph, const Node& node, std::vector<Value>& outputs)
      : graph_(graph), node_(node), outputs_(outputs) {}

  const Node& node() const { return node_; }
  const Attributes& attributes() const { return node_.attributes; }
  int input_count() const { return static_cast<int>(node_.inputs.size()); }
  int output_count() const { return static_cast<int>(node_.outputs.size()); }

  bool has_input(int i) const;
  bool has_output(int i) const;
  // Facts of input i, which must be present.
  const Value& input(int i) const;
  DType dtype(int i) const { return input(i).type.dtype; }
  const std::optional<Dims>& shape(int i) const { return input(i).type.shape; }
  // The rank, or -1 while not known.
  int rank(int i) const { return shape(i) ? static_cast<int>(shape(i)->size()) : -1; }
  // The constant of input i, or nullptr.
  const Tensor* constant(int i) const;
  // The elements of integer input i as sizes (numbers when it is constant); nullopt while unknown.
  std::optional<Dims> contents(int i) const;
  // The same when all are numbers.
  std::optional<std::vector<int64_t>> constant_ints(int i) const;

  // Fails for more axes than kMaxRank, a negative size, or more elements than kMaxElements.
  void set_output(int i, DType dtype, std::optional<Dims> shape);
  void set_output_type(int i, Type type);
  // Contents of an output whose type is set: kept for at most kMaxContents elements of bool, int32
  // (numbers wrap to its range) or int64, as many as the shape says.
  void set_contents(int i, Dims contents);

  // Throws Error invalid_model with this sentence; the caller adds node and op.
  [[noreturn]] void fail(std::string message) const;

  static constexpr size_t kMaxContents = kMaxRank;
  // So that the bits of any tensor can be counted in 64 bits.
  static constexpr int64_t kMaxElements = int64_t{1} << 55;

  // The inputs whose elements the rule has looked at so far.
  Ports contents_read() const { return contents_read_; }

 private:
  void check_output_shape(int i, const Dims& shape) const;

  const Graph& graph_;
  const Node& node_;
  std::vector<Value>& outputs_;
  mutable Ports contents_read_;
};

// Multidirectional broadcasting (ONNX Broadcasting.md). Two different numbers, neither 1, make
// `context` fail; symbols that differ give an unknown size.
Dims broadcast(const InferContext& context, const Dims& a, const Dims& b);

// An axis attribute or input: -rank..rank-1 to 0..rank-1, or context.fail.
int64_t normalize_axis(const InferContext& context, int64_t axis, int64_t rank);

struct InferOptions {
  // Sizes for symbols and graph inputs; a named input gets exactly this shape.
  std::map<std::string, std::vector<int64_t>> input_shapes;
  std::map<std::string, int64_t> symbols;
  Evaluator* evaluator = nullptr;      // folds nodes whose inputs are all constants
  int64_t max_folded_bytes = 1 << 26;  // a larger result is left to the run
  // What all folded results together may take, beside 8 times the bytes of the graph's constants:
  // room for every constant to be cast and dequantized.
  int64_t max_folded_total = 1 << 29;
  // Operations that folding may take in all (OpRule::flops): seconds of one core.
  double max_folded_work = 1e10;
};

// Infers the whole graph, bodies included, in place. Declared types of the model are kept where
// nothing better is known; a contradiction is an Error invalid_model that names the value. Throws
// Error with the node's name and operator.
void infer(Graph& graph, const InferOptions& options = {});

// Infers one node whose input facts are in `graph`, for values whose shapes only a run knows. The
// result holds for other elements, too, of inputs that are not in `contents_read`.
std::vector<Type> infer_node(const Graph& graph, NodeId node, Ports* contents_read = nullptr);

}  // namespace ferry
