#include "executor/session/device_room.h"

#include <chrono>

namespace ferry {

bool DeviceRoom::has_room(const Bytes& wanted, const Bytes& available) const {
  for (const auto& [device, most] : available) {
    const auto held = held_.find(device);
    const auto more = wanted.find(device);
    if (held == held_.end() || held->second == 0 || more == wanted.end()) continue;
    if (held->second > most || more->second > most - held->second) return false;
  }
  return true;
}

void DeviceRoom::give_back(const Bytes& bytes) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [device, count] : bytes) held_[device] -= count;
  }
  freed_.notify_all();
}

std::shared_ptr<const void> DeviceRoom::take(const Bytes& wanted, const Bytes& available,
                                             FunctionRef<bool()> drop_idle,
                                             const StopSignal& stop) {
  // How long a run that may be cancelled sleeps before it looks.
  constexpr std::chrono::milliseconds kNap(10);
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (has_room(wanted, available)) {
        for (const auto& [device, bytes] : wanted) held_[device] += bytes;
        break;
      }
    }
    if (drop_idle()) continue;
    stop.check();
    std::unique_lock lock(mutex_);
    if (!has_room(wanted, available)) freed_.wait_for(lock, kNap);
  }
  return {this, [room = shared_from_this(), wanted](const void*) { room->give_back(wanted); }};
}

}  // namespace ferry
