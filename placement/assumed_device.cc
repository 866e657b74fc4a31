#include <fmt/format.h>

#include <optional>

#include "core/human.h"
#include "ferry/error.h"
#include "ferry/placement.h"
#include "placement/profiles.h"

namespace ferry {
namespace {

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(
      ErrorCode::invalid_argument,
      fmt::format("'{}' names no GPU to assume: {} Expected a profile, and after commas its "
                  "memory and its link where they differ, as in 'sm_90,80GiB' or "
                  "'RTX 4090,PCIe 3'.",
                  text, why));
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

AssumedDevice AssumedDevice::parse(std::string_view text, const std::string& profiles) {
  const Profiles known = Profiles::load(profiles);
  AssumedDevice out;
  std::string_view rest = text;
  for (bool first = true, more = true; more; first = false) {
    const size_t comma = rest.find(',');
    more = comma != rest.npos;
    const std::string_view part = trimmed(rest.substr(0, comma));
    rest.remove_prefix(more ? comma + 1 : rest.size());
    if (part.empty()) refuse(text, "a part of it is empty.");
    try {
      if (first) {
        out.profile = part;
        (void)known.named(part);
      } else if (part.front() >= '0' && part.front() <= '9') {
        const std::optional<int64_t> bytes = bytes_from_text(part);
        if (!bytes || *bytes == 0) {
          refuse(text, fmt::format("'{}' is no number of bytes, as 80GiB.", part));
        }
        if (out.memory_bytes != 0) refuse(text, "its memory stands twice.");
        out.memory_bytes = *bytes;
      } else {
        if (!out.link.empty()) refuse(text, "its link stands twice.");
        out.link = known.link_named(part).name;
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      refuse(text, error.message());
    }
  }
  return out;
}

}  // namespace ferry
