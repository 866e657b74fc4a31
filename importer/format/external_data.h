#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/file_map.h"

namespace ferry {

// The files beside a model that hold elements of its tensors. Each is opened once, mapped, and kept
// by the tensors that view it.
//
// A location is a relative path below the folder, without "..". Every part of it is opened without
// following links, and the file must be a regular one with a single name, so that a model cannot
// read what was not shipped with it. With a link root, links are followed where they end below that
// folder.
class ExternalData {
 public:
  // An empty folder: no external data is allowed.
  ExternalData(std::string folder, std::string link_root)
      : folder_(std::move(folder)), link_root_(std::move(link_root)) {}

  // `length` bytes from `offset` on; throws ProblemError (external_data) when the file is not
  // allowed, is not there or is shorter.
  MappedFile view(const std::string& location, uint64_t offset, uint64_t length);

 private:
  const MappedFile& file(const std::string& location);

  std::string folder_, link_root_;
  std::map<std::string, MappedFile> files_;
};

}  // namespace ferry
