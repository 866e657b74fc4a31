#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

#include "ferry/dtype.h"

namespace ferry::testing {
namespace {

namespace fs = std::filesystem;

// Nodes of one operator that are kept as donors.
constexpr size_t kDonors = 64;

template <typename T>
T one_of(Random& random, std::initializer_list<T> values) {
  return values.begin()[below(random, values.size())];
}

int64_t odd_number(Random& random) {
  return one_of<int64_t>(
      random, {0, 1, -1, 2, -2, 3, 5, 7, 27, 1000, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN,
               int64_t{1} << 31, int64_t{1} << 40, int64_t{1} << 62, -(int64_t{1} << 62)});
}

// Mostly a size that a run can have.
int64_t odd_size(Random& random) {
  return below(random, 8) == 0
             ? odd_number(random)
             : one_of<int64_t>(random, {0, 1, 1, 2, 2, 3, 4, 5, 7, 8, 16, 31, 60, 64});
}

float odd_float(Random& random) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return one_of<float>(random, {0, 1, -1, 0.5F, 2, -3.7F, 1e30F, -1e30F, 1e-30F, kInfinity,
                                -kInfinity, std::numeric_limits<float>::quiet_NaN()});
}

std::string odd_text(Random& random) {
  return one_of<const char*>(random, {"",           "linear",
                                      "nearest",    "cubic",
                                      "constant",   "reflect",
                                      "edge",       "wrap",
                                      "SAME_UPPER", "SAME_LOWER",
                                      "VALID",      "forward",
                                      "reverse",    "bidirectional",
                                      "Relu",       "Tanh",
                                      "none",       "sum",
                                      "mean",       "add",
                                      "mul",        "max",
                                      "DCR",        "CRD",
                                      "half_pixel", "align_corners",
                                      "asymmetric", "tf_crop_and_resize",
                                      "floor",      "round_prefer_ceil",
                                      "int",        "ij,jk->ik"});
}

int odd_dtype(Random& random) { return 1 + static_cast<int>(below(random, kDTypeCount - 1)); }

void add_element(std::string& raw, DType dtype, Random& random) {
  const auto put = [&](auto value) {
    raw.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  if (dtype == DType::float32) return put(odd_float(random));
  if (dtype == DType::float64) return put(static_cast<double>(odd_float(random)));
  if (dtype == DType::boolean) return put(static_cast<uint8_t>(below(random, 2)));
  const int64_t number =
      below(random, 3) == 0 ? odd_number(random) : static_cast<int64_t>(below(random, 6)) - 1;
  raw.append(reinterpret_cast<const char*>(&number),
             std::min<size_t>(sizeof number, std::max<size_t>(1, dtype_bits(dtype) / 8)));
}

// The tensor again, with its dtype, this shape and odd elements. Sizes that no memory holds keep
// their number and get few elements.
void fill(onnx::TensorProto& tensor, const std::vector<int64_t>& shape, Random& random) {
  constexpr int64_t kMost = 4096;
  const std::string name = tensor.name();
  const auto dtype = static_cast<DType>(tensor.data_type());
  tensor.Clear();
  tensor.set_name(name);
  tensor.set_data_type(static_cast<int>(dtype));
  int64_t count = 1;
  for (const int64_t size : shape) {
    tensor.add_dims(size);
    count = size < 0 || (size > 0 && count > kMost / size) ? kMost : count * size;
  }
  if (dtype == DType::string) {
    for (int64_t i = 0; i < count; ++i) tensor.add_string_data(odd_text(random));
    return;
  }
  std::string* raw = tensor.mutable_raw_data();
  const int bits = dtype_bits(dtype);
  const auto bytes = static_cast<size_t>((count * std::max(1, bits) + 7) / 8);
  while (raw->size() < bytes) add_element(*raw, dtype, random);
  raw->resize(bytes);
}

std::vector<int64_t> shape_of(const onnx::TensorProto& tensor) {
  return {tensor.dims().begin(), tensor.dims().end()};
}

void change_shape(std::vector<int64_t>& shape, Random& random) {
  switch (below(random, 5)) {
    case 0:
      shape.insert(shape.begin() + static_cast<int64_t>(below(random, shape.size() + 1)),
                   odd_size(random));
      break;
    case 1:
      if (!shape.empty()) shape.pop_back();
      break;
    case 2:
      shape.assign(below(random, 5), 1);
      break;
    default:
      if (!shape.empty()) shape[below(random, shape.size())] = odd_size(random);
  }
}

void change_tensor(onnx::TensorProto& tensor, Random& random) {
  std::vector<int64_t> shape = shape_of(tensor);
  switch (below(random, 8)) {
    case 0:
      tensor.set_data_type(odd_dtype(random));
      fill(tensor, shape, random);
      break;
    case 1:
      tensor.add_dims(odd_number(random));  // which its elements are too few or too many for
      break;
    case 2:
      tensor.set_data_location(1);
      break;
    case 3:
      fill(tensor, shape, random);
      break;
    case 4: {
      // One element: its last bytes, which make integers small and floats odd.
      std::string* raw = tensor.mutable_raw_data();
      std::string element;
      add_element(element, static_cast<DType>(tensor.data_type()), random);
      if (raw->size() >= element.size()) {
        const size_t at = below(random, raw->size() / element.size()) * element.size();
        raw->replace(at, element.size(), element);
      } else {
        fill(tensor, shape, random);
      }
      break;
    }
    default:
      change_shape(shape, random);
      fill(tensor, shape, random);
  }
}

void change_attribute(onnx::AttributeProto& attribute, Random& random) {
  using Type = onnx::AttributeProto;
  if (below(random, 12) == 0) {
    switch (below(random, 3)) {
      case 0:
        attribute.set_type(static_cast<int>(below(random, 16)));
        break;
      case 1:
        attribute.set_name(one_of(random, {"axis", "to", "mode", ""}));
        break;
      default:
        attribute.set_ref_attr_name("limit");
    }
    return;
  }
  switch (attribute.type()) {
    case Type::FLOAT:
      attribute.set_f(odd_float(random));
      break;
    case Type::STRING:
      attribute.set_s(odd_text(random));
      break;
    case Type::TENSOR:
      change_tensor(*attribute.mutable_t(), random);
      break;
    case Type::FLOATS:
      attribute.add_floats(odd_float(random));
      break;
    case Type::STRINGS:
      if (attribute.strings_size() > 0) {
        attribute.set_strings(static_cast<int>(below(random, attribute.strings_size())),
                              odd_text(random));
      }
      break;
    case Type::INTS: {
      const int count = attribute.ints_size();
      if (count == 0 || below(random, 4) == 0) {
        attribute.add_ints(odd_number(random));
      } else if (below(random, 4) == 0) {
        attribute.mutable_ints()->RemoveLast();
      } else {
        attribute.set_ints(static_cast<int>(below(random, count)), odd_number(random));
      }
      break;
    }
    default:
      attribute.set_i(odd_number(random));
  }
}

// What a file declares of a value: another size, a name, nothing.
void change_declared(onnx::ValueInfoProto& info, Random& random) {
  if (!info.type().has_tensor_type()) return;
  onnx::TypeProto::Tensor& tensor = *info.mutable_type()->mutable_tensor_type();
  onnx::TensorShapeProto& shape = *tensor.mutable_shape();
  if (below(random, 6) == 0) return tensor.clear_shape();
  if (below(random, 6) == 0) return tensor.set_elem_type(odd_dtype(random));
  if (shape.dim_size() == 0 || below(random, 6) == 0) {
    shape.add_dim()->set_dim_value(odd_size(random));
    return;
  }
  if (below(random, 8) == 0) return shape.mutable_dim()->RemoveLast();
  auto& dim = *shape.mutable_dim(static_cast<int>(below(random, shape.dim_size())));
  switch (below(random, 3)) {
    case 0:
      dim.set_dim_param(one_of(random, {"n", "m", "2*n"}));
      break;
    case 1:
      dim.Clear();
      break;
    default:
      dim.set_dim_value(odd_size(random));
  }
}

// The graphs of a model, its own and those of bodies.
void collect(onnx::GraphProto* graph, std::vector<onnx::GraphProto*>& graphs) {
  graphs.push_back(graph);
  for (onnx::NodeProto& node : *graph->mutable_node()) {
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) collect(attribute.mutable_g(), graphs);
    }
  }
}

