#include "importer/format/annotations.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "core/files.h"
#include "core/nearest.h"
#include "ferry/error.h"
#include "importer/format/wire.h"
#include "importer/format/wire_scan.h"
#include "importer/importer.h"
#include "importer/model_importer.h"
#include "importer/problems.h"
#include "importer/scope.h"
#include "importer/text.h"

namespace ferry {
namespace {

constexpr std::string_view kConfiguration = "ferry";
constexpr std::string_view kLayer = "layer_ann";
constexpr uint64_t kFirstIrVersion = 11;  // that has device configurations
constexpr int kMostDepth = ImportLimits().graph_depth;

// Numbers of the fields that are walked or written.
namespace model_field {
constexpr uint32_t ir_version = 1, graph = 7, functions = 25, configuration = 26;
}
namespace graph_field {
constexpr uint32_t node = 1;
}
namespace node_field {
constexpr uint32_t attribute = 5, metadata_props = 9, device_configurations = 10;
}
namespace attribute_field {
constexpr uint32_t name = 1, g = 6, graphs = 11;
}
namespace tensor_field {
constexpr uint32_t data_location = 14;
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <typename Message>
Message parse(std::string_view bytes) {
  Message message;
  if (bytes.size() > std::numeric_limits<int>::max()) {
    fail(ProblemCode::limit, "a name or an annotation has more than 2 GiB");
  }
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    fail(ProblemCode::encoding, "the protobuf encoding is broken");
  }
  return message;
}

// The fields of a message that `numbers` has, for protobuf to read.
template <typename Message>
Message parse_some(Bytes bytes, std::initializer_list<uint32_t> numbers) {
  std::string some;
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (std::ranges::find(numbers, field.number) != numbers.end()) some += text_of(field.encoded);
  }
  return parse<Message>(some);
}

onnx::NodeProto names_of_node(Bytes bytes) {  // inputs, outputs, name, operator
  return parse_some<onnx::NodeProto>(bytes, {1, 2, 3, 4, 7, 8});
}

// Which nodes are calls.
class Functions {
 public:
  void add(Bytes bytes) {
    const auto function = parse_some<onnx::FunctionProto>(bytes, {1, 10, 13});
    names_.emplace(canonical_domain(function.domain()), function.name(), function.overload());
  }
  bool has(const onnx::NodeProto& node) const {
    return names_.contains(
        {std::string(canonical_domain(node.domain())), node.op_type(), node.overload()});
  }

 private:
  std::set<std::tuple<std::string, std::string, std::string>> names_;
};

// The name of a node's attribute, whose graphs have paths of their own.
std::string name_of_attribute(Bytes bytes) {
  return parse_some<onnx::AttributeProto>(bytes, {attribute_field::name}).name();
}

void require_depth(int depth) {
  if (depth > kMostDepth) {
    fail(ProblemCode::limit, fmt::format("subgraphs are nested more than {} deep", kMostDepth));
  }
}

// What walking throws becomes an Error that names the file.
template <typename Work>
auto with_file(const std::string& path, Work work) {
  try {
    return work();
  } catch (const ProblemError& problem) {
    throw Error(error_code(problem.code), "'" + path + "': " + problem.message + ".");
  }
}

// ---- writing ------------------------------------------------------------------------------------

// The devices of a file's nodes by their paths.
class Devices {
 public:
  explicit Devices(const std::vector<NodePlacement>& placement) {
    for (const NodePlacement& node : placement) by_path_[node.name] = node.device;
    for (const NodePlacement& node : placement) {
      // Nodes that were fused into this one. In the outermost graph their names are their paths;
      // elsewhere names do not tell which body they are of.
      if (std::ranges::find(node.sources, node.name) == node.sources.end()) continue;
      for (const std::string& source : node.sources) by_path_.emplace(source, node.device);
    }
  }

  std::optional<Device> find(const std::string& path, bool is_call) const {
    if (!is_call) {
      const auto at = by_path_.find(path);
      return at == by_path_.end() ? std::nullopt : std::optional(at->second);
    }
    const std::string inside = path + "/";
    std::optional<Device> device;
    for (auto at = by_path_.lower_bound(inside);
         at != by_path_.end() && at->first.starts_with(inside); ++at) {
      if (device && *device != at->second) return std::nullopt;
      device = at->second;
    }
    return device;
  }

