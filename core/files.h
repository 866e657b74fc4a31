#pragma once

#include <string>
#include <string_view>

namespace ferry {

// The whole file; of what is no regular file, such as a pipe, at most 256 MiB, since a device may
// have no end. Throws Error not_found or io, naming the path and the system's reason.
std::string read_file(const std::string& path);

// Writes a temporary file beside `path` and renames it over `path`, so that readers see the old
// file or the whole new one, and a full disk leaves nothing behind. "/dev/stdout" and other
// things that are not regular files are written directly. Throws Error io.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace ferry
