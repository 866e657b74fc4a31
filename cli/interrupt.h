#pragma once

// What Ctrl-C does: the process ends with 128 + the signal's number (130), at once, but for a file
// that is being written, which is finished first. So no temporary file stays behind.
namespace ferry::cli {

// Handles SIGINT and SIGTERM so; a closed pipe shows as a failed write.
void handle_signals();

// While one lives, a file is being written. Not nested.
class WritingFile {
 public:
  WritingFile();
  ~WritingFile();
  WritingFile(const WritingFile&) = delete;
  WritingFile& operator=(const WritingFile&) = delete;
};

}  // namespace ferry::cli