 private:
  std::map<std::string, Device> by_path_;
};

// A message in parts, most of them views of the file.
class Pieces {
 public:
  void view(Bytes bytes) {
    parts_.push_back(text_of(bytes));
    size_ += bytes.size();
  }
  void own(std::string text) {
    size_ += text.size();
    parts_.push_back(owned_.emplace_back(std::move(text)));
  }
  // A field that is a message.
  void nest(uint32_t number, Pieces&& message) {
    std::string head;
    write_tag(head, number, WireType::bytes);
    write_varint(head, message.size_);
    own(std::move(head));
    size_ += message.size_;
    parts_.insert(parts_.end(), message.parts_.begin(), message.parts_.end());
    owned_.splice(owned_.end(), message.owned_);
  }
  void nest(uint32_t number, std::string message) {
    Pieces piece;
    piece.own(std::move(message));
    nest(number, std::move(piece));
  }
  std::string str() const {
    std::string out;
    out.reserve(size_);
    for (const std::string_view part : parts_) out += part;
    return out;
  }

 private:
  std::vector<std::string_view> parts_;
  std::list<std::string> owned_;  // at addresses that stay
  size_t size_ = 0;
};

class Writer {
 public:
  Writer(const Devices& devices, std::set<Device> named, const Functions& functions,
         Annotated& result)
      : devices_(devices),
        names_(named.begin(), named.end()),
        functions_(functions),
        result_(result) {}

  Pieces graph(Bytes bytes, const std::string& prefix, int depth) {
    require_depth(depth);
    Pieces out;
    WireReader reader(bytes);
    for (WireField field; reader.next(field);) {
      if (field.number == graph_field::node && field.type == WireType::bytes) {
        out.nest(graph_field::node, node(field.bytes, prefix, depth));
      } else {
        out.view(field.encoded);
      }
    }
    return out;
  }

  std::string configuration() const {
    onnx::DeviceConfigurationProto proto;
    proto.set_name(std::string(kConfiguration));
    proto.set_num_devices(static_cast<int32_t>(names_.size()));
    for (const Device& device : names_) proto.add_device(device.str());
    return proto.SerializeAsString();
  }

 private:
  Pieces node(Bytes bytes, const std::string& prefix, int depth) {
    const onnx::NodeProto names = names_of_node(bytes);
    const std::string path = paths_.claim(path_of(names, prefix));
    const std::optional<Device> device = devices_.find(path, functions_.has(names));
    ++(device ? result_.nodes : result_.without);
    Pieces out;
    WireReader reader(bytes);
    for (WireField field; reader.next(field);) {
      if (field.type == WireType::bytes && is_ours(field)) continue;
      if (field.number == node_field::attribute && field.type == WireType::bytes) {
        out.nest(node_field::attribute, attribute(field.bytes, path, depth));
      } else {
        out.view(field.encoded);
      }
    }
    if (device) annotate(out, names, *device);
    return out;
  }

  static bool is_ours(const WireField& field) {
    if (field.number == node_field::metadata_props) {
      return parse<onnx::StringStringEntryProto>(text_of(field.bytes)).key() == kLayer;
    }
    return field.number == node_field::device_configurations &&
           parse<onnx::NodeDeviceConfigurationProto>(text_of(field.bytes)).configuration_id() ==
               kConfiguration;
  }

  Pieces attribute(Bytes bytes, const std::string& path, int depth) {
    const std::string prefix = path + "/" + name_of_attribute(bytes) + "/";
    Pieces out;
    WireReader reader(bytes);
    for (WireField field; reader.next(field);) {
      const bool is_graph =
          field.number == attribute_field::g || field.number == attribute_field::graphs;
      if (is_graph && field.type == WireType::bytes) {
        out.nest(field.number, graph(field.bytes, prefix, depth + 1));
      } else {
        out.view(field.encoded);
      }
    }
    return out;
  }

  void annotate(Pieces& out, const onnx::NodeProto& names, Device device) {
    result_.devices.insert(device);
    onnx::StringStringEntryProto layer;
    layer.set_key(std::string(kLayer));
    layer.set_value(device.str());
    onnx::NodeDeviceConfigurationProto configuration;
    configuration.set_configuration_id(std::string(kConfiguration));
    std::set<std::string> seen = {""};  // an absent input is no tensor
    const int64_t index = std::ranges::find(names_, device) - names_.begin();
    for (const auto* list : {&names.input(), &names.output()}) {
      for (const std::string& tensor : *list) {
        if (!seen.insert(tensor).second) continue;
        onnx::ShardingSpecProto* const spec = configuration.add_sharding_spec();
        spec->set_tensor_name(tensor);
        spec->add_device(index);
      }
    }
    out.nest(node_field::metadata_props, layer.SerializeAsString());
    out.nest(node_field::device_configurations, configuration.SerializeAsString());
  }

