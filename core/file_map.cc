#include "core/file_map.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ferry/error.h"

namespace ferry {

MappedFile map_file(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not hang.
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    bool missing = errno == ENOENT || errno == ENOTDIR;
    throw Error(missing ? ErrorCode::not_found : ErrorCode::io,
                fmt::format("'{}' cannot be opened: {}", path, std::strerror(errno)));
  }
  return map_descriptor(descriptor, path);
}

MappedFile map_descriptor(int descriptor, const std::string& path) {
  struct Closer {
    int descriptor;
    ~Closer() { close(descriptor); }
  } closer{descriptor};
  struct stat info;
  if (fstat(descriptor, &info) != 0) {
    throw Error(ErrorCode::io, fmt::format("'{}' cannot be read: {}", path, std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) {
    throw Error(ErrorCode::io,
                fmt::format("'{}' is {}, a file is needed", path,
                            S_ISDIR(info.st_mode) ? "a folder" : "not a regular file"));
  }
  size_t size = static_cast<size_t>(info.st_size);
  if (size == 0) return {};
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED) {
    throw Error(ErrorCode::io, fmt::format("'{}' ({} bytes) cannot be mapped: {}", path, size,
                                           std::strerror(errno)));
  }
  std::shared_ptr<const void> owner(data, [size](void* address) { munmap(address, size); });
  return {Bytes(static_cast<const uint8_t*>(data), size), std::move(owner)};
}

void release_pages(Bytes mapped) {
  // Whole pages within: those at the ends may hold what others are reading.
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t first = (page - reinterpret_cast<uintptr_t>(mapped.data()) % page) % page;
  if (mapped.size() < first + page) return;
  // Advice: where it fails nothing is lost but memory.
  madvise(const_cast<uint8_t*>(mapped.data()) + first, (mapped.size() - first) / page * page,
          MADV_DONTNEED);
}

}  // namespace ferry
