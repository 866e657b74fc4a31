#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ferry {

// The whole file. Throws Error not_found or io, naming the path and the system's reason.
std::string read_file(const std::string& path);

// A regular file that is read in parts. Throws Error not_found or io.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }
  // `bytes` bytes from `offset` on; Error io where the file has become shorter.
  void read(uint64_t offset, void* to, size_t bytes) const;

 private:
  std::string path_;
  int fd_;
  uint64_t size_ = 0;
};

// Writes a temporary file beside `path` and renames it over `path`, so that readers see the old
// file or the whole new one, and a full disk leaves nothing behind. "/dev/stdout" and other
// things that are not regular files are written directly. Throws Error io.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace ferry
