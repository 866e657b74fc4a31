#include "core/nearest.h"
#include "core/npy.h"
#include "core/safetensors.h"
#include "ferry/error.h"
#include "ferry/model.h"

namespace ferry {
namespace {

enum class Format { npz, safetensors };

Format format_of(const std::string& path) {
  if (path.ends_with(".npz")) return Format::npz;
  if (path.ends_with(".safetensors")) return Format::safetensors;
  throw Error(ErrorCode::invalid_argument,
              "'" + path + "' holds no named tensors: the name must end in .npz or .safetensors.");
}

}  // namespace

const Tensor* NamedValues::find(std::string_view name) const {
  for (const auto& [key, tensor] : items_) {
    if (key == name) return &tensor;
  }
  return nullptr;
}

const Tensor& NamedValues::operator[](std::string_view name) const {
  if (const Tensor* tensor = find(name)) return *tensor;
  throw Error(ErrorCode::not_found, "there is no tensor named '" + std::string(name) + "'." +
                                        did_you_mean(name, names()));
}

std::vector<std::string> NamedValues::names() const {
  std::vector<std::string> out;
  for (const auto& [key, tensor] : items_) out.push_back(key);
  return out;
}

const Tensor& NamedValues::operator[](size_t index) const {
  if (index < items_.size()) return items_[index].second;
  throw Error(ErrorCode::not_found, "there is no tensor number " + std::to_string(index) +
                                        "; there are " + std::to_string(items_.size()) + ".");
}

void NamedValues::add(std::string name, Tensor tensor) {
  items_.emplace_back(std::move(name), std::move(tensor));
}

NamedValues NamedValues::load(const std::string& path) {
  return NamedValues(format_of(path) == Format::npz ? load_npz(path) : load_safetensors(path));
}

void NamedValues::save(const std::string& path) const {
  format_of(path) == Format::npz ? save_npz(path, items_) : save_safetensors(path, items_);
}

}  // namespace ferry