  const Devices& devices_;
  std::vector<Device> names_;
  const Functions& functions_;
  Annotated& result_;
  NodePaths paths_;
};

bool is_external(Bytes tensor) {
  WireReader reader(tensor);
  for (WireField field; reader.next(field);) {
    if (field.number == tensor_field::data_location && field.value == 1) return true;
  }
  return false;
}

std::filesystem::path folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return std::filesystem::weakly_canonical(folder.empty() ? "." : folder);
}

// ---- reading ------------------------------------------------------------------------------------

class Reader {
 public:
  Reader(const std::string& path, const Functions& functions,
         std::vector<onnx::DeviceConfigurationProto> configurations)
      : path_(path), functions_(functions) {
    const auto ours =
        std::ranges::find(configurations, kConfiguration, &onnx::DeviceConfigurationProto::name);
    if (ours != configurations.end()) {
      configuration_ = *ours;
    } else if (configurations.size() == 1) {
      configuration_ = configurations[0];
    } else if (!configurations.empty()) {
      std::string names;
      for (const auto& other : configurations) names += " " + ferry::quoted(other.name());
      refuse("it has several device configurations, and none is named 'ferry':" + names + ".");
    }
  }

  void graph(Bytes bytes, const std::string& prefix, int depth) {
    require_depth(depth);
    WireReader reader(bytes);
    for (WireField field; reader.next(field);) {
      if (field.number == graph_field::node && field.type == WireType::bytes) {
        node(field.bytes, prefix, depth);
      }
    }
  }

  std::vector<AnnotatedNode> take() {
    if (nodes_.empty()) {
      refuse("no node of it has a device, by device_configurations or by layer_ann.");
    }
    return std::move(nodes_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorCode::invalid_argument, "'" + path_ + "': " + what);
  }

  Device device_of(const std::string& text, const std::string& node, const char* what) const {
    try {
      return Device(text);
    } catch (const Error& error) {
      refuse(fmt::format("node {}: {}: {}", ferry::quoted(node), what, error.message()));
    }
  }

  void node(Bytes bytes, const std::string& prefix, int depth) {
    const onnx::NodeProto names = names_of_node(bytes);
    AnnotatedNode out{paths_.claim(path_of(names, prefix)), functions_.has(names), Device()};
    std::optional<Device> device;
    const auto set = [&](Device found) {
      if (device && *device != found) {
        refuse(fmt::format("node {} is on {} and on {}; one device is expected.",
                           ferry::quoted(out.path), device->str(), found.str()));
      }
      device = found;
    };
    WireReader reader(bytes);
    for (WireField field; reader.next(field);) {
      if (field.type != WireType::bytes) continue;
      if (field.number == node_field::metadata_props) {
        const auto entry = parse<onnx::StringStringEntryProto>(text_of(field.bytes));
        if (entry.key() == kLayer) set(device_of(entry.value(), out.path, "layer_ann"));
      } else if (field.number == node_field::device_configurations) {
        const auto proto = parse<onnx::NodeDeviceConfigurationProto>(text_of(field.bytes));
        if (proto.configuration_id() != configuration_.name()) continue;
        for (const onnx::ShardingSpecProto& spec : proto.sharding_spec()) {
          for (const int64_t index : spec.device()) set(device_at(index, out.path));
        }
      } else if (field.number == node_field::attribute) {
        attribute(field.bytes, out.path, depth);
      }
    }
    if (!device) return;
    out.device = *device;
    nodes_.push_back(std::move(out));
  }

  Device device_at(int64_t index, const std::string& node) const {
    if (index < 0 || index >= configuration_.device_size()) {
      refuse(fmt::format("node {}: device {} of the configuration {}, which names {}.",
                         ferry::quoted(node), index, ferry::quoted(configuration_.name()),
                         configuration_.device_size()));
    }
    return device_of(configuration_.device(static_cast<int>(index)), node, "device_configurations");
  }

