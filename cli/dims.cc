#include "cli/dims.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "cli/text.h"
#include "ferry/error.h"

namespace ferry::cli {

std::map<std::string, int64_t> parse_dims(const std::vector<std::string>& texts) {
  std::map<std::string, int64_t> dims;
  for (const std::string& text : texts) {
    for (size_t start = 0; start <= text.size();) {
      const size_t end = std::min(text.find(',', start), text.size());
      const std::string item = text.substr(start, end - start);
      const size_t equals = item.find('=');
      int64_t size = 0;
      const char* const last = item.data() + item.size();
      const bool ok = equals != std::string::npos && equals > 0 &&
                      std::from_chars(item.data() + equals + 1, last, size).ptr == last &&
                      size >= 0 && equals + 1 < item.size();
      if (!ok) {
        throw Error(ErrorCode::invalid_argument,
                    "'" + item + "' is not a size: expected NAME=NUMBER, as in batch=8.");
      }
      dims[item.substr(0, equals)] = size;
      start = end + 1;
    }
  }
  return dims;
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
