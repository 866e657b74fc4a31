#include "executor/session/inputs.h"

#include <algorithm>

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

namespace {

[[noreturn]] void refuse(const Value& input, ErrorCode code, const std::string& came) {
  throw Error(code, "input '" + input.name + "' wants " + info_of(input).str() + came);
}

// The size of a symbol in this run, and the input that gave it.
struct SymbolSize {
  const Dim* dim;
  int64_t size;
  const Value* input;
};

void check_shape(const Value& input, const Shape& shape, std::vector<SymbolSize>& symbols) {
  if (!input.type.shape) return;
  const Dims& dims = *input.type.shape;
  const auto came = [&] { return ", not shape " + to_string(std::span(shape)); };
  if (shape.size() != dims.size()) refuse(input, ErrorCode::invalid_argument, came() + ".");
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const Dim& dim = dims[axis];
    if (dim.is_known() && dim.value() != shape[axis]) {
      refuse(input, ErrorCode::invalid_argument,
             came() + ": axis " + std::to_string(axis) + " must be " + dim.str() + ".");
    }
    if (!dim.is_symbolic()) continue;
    const auto known =
        std::ranges::find_if(symbols, [&](const SymbolSize& s) { return *s.dim == dim; });
    if (known == symbols.end()) {
      symbols.push_back({&dim, shape[axis], &input});
    } else if (known->size != shape[axis]) {
      refuse(input, ErrorCode::invalid_argument,
             came() + ": '" + dim.str() + "' is " + std::to_string(known->size) + " in input '" +
                 known->input->name + "'.");
    }
  }
}

}  // namespace

std::vector<Tensor> ordered_inputs(const Graph& graph, const Inputs& inputs) {
  const auto names = [&] {
    std::vector<std::string> out;
    for (const ValueId id : graph.inputs()) out.push_back(graph.value(id).name);
    return out;
  };
  std::vector<Tensor> out(graph.inputs().size());
  for (const auto& [name, tensor] : inputs) {
    const auto at = std::ranges::find(graph.inputs(), name, [&](ValueId id) -> const std::string& {
      return graph.value(id).name;
    });
    if (at == graph.inputs().end()) {
      throw Error(ErrorCode::not_found,
                  "the model has no input named '" + name + "'." + did_you_mean(name, names()));
    }
    out[at - graph.inputs().begin()] = tensor;
  }
  std::vector<SymbolSize> symbols;
  for (size_t i = 0; i < out.size(); ++i) {
    const Value& input = graph.value(graph.inputs()[i]);
    Tensor& tensor = out[i];
    if (!tensor.defined()) refuse(input, ErrorCode::not_found, ", and none was given.");
    const DType wanted = input.type.dtype;
    if (tensor.dtype() != wanted) {
      refuse(input, ErrorCode::invalid_argument,
             ", not " + std::string(to_string(tensor.dtype())) +
                 ". Convert it with to(ferry::" + std::string(to_string(wanted)) + ").");
    }
    tensor = tensor.contiguous();
    check_shape(input, tensor.shape(), symbols);
  }
  return out;
}

}  // namespace ferry
