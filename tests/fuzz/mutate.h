#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "importer/format/onnx_wire.pb.h"

// Well-formed ONNX models that say something odd: a valid model and its inputs, changed by what a
// number in a seed decides. The same seed and the same specimens give the same mutant.
namespace ferry::testing {

using Random = std::mt19937_64;

// 0..count-1; 0 where there is nothing to choose from.
inline size_t below(Random& random, size_t count) { return count == 0 ? 0 : random() % count; }

// A model and what its inputs are given, in their order; an empty message where nothing is known.
struct Specimen {
  std::string name;
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs;
};

// Every model below `folder`: NAME/model.onnx with NAME/test_data_set_0/input_N.pb, as ONNX lays
// out its test data, and single .onnx files. Files over `max_bytes` are left out. In order of path.
std::vector<Specimen> find_specimens(const std::filesystem::path& folder, size_t max_bytes);

class Mutator {
 public:
  explicit Mutator(std::vector<Specimen> specimens);

  size_t size() const { return specimens_.size(); }
  // One specimen, changed in one to four places.
  Specimen mutant(uint64_t seed) const;
  // One change of `specimen`.
  void change(Specimen& specimen, Random& random) const;

 private:
  void change_node(onnx::GraphProto& graph, Random& random) const;
  const onnx::NodeProto& donor(const std::string& op, Random& random) const;

  std::vector<Specimen> specimens_;
  std::vector<std::string> operators_;
  std::map<std::string, std::vector<onnx::NodeProto>> nodes_;  // of the specimens, by operator
};

}  // namespace ferry::testing
