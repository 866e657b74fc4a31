#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/compare_tensors.h"
#include "ferry/model.h"

// Two placements of one model, compared value by value. Bodies of If, Loop and Scan are compared by
// what their node writes.
namespace ferry::cli {

// A tensor of both runs.
struct ValueComparison {
  std::string value;
  Tolerance tolerance;
  Comparison comparison;
};

struct NodeComparison {
  std::string node, op;  // path and operator
  Device device_a, device_b;
  std::vector<ValueComparison> values;

  double worst() const;  // Comparison::worst of the worst value
  bool same() const;
};

// What is left to a node to be blamed for: it was given the same and wrote something else.
struct FirstDifference {
  NodeComparison node;
  int runs = 0;  // of each placement, that it took to find it
};

class NodeComparer {
 public:
  // Called with how many of how many nodes are done.
  using Progress = std::function<void(size_t done, size_t of)>;

  // `a` and `b` are the same model as they are placed; all outlive this. Throws Error internal
  // where they are not.
  NodeComparer(const Model& a, const Model& b, const Inputs& inputs, const Tolerances& tolerances);

  // Names of all values that can be compared, in execution order.
  const std::vector<std::string>& values() const { return values_; }

  // Every node's values, in execution order. Runs parts of the model again and again, so that the
  // values of one run take about `budget` bytes.
  std::vector<NodeComparison> every_node(const Progress& progress,
                                         int64_t budget = int64_t{1} << 28) const;

  // The first node, in execution order, whose inputs are the same and whose outputs differ; nothing
  // where the model's outputs are the same. Runs about log2(nodes) parts of the model: each
  // compares what crosses from the nodes before to those behind, since nothing else of before can
  // matter there. Where a difference vanishes again on the way, the node is the first behind that.
  std::optional<FirstDifference> first_difference(const Progress& progress) const;

 private:
  struct Step {
    std::string node, op;
    Device device_a, device_b;
    std::vector<std::string> values;
  };

  // Both runs, for these values alone.
  std::vector<ValueComparison> compare_values(const std::vector<std::string>& names,
                                              int64_t* bytes = nullptr) const;
  NodeComparison compare_step(const Step& step) const;
  // The values that steps before `position` write and others read, or the caller gets.
  std::vector<std::string> crossing(size_t position) const;

  const Model& a_;
  const Model& b_;
  const Inputs& inputs_;
  const Tolerances& tolerances_;
  std::vector<Step> steps_;
  std::vector<std::string> values_;
  std::map<std::string, size_t> written_by_, last_read_by_;  // positions; past the end: an output
};

}  // namespace ferry::cli
