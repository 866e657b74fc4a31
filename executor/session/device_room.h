#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "core/function_ref.h"
#include "executor/run/scope.h"

namespace ferry {

// Bytes of run states on devices with a memory limit: concurrent runs and idle states together
// stay within it. Thread-safe; handles keep it alive.
class DeviceRoom : public std::enable_shared_from_this<DeviceRoom> {
 public:
  using Bytes = std::map<Device, size_t>;

  // Room for `wanted` where `available` (devices with a limit alone) has it; given back when the
  // handle goes. While there is none, `drop_idle` is called for as long as it returns true (it
  // dropped a handle), and then other runs are waited for. What has no room beside nothing is let
  // in: the placement is to blame for that. Throws what `stop` throws.
  std::shared_ptr<const void> take(const Bytes& wanted, const Bytes& available,
                                   FunctionRef<bool()> drop_idle, const StopSignal& stop);

 private:
  bool has_room(const Bytes& wanted, const Bytes& available) const;
  void give_back(const Bytes& bytes);

  std::mutex mutex_;
  std::condition_variable freed_;
  Bytes held_;
};

}  // namespace ferry