std::string any_name(const onnx::GraphProto& graph, Random& random) {
  std::vector<const std::string*> names;
  for (const auto& input : graph.input()) names.push_back(&input.name());
  for (const auto& tensor : graph.initializer()) names.push_back(&tensor.name());
  for (const auto& node : graph.node()) {
    for (const std::string& output : node.output()) names.push_back(&output);
  }
  return names.empty() ? "x" : *names[below(random, names.size())];
}

// An input that becomes a weight, so that what reads it can be folded.
void make_constant(Specimen& specimen, Random& random) {
  onnx::GraphProto& graph = *specimen.model.mutable_graph();
  if (graph.input_size() == 0 || static_cast<int>(specimen.inputs.size()) != graph.input_size()) {
    return;
  }
  const auto i = below(random, graph.input_size());
  const std::string name = graph.input(static_cast<int>(i)).name();
  if (specimen.inputs[i].data_type() == 0) return;
  onnx::TensorProto& weight = *graph.add_initializer();
  weight = std::move(specimen.inputs[i]);
  weight.set_name(name);
  graph.mutable_input()->DeleteSubrange(static_cast<int>(i), 1);
  specimen.inputs.erase(specimen.inputs.begin() + static_cast<int64_t>(i));
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// What the model declares of its input i, as a tensor with small numbers for sizes that are open.
onnx::TensorProto declared_input(const onnx::ValueInfoProto& info, Random& random) {
  onnx::TensorProto tensor;
  if (!info.type().has_tensor_type()) return tensor;
  std::vector<int64_t> shape;
  for (const auto& dim : info.type().tensor_type().shape().dim()) {
    shape.push_back(dim.has_dim_value() ? dim.dim_value() : 2);
  }
  tensor.set_data_type(info.type().tensor_type().elem_type());
  fill(tensor, shape, random);
  return tensor;
}

}  // namespace

