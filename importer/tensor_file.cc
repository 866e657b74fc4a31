// Tensor::load and Tensor::save: which file format a path means.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "core/files.h"
#include "core/npy.h"
#include "ferry/error.h"
#include "ferry/tensor.h"
#include "importer/file_map.h"
#include "importer/tensor_proto.h"

namespace ferry {
namespace {

constexpr std::string_view kArchive = ".npz:";

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
  size_t key = path.rfind(kArchive);
  if (key != std::string::npos) {
    return load_npz_member(path.substr(0, key + kArchive.size() - 1),
                           path.substr(key + kArchive.size()));
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
  unknown_format(path, ".npy, .pb, or .npz:NAME for one array of an archive");
}

void Tensor::save(const std::string& path) const {
  if (path.ends_with(".npy")) return write_file(path, write_npy(*this));
  if (path.ends_with(".pb")) return write_file(path, tensor_to_pb(*this, stem_of(path)));
  unknown_format(path, ".npy or .pb");
}

}  // namespace ferry
