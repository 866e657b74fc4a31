#include "ferry/device.h"

#include <array>
#include <charconv>

#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry {
namespace {

constexpr std::array<std::string_view, 3> kKinds{"cpu", "cuda", "sim"};

[[noreturn]] void refuse(std::string_view text) {
  const std::array<std::string, 3> names{"cpu", "cuda:0", "sim:0"};
  throw Error(ErrorCode::invalid_argument,
              "'" + std::string(text) + "' is not a device: expected cpu, cuda, cuda:N, sim or " +
                  "sim:N." + did_you_mean(text, names));
}

}  // namespace

std::string_view to_string(DeviceKind kind) { return kKinds[static_cast<size_t>(kind)]; }

Device::Device(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  size_t kind = 0;
  while (kind < kKinds.size() && kKinds[kind] != name) ++kind;
  if (kind == kKinds.size()) refuse(text);
  kind_ = static_cast<DeviceKind>(kind);
  if (colon == std::string_view::npos) return;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index_);
  if (error != std::errc() || end != digits.data() + digits.size() || index_ < 0 ||
      (is_cpu() && index_ != 0)) {
    refuse(text);
  }
}

std::string Device::str() const {
  std::string out(to_string(kind_));
  if (!is_cpu()) out += ":" + std::to_string(index_);
  return out;
}

}  // namespace ferry