std::vector<Specimen> find_specimens(const fs::path& folder, size_t max_bytes) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".onnx" && entry.file_size() <= max_bytes) {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<Specimen> specimens;
  for (const fs::path& file : files) {
    Specimen specimen;
    specimen.name = fs::relative(file, folder).string();
    if (!specimen.model.ParseFromString(read(file))) continue;
    const fs::path data = file.parent_path() / "test_data_set_0";
    Random random(1);
    for (int i = 0; i < specimen.model.graph().input_size(); ++i) {
      const fs::path pb = data / ("input_" + std::to_string(i) + ".pb");
      onnx::TensorProto input;
      if (!fs::exists(pb) || !input.ParseFromString(read(pb))) {
        input = declared_input(specimen.model.graph().input(i), random);
      }
      specimen.inputs.push_back(std::move(input));
    }
    specimens.push_back(std::move(specimen));
  }
  return specimens;
}

Mutator::Mutator(std::vector<Specimen> specimens) : specimens_(std::move(specimens)) {
  for (Specimen& specimen : specimens_) {
    std::vector<onnx::GraphProto*> graphs;
    collect(specimen.model.mutable_graph(), graphs);
    for (const onnx::GraphProto* graph : graphs) {
      for (const onnx::NodeProto& node : graph->node()) {
        std::vector<onnx::NodeProto>& known = nodes_[node.op_type()];
        if (known.size() < kDonors) known.push_back(node);
      }
    }
  }
  for (const auto& [op, nodes] : nodes_) operators_.push_back(op);
}

