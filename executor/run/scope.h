#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "devices/device.h"
#include "executor/plan/plan.h"
#include "executor/run/ledger.h"
#include "executor/run/trace.h"
#include "ferry/run.h"

namespace ferry {

// The streams of one device that one run uses, and the events between them. Not thread-safe.
class DeviceQueue {
 public:
  explicit DeviceQueue(DeviceBackend& backend);

  DeviceBackend& backend() { return backend_; }
  Stream& compute() { return *compute_; }
  Stream& upload() { return *upload_; }      // host to device
  Stream& download() { return *download_; }  // device to host
  Event& event();  // one that nobody waits for any more; valid until reset()
  void synchronize();
  void reset() { next_event_ = 0; }

 private:
  DeviceBackend& backend_;
  std::unique_ptr<Stream> compute_, upload_, download_;
  std::vector<std::unique_ptr<Event>> events_;
  size_t next_event_ = 0;
};

// What may end a run early (RunOptions).
struct StopSignal {
  StopSignal() = default;
  // `options` outlive it.
  explicit StopSignal(const RunOptions& options)
      : token(options.cancel ? &*options.cancel : nullptr), deadline(options.deadline) {}

  const CancelToken* token = nullptr;
  std::optional<std::chrono::steady_clock::time_point> deadline;

  // Throws Error cancelled or deadline_exceeded.
  void check() const {
    if (token != nullptr || deadline) check_now();
  }

 private:
  void check_now() const;
};

// What a run and the runs of its bodies share.
struct RunScope {
  PlanServices* services = nullptr;
  std::map<Device, DeviceQueue> queues;
  CopyLedger* ledger = nullptr;  // nullptr: not kept
  Trace* trace = nullptr;        // nullptr: not kept
  StopSignal stop;
  std::chrono::steady_clock::time_point start;
  DeviceQueue& queue(Device device);
  // Holds what queued device work may still use, `bytes` large, until that work is done: at the
  // latest when the run ends, and sooner where much is held.
  void keep(std::shared_ptr<const void> what, size_t bytes);
  void synchronize();  // waits for all device work; throws what it reported
  void finish();       // synchronize(), then drops what is held

 private:
  static constexpr size_t kMostBytes = size_t{64} << 20;
  static constexpr size_t kMostHeld = 4096;

  std::vector<std::shared_ptr<const void>> held_;
  size_t held_bytes_ = 0;
};

}  // namespace ferry
