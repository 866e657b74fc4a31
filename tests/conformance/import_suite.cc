// Imports every model below some folders:
//
//   import_suite [--missing DOMAIN] FOLDER...
//
// Prints each problem with the number of models that have it, and fails when a model cannot be
// imported. With --missing, models that lack nothing but operators of that domain are no failures:
// check has named them.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ferry/error.h"
#include "graph/graph.h"
#include "importer/importer.h"

namespace {

std::vector<std::filesystem::path> models_below(const std::vector<std::string>& folders) {
  std::vector<std::filesystem::path> models;
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() == ".onnx") models.push_back(entry.path());
    }
  }
  std::sort(models.begin(), models.end());
  return models;
}

bool is_missing_operator(const ferry::Problem& problem, const std::string& domain) {
  return !domain.empty() && problem.code == ferry::ProblemCode::unknown_operator &&
         problem.op.starts_with(domain + ".");
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> folders;
  std::string missing;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--missing") == 0 && i + 1 < argc) {
      missing = argv[++i];
    } else {
      folders.emplace_back(argv[i]);
    }
  }
  struct Count {
    int models = 0;
    std::string first;
  };
  std::map<std::string, Count> problems_seen;
  int imported = 0, incomplete = 0, failed = 0;
  for (const std::filesystem::path& path : models_below(folders)) {
    std::vector<ferry::Problem> problems = ferry::check_model(path);
    bool only_missing = true;
    for (const ferry::Problem& problem : problems) {
      only_missing &= is_missing_operator(problem, missing);
      std::string code(to_string(problem.code));
      Count& count = problems_seen[code + " " + problem.op + ": " + problem.message];
      if (count.models++ == 0) count.first = path;
    }
    if (!problems.empty()) {
      ++(only_missing ? incomplete : failed);
      continue;
    }
    try {
      ferry::verify(ferry::import_model(path), "the import");
      ++imported;
    } catch (const ferry::Error& error) {
      std::printf("%s: %s\n", path.c_str(), error.what());
      ++failed;
    }
  }
  for (const auto& [problem, count] : problems_seen) {
    std::printf("%s\n    %d models, first %s\n", problem.c_str(), count.models,
                count.first.c_str());
  }
  std::printf("%d imported", imported);
  if (!missing.empty()) std::printf(", %d lack operators of %s", incomplete, missing.c_str());
  std::printf(", %d failed\n", failed);
  return failed > 0 || imported == 0 ? 1 : 0;
}
