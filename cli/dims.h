#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ferry/model.h"

namespace ferry::cli {

// "batch=8,seq=128", possibly several times. Throws Error invalid_argument for what is no size.
std::map<std::string, int64_t> parse_dims(const std::vector<std::string>& texts);

// Where one of the sizes may be a range, "batch=1..32": takes it out of `texts` and returns it.
// Throws Error invalid_argument for a second one.
std::optional<PlacementRequest::SizeRange> take_size_range(std::vector<std::string>& texts);

// Throws Error invalid_argument, with the nearest name, when one of `dims` is no symbol of the
// model's inputs.
void require_known_dims(const std::map<std::string, int64_t>& dims, const Model& model);

}  // namespace ferry::cli