  void attribute(Bytes bytes, const std::string& path, int depth) {
    const std::string prefix = path + "/" + name_of_attribute(bytes) + "/";
    WireReader reader(bytes);
    for (WireField field; reader.next(field);) {
      const bool is_graph =
          field.number == attribute_field::g || field.number == attribute_field::graphs;
      if (is_graph && field.type == WireType::bytes) graph(field.bytes, prefix, depth + 1);
    }
  }

  const std::string& path_;
  const Functions& functions_;
  onnx::DeviceConfigurationProto configuration_;
  NodePaths paths_;
  std::vector<AnnotatedNode> nodes_;
};

// Calls `visit` for each field of the model, functions known by then.
template <typename Visit>
void for_each_field(Bytes model, Visit visit) {
  WireReader reader(model);
  for (WireField field; reader.next(field);) visit(field);
}

Functions functions_of(Bytes model) {
  Functions functions;
  for_each_field(model, [&](const WireField& field) {
    if (field.number == model_field::functions && field.type == WireType::bytes) {
      functions.add(field.bytes);
    }
  });
  return functions;
}

}  // namespace

std::string annotated(Bytes model, const std::vector<NodePlacement>& placement, Annotated& result) {
  const Functions functions = functions_of(model);
  const Devices devices(placement);
  std::set<Device> named;
  for (const NodePlacement& node : placement) named.insert(node.device);
  Writer writer(devices, std::move(named), functions, result);
  Pieces out;
  uint64_t ir_version = kFirstIrVersion;
  for_each_field(model, [&](const WireField& field) {
    if (field.number == model_field::ir_version && field.type == WireType::varint) {
      ir_version = std::max(ir_version, field.value);
    } else if (field.number == model_field::graph && field.type == WireType::bytes) {
      out.nest(model_field::graph, writer.graph(field.bytes, "", 0));
    } else if (field.number == model_field::configuration && field.type == WireType::bytes &&
               parse<onnx::DeviceConfigurationProto>(text_of(field.bytes)).name() ==
                   kConfiguration) {
      return;
    } else {
      out.view(field.encoded);
    }
  });
  out.nest(model_field::configuration, writer.configuration());
  std::string head;
  write_tag(head, model_field::ir_version, WireType::varint);
  write_varint(head, ir_version);
  out.own(std::move(head));
  return out.str();
}

Annotated save_annotated(const std::string& path, const std::vector<NodePlacement>& placement,
                         const std::string& out) {
  const MappedFile file = map_file(path);
  Annotated result;
  const std::string bytes = with_file(path, [&] {
    const WireScan parts = scan(file.bytes, WireMessage::model);
    if (std::ranges::any_of(parts.tensors, is_external) && folder_of(path) != folder_of(out)) {
      throw Error(ErrorCode::invalid_argument,
                  "'" + path + "' has external data beside it, which '" + out +
                      "' would not find; write the annotated copy into the model's own folder.");
    }
    return annotated(file.bytes, placement, result);
  });
  write_file(out, bytes);
  return result;
}

std::string onnxruntime_option(const std::set<Device>& devices) {
  std::string out;
  for (const Device& device : devices) {
    const std::string there = device.is_cpu() ? "cpu" : fmt::format("gpu:{}", device.index());
    out += fmt::format("{}{}(={})", out.empty() ? "" : "; ", there, device.str());
  }
  return out;
}

std::vector<AnnotatedNode> read_annotations(Bytes model, const std::string& path) {
  return with_file(path, [&] {
    const Functions functions = functions_of(model);
    std::vector<onnx::DeviceConfigurationProto> configurations;
    for_each_field(model, [&](const WireField& field) {
      if (field.number == model_field::configuration && field.type == WireType::bytes) {
        configurations.push_back(parse<onnx::DeviceConfigurationProto>(text_of(field.bytes)));
      }
    });
    Reader reader(path, functions, std::move(configurations));
    for_each_field(model, [&](const WireField& field) {
      if (field.number == model_field::graph && field.type == WireType::bytes) {
        reader.graph(field.bytes, "", 0);
      }
    });
    return reader.take();
  });
}

std::vector<AnnotatedNode> read_annotations(const std::string& path) {
  const MappedFile file = map_file(path);
  return read_annotations(file.bytes, path);
}

}  // namespace ferry
