#include "executor/session/inputs.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry {

std::string TensorInfo::str() const {
  std::string out(to_string(dtype));
  if (!has_shape) return out + "[...]";
  out += "[";
  for (size_t i = 0; i < dims.size(); ++i) out += (i > 0 ? ", " : "") + dims[i];
  return out + "]";
}

TensorInfo info_of(const Value& value) {
  TensorInfo info;
  info.name = value.name;
  info.dtype = value.type.dtype;
  info.has_shape = value.type.shape.has_value();
  if (info.has_shape) {
    for (const Dim& dim : *value.type.shape) info.dims.push_back(dim.str());
  }
  return info;
}

std::vector<TensorInfo> infos_of(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<TensorInfo> out;
  for (const ValueId id : ids) out.push_back(info_of(graph.value(id)));
  return out;
}

std::vector<Tensor> ordered_inputs(const Graph& graph, const Inputs& inputs) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  std::vector<Tensor> out(names.size());
  for (const auto& [name, tensor] : inputs) {
    const auto at = std::ranges::find(names, name);
    if (at == names.end()) {
      throw Error(ErrorCode::not_found,
                  "the model has no input named '" + name + "'." + did_you_mean(name, names));
    }
    out[static_cast<size_t>(at - names.begin())] = tensor;
  }
  std::map<std::string, std::pair<int64_t, std::string>> symbols;  // size, and who gave it
  for (size_t i = 0; i < names.size(); ++i) {
    const TensorInfo info = info_of(graph.value(graph.inputs()[i]));
    Tensor& tensor = out[i];
    const std::string expected = "input '" + names[i] + "' wants " + info.str();
    if (!tensor.defined()) {
      throw Error(ErrorCode::not_found, expected + ", and none was given.");
    }
    if (tensor.dtype() != info.dtype) {
      throw Error(ErrorCode::invalid_argument,
                  expected + ", not " + std::string(to_string(tensor.dtype())) +
                      ". Convert it with to(ferry::" + std::string(to_string(info.dtype)) + ").");
    }
    tensor = tensor.contiguous();
    if (!info.has_shape) continue;
    const std::string came = ", not shape " + to_string(std::span(tensor.shape()));
    if (tensor.dim() != static_cast<int64_t>(info.dims.size())) {
      throw Error(ErrorCode::invalid_argument, expected + came + ".");
    }
    for (size_t axis = 0; axis < info.dims.size(); ++axis) {
      const Dim& dim = (*graph.value(graph.inputs()[i]).type.shape)[axis];
      const int64_t size = tensor.shape()[axis];
      if (dim.is_known() && dim.value() != size) {
        throw Error(
            ErrorCode::invalid_argument,
            expected + came + ": axis " + std::to_string(axis) + " must be " + dim.str() + ".");
      }
      if (!dim.is_symbolic()) continue;
      const auto [known, is_new] = symbols.emplace(dim.str(), std::pair(size, names[i]));
      if (!is_new && known->second.first != size) {
        throw Error(ErrorCode::invalid_argument, expected + came + ": '" + dim.str() + "' is " +
                                                     std::to_string(known->second.first) +
                                                     " in input '" + known->second.second + "'.");
      }
    }
  }
  return out;
}

}  // namespace ferry
