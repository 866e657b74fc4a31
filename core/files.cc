#include "core/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "ferry/error.h"

namespace ferry {
namespace {

[[noreturn]] void fail(const char* verb, const std::string& path, int error) {
  throw Error(error == ENOENT ? ErrorCode::not_found : ErrorCode::io,
              std::string("cannot ") + verb + " '" + path + "': " + std::strerror(error) + ".");
}

constexpr size_t kMostOfStream = size_t{256} << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

// A new file beside `path`, and its name. What has such a name already, be it a link that someone
// else left there, is neither followed nor changed.
int create_beside(const std::string& path, std::string& name) {
  static std::atomic<uint32_t> next{0};
  constexpr int kTries = 100;
  int file = -1;
  for (int i = 0; i < kTries && file < 0 && (i == 0 || errno == EEXIST); ++i) {
    name = path + ".tmp" + std::to_string(getpid()) + "." + std::to_string(next++);
    file = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  }
  return file;
}

}  // namespace

std::string read_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("open", path, errno);
  struct stat info;
  if (fstat(file.get(), &info) != 0) fail("read", path, errno);
  if (S_ISDIR(info.st_mode)) fail("read", path, EISDIR);
  std::string out;
  if (S_ISREG(info.st_mode)) out.reserve(static_cast<size_t>(info.st_size));
  char block[1 << 16];
  for (;;) {
    const ssize_t n = read(file.get(), block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", path, errno);
    if (n == 0) return out;
    out.append(block, static_cast<size_t>(n));
    if (!S_ISREG(info.st_mode) && out.size() > kMostOfStream) {
      throw Error(ErrorCode::io, "cannot read '" + path +
                                     "': it is no regular file, and has not ended after 256 MiB.");
    }
  }
}

void write_file(const std::string& path, std::string_view bytes) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    const Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0) fail("write", path, errno);
    if (const int error = write_all(file.get(), bytes); error != 0) fail("write", path, error);
    return;
  }
  std::string temporary;
  int error = 0;
  {
    const Descriptor file(create_beside(path, temporary));
    if (file.get() < 0) fail("write", path, errno);
    error = write_all(file.get(), bytes);
  }
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    fail("write", path, error);
  }
}

}  // namespace ferry
