#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ferry {

using Bytes = std::span<const uint8_t>;

// The bytes of a regular file, mapped read-only. The mapping lives as long as any copy of `owner`,
// so tensors that view it keep it.
//
// A mapping shows the file as it is: who shortens or rewrites a model while it is in use gets a
// broken run (and SIGBUS for pages that are gone), as with every loader that maps its files.
// Replace model files by renaming new ones into place.
struct MappedFile {
  Bytes bytes;
  std::shared_ptr<const void> owner;
};

// Says that the bytes of a mapping are not needed for now, so that they stop counting as memory of
// this process. They are read again from the file when they are touched.
void release_pages(Bytes mapped);

// Throws Error not_found when there is no such file, and io when it cannot be read or is not a
// regular file (a folder, a pipe, a device).
MappedFile map_file(const std::string& path);

// Maps the file that an open descriptor refers to and closes the descriptor. `path` is for
// messages.
MappedFile map_descriptor(int descriptor, const std::string& path);

}  // namespace ferry
