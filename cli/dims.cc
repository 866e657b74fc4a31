#include "cli/dims.h"

#include <algorithm>
#include <cctype>

#include "cli/text.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

// "batch=8,seq=128" as its items.
std::vector<std::string> items_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    out.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

std::optional<int64_t> size_of(std::string_view text) {
  const auto size = number<int64_t>(text);
  return size && *size >= 0 ? size : std::nullopt;
}

}  // namespace

std::map<std::string, int64_t> parse_dims(const std::vector<std::string>& texts) {
  std::map<std::string, int64_t> dims;
  for (const std::string& text : texts) {
    for (const std::string& item : items_of(text)) {
      const size_t equals = item.find('=');
      const auto size = equals == std::string::npos || equals == 0
                            ? std::nullopt
                            : size_of(std::string_view(item).substr(equals + 1));
      if (!size) {
        throw Error(ErrorCode::invalid_argument,
                    "'" + item + "' is not a size: expected NAME=NUMBER, as in batch=8.");
      }
      dims[item.substr(0, equals)] = *size;
    }
  }
  return dims;
}

std::optional<PlacementRequest::SizeRange> take_size_range(std::vector<std::string>& texts) {
  std::optional<PlacementRequest::SizeRange> range;
  std::vector<std::string> rest;
  for (const std::string& text : texts) {
    for (const std::string& item : items_of(text)) {
      const size_t dots = item.find("..");
      if (dots == std::string::npos) {
        rest.push_back(item);
        continue;
      }
      const size_t equals = item.find('=');
      const auto first =
          equals == std::string::npos || equals == 0 || equals > dots
              ? std::nullopt
              : size_of(std::string_view(item).substr(equals + 1, dots - equals - 1));
      const auto last = size_of(std::string_view(item).substr(dots + 2));
      if (!first || !last || *last < *first || range) {
        throw Error(ErrorCode::invalid_argument,
                    "'" + item + "' is not a range of sizes: expected NAME=FIRST..LAST, as in " +
                        "batch=1..32, of one size.");
      }
      range = {item.substr(0, equals), *first, *last};
    }
  }
  texts = std::move(rest);
  return range;
}

void require_known_dims(const std::map<std::string, int64_t>& dims, const Model& model) {
  std::vector<std::string> known;
  for (const TensorInfo& input : model.inputs()) {
    for (const std::string& dim : input.dims) {
      if (dim.empty() || std::isdigit(static_cast<unsigned char>(dim[0])) || dim == "?") continue;
      if (std::ranges::find(known, dim) == known.end()) known.push_back(dim);
    }
  }
  for (const auto& [name, size] : dims) {
    if (std::ranges::find(known, name) != known.end()) continue;
    std::string list;
    for (const std::string& symbol : known) list += (list.empty() ? "" : ", ") + symbol;
    throw Error(ErrorCode::invalid_argument, "no input of the model has a size named '" + name +
                                                 "'; it has " + (list.empty() ? "none" : list) +
                                                 "." + suggestion(name, known));
  }
}

}  // namespace ferry::cli
