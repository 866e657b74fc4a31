// Tensor::load and Tensor::save: which file format a path means.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "core/file_map.h"
#include "core/files.h"
#include "core/npy.h"
#include "core/safetensors.h"
#include "ferry/error.h"
#include "ferry/tensor.h"
#include "importer/format/tensor_proto.h"

namespace ferry {
namespace {

// "weights.npz:KEY": an ending and what names one tensor of a file.
struct Member {
  std::string path, key;
};
std::optional<Member> member_of(const std::string& path, std::string_view ending) {
  const size_t at = path.rfind(std::string(ending) + ":");
  if (at == std::string::npos) return std::nullopt;
  return Member{path.substr(0, at + ending.size()), path.substr(at + ending.size() + 1)};
}

[[noreturn]] void unknown_format(const std::string& path, std::string_view known) {
  throw Error(ErrorCode::invalid_argument,
              fmt::format("'{}' has no known tensor format: the name must end in {}", path, known));
}

std::string stem_of(const std::string& path) {
  size_t start = path.find_last_of('/') + 1;
  return path.substr(start, path.find_last_of('.') - start);
}

}  // namespace

Tensor Tensor::load(const std::string& path) {
  if (const auto member = member_of(path, ".npz")) {
    return load_npz_member(member->path, member->key);
  }
  if (const auto member = member_of(path, ".safetensors")) {
    return load_safetensors_member(member->path, member->key);
  }
  if (path.ends_with(".npy")) return read_npy(read_file(path), path);
  if (path.ends_with(".pb")) {
    MappedFile file = map_file(path);
    try {
      return tensor_from_pb(file.bytes, file.owner);
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("'{}' cannot be read: {}", path, error.message()));
    }
  }
  unknown_format(path, ".npy, .pb, or .npz:NAME or .safetensors:NAME for one of several tensors");
}

void Tensor::save(const std::string& path) const {
  if (path.ends_with(".npy")) return write_file(path, write_npy(*this));
  if (path.ends_with(".pb")) return write_file(path, tensor_to_pb(*this, stem_of(path)));
  if (const auto member = member_of(path, ".npz")) {
    return save_npz(member->path, {{member->key, *this}});
  }
  if (const auto member = member_of(path, ".safetensors")) {
    return save_safetensors(member->path, {{member->key, *this}});
  }
  unknown_format(path, ".npy, .pb, .npz:NAME or .safetensors:NAME");
}

}  // namespace ferry
