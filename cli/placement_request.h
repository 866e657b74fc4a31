#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "ferry/model.h"

namespace ferry::cli {

// How verbs are asked where nodes go; one grammar for all of them.
struct PlacementArgs {
  std::string device = "cpu", policy = "fastest", fallback, map, profiles;
  std::vector<std::string> pins, lists, limits, assumed;
  int min_island = 1;
  bool force = false;
};

// -d, --policy, --fallback, --pin, --assign, --map, --min-island, --memory-limit, --profiles.
void add_placement_options(Options& options, PlacementArgs& args);
// --assume, for verbs that run nothing.
void add_assume_option(Options& options, PlacementArgs& args);

// Throws Error invalid_argument for what is malformed or names what is not there.
PlacementRequest placement_request(const PlacementArgs& args, const Model& model);

}  // namespace ferry::cli