const onnx::NodeProto& Mutator::donor(const std::string& op, Random& random) const {
  const std::vector<onnx::NodeProto>& nodes = nodes_.at(op);
  return nodes[below(random, nodes.size())];
}

void Mutator::change_node(onnx::GraphProto& graph, Random& random) const {
  if (graph.node_size() == 0) return;
  const auto at = static_cast<int>(below(random, graph.node_size()));
  onnx::NodeProto& node = *graph.mutable_node(at);
  switch (below(random, 13)) {
    case 0: {  // another operator, as some model uses it
      const onnx::NodeProto& other = donor(operators_[below(random, operators_.size())], random);
      node.set_op_type(other.op_type());
      node.set_domain(other.domain());
      *node.mutable_attribute() = other.attribute();
      break;
    }
    case 1:
    case 2:  // the attributes of another node of this operator
      if (nodes_.contains(node.op_type())) {
        *node.mutable_attribute() = donor(node.op_type(), random).attribute();
      }
      break;
    case 3:
      node.add_input(any_name(graph, random));
      break;
    case 4:
      if (node.input_size() > 0) {
        node.set_input(static_cast<int>(below(random, node.input_size())),
                       below(random, 3) == 0 ? "" : any_name(graph, random));
      }
      break;
    case 5:
      if (node.input_size() > 0) node.mutable_input()->RemoveLast();
      break;
    case 6:
      if (below(random, 2) == 0 && node.output_size() > 1) {
        node.mutable_output()->RemoveLast();
      } else {
        node.add_output(below(random, 2) == 0 ? "fresh" : any_name(graph, random));
      }
      break;
    case 7:
      if (graph.node_size() > 1) {
        graph.mutable_node()->SwapElements(at, static_cast<int>(below(random, graph.node_size())));
      }
      break;
    case 8: {
      const onnx::NodeProto copy = node;
      *graph.add_node() = copy;
      break;
    }
    default:
      if (node.attribute_size() > 0) {
        change_attribute(
            *node.mutable_attribute(static_cast<int>(below(random, node.attribute_size()))),
            random);
      }
  }
}

void Mutator::change(Specimen& specimen, Random& random) const {
  onnx::ModelProto& model = specimen.model;
  std::vector<onnx::GraphProto*> graphs;
  collect(model.mutable_graph(), graphs);
  onnx::GraphProto& graph = *graphs[below(random, graphs.size())];
  const auto any_of = [&](auto& list) -> auto& {
    return *list.Mutable(static_cast<int>(below(random, list.size())));
  };
  switch (below(random, 16)) {
    case 0:
      if (model.opset_import_size() > 0) {
        any_of(*model.mutable_opset_import())
            .set_version(1 + static_cast<int64_t>(below(random, 30)));
      }
      break;
    case 1:
    case 2:
      if (graph.initializer_size() > 0) change_tensor(any_of(*graph.mutable_initializer()), random);
      break;
    case 3:
    case 4:
    case 5:
      if (!specimen.inputs.empty()) {
        change_tensor(specimen.inputs[below(random, specimen.inputs.size())], random);
      }
      break;
    case 6:
    case 7:
      if (graph.input_size() > 0) change_declared(any_of(*graph.mutable_input()), random);
      break;
    case 8:
      if (graph.output_size() > 0) change_declared(any_of(*graph.mutable_output()), random);
      break;
    case 9:
    case 10:
      make_constant(specimen, random);
      break;
    case 11:
      if (model.functions_size() > 0 && graph.node_size() > 0) {
        *any_of(*model.mutable_functions()).add_node() = any_of(*graph.mutable_node());
      }
      break;
    default:
      change_node(graph, random);
  }
}

Specimen Mutator::mutant(uint64_t seed) const {
  Random random(seed);
  Specimen specimen = specimens_[below(random, specimens_.size())];
  for (size_t i = below(random, 4) + 1; i > 0; --i) change(specimen, random);
  return specimen;
}

}  // namespace ferry::testing
