// Imports every model.onnx below the given folders and prints what cannot be imported, grouped by
// the first problem: import_all FOLDER...
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "importer/importer.h"

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> models;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.path().extension() == ".onnx") models.push_back(entry.path());
    }
  }
  int imported = 0;
  std::map<std::string, std::vector<std::string>> failures;
  for (const std::filesystem::path& path : models) {
    std::vector<ferry::Problem> problems = ferry::check_model(path);
    for (const ferry::Problem& problem : problems) {
      std::string text(to_string(problem.code));
      failures[text + " " + problem.op + ": " + problem.message].push_back(path.parent_path());
    }
    if (!problems.empty()) continue;
    ferry::verify(ferry::import_model(path), "the import");
    ++imported;
  }
  for (const auto& [problem, paths] : failures) {
    std::printf("%s\n    %zu models, first %s\n", problem.c_str(), paths.size(), paths[0].c_str());
  }
  std::printf("%d of %zu models imported\n", imported, models.size());
  return 0;
}
