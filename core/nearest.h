#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ferry {

// The candidate that `word` is most likely a misspelling of (Damerau-Levenshtein distance at most
// a third of its length, at least 1; case ignored), or "" when none is near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

// " Did you mean 'conv1.weight'?" or "".
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace ferry
