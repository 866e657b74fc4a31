#include "importer/format/external_data.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "ferry/error.h"
#include "importer/problems.h"
#include "importer/text.h"

namespace ferry {
namespace {

[[noreturn]] void refuse(const std::string& location, const std::string& why) {
  fail(ProblemCode::external_data,
       fmt::format("external data {} is refused: {}", quoted(location), why));
}

std::vector<std::string> parts_of(const std::string& location) {
  if (location.empty()) refuse(location, "the location is empty");
  if (location.find('\0') != std::string::npos) refuse(location, "the location holds a zero byte");
  if (location.front() == '/') refuse(location, "the location must be relative to the model");
  if (location.size() > PATH_MAX) refuse(location, "the location is too long");
  std::vector<std::string> parts;
  std::string_view rest = location;
  while (!rest.empty()) {
    size_t end = std::min(rest.find('/'), rest.size());
    std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part == "..") refuse(location, "'..' leads out of the model's folder");
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  if (parts.empty()) refuse(location, "the location is a folder");
  return parts;
}

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void reset(int value) {
    if (value_ >= 0) close(value_);
    value_ = value;
  }
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

[[noreturn]] void refuse_open(const std::string& location, int error) {
  if (error == ELOOP) {
    refuse(location, "it is a symbolic link, or lies behind one; give a link root to follow links");
  }
  if (error == ENOENT || error == ENOTDIR) refuse(location, "there is no such file");
  fail(ProblemCode::io, fmt::format("external data {} cannot be opened: {}", quoted(location),
                                    std::strerror(error)));
}

// Opens each part below the one before it, so that no link is followed at any time, not even one
// that is put there between a check and an open.
int open_without_links(const std::string& folder, const std::string& location) {
  std::vector<std::string> parts = parts_of(location);
  Descriptor at(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (at.get() < 0) refuse_open(location, errno);
  for (size_t i = 0; i < parts.size(); ++i) {
    bool last = i + 1 == parts.size();
    int flags = last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY;
    int next = openat(at.get(), parts[i].c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) {
      // A link to a folder, opened with O_DIRECTORY | O_NOFOLLOW, is reported as "not a folder".
      struct stat info;
      bool link = fstatat(at.get(), parts[i].c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                  S_ISLNK(info.st_mode);
      refuse_open(location, link ? ELOOP : errno);
    }
    at.reset(next);
  }
  struct stat info;
  if (fstat(at.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink > 1) {
    refuse(location, "the file has further names (hard links); give a link root to allow that");
  }
  return at.release();
}

std::string resolve(const std::string& path) {
  char* resolved = realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return {};
  std::string out(resolved);
  std::free(resolved);
  return out;
}

int open_below_root(const std::string& folder, const std::string& location,
                    const std::string& root) {
  parts_of(location);  // refuses what no option allows
  std::string target = resolve(folder + "/" + location);
  if (target.empty()) refuse_open(location, errno);
  std::string below = resolve(root) + "/";
  if (below.size() == 1 || !target.starts_with(below)) {
    refuse(location,
           fmt::format("it leads to '{}', which is not below the link root '{}'", target, root));
  }
  int descriptor = open(target.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) refuse_open(location, errno);
  return descriptor;
}

}  // namespace

const MappedFile& ExternalData::file(const std::string& location) {
  auto known = files_.find(location);
  if (known != files_.end()) return known->second;
  if (folder_.empty()) {
    refuse(location, "the model comes from memory; say in which folder its data files are");
  }
  int descriptor = link_root_.empty() ? open_without_links(folder_, location)
                                      : open_below_root(folder_, location, link_root_);
  try {
    return files_.emplace(location, map_descriptor(descriptor, location)).first->second;
  } catch (const Error& error) {
    refuse(location, error.message());
  }
}

MappedFile ExternalData::view(const std::string& location, uint64_t offset, uint64_t length) {
  const MappedFile& mapped = file(location);
  if (offset > mapped.bytes.size() || length > mapped.bytes.size() - offset) {
    refuse(location, fmt::format("{} bytes from offset {} on are wanted and the file has {}",
                                 length, offset, mapped.bytes.size()));
  }
  return {mapped.bytes.subspan(offset, length), mapped.owner};
}

}  // namespace ferry
