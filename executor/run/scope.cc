#include "executor/run/scope.h"

#include <utility>

#include "ferry/error.h"

namespace ferry {

void StopSignal::check_now() const {
  if (token != nullptr && token->cancelled()) {
    throw Error(ErrorCode::cancelled, "the run was cancelled before it was done.");
  }
  if (deadline && std::chrono::steady_clock::now() >= *deadline) {
    throw Error(ErrorCode::deadline_exceeded, "the run was not done by its deadline.");
  }
}

DeviceQueue::DeviceQueue(DeviceBackend& backend)
    : backend_(backend),
      compute_(backend.create_stream()),
      upload_(backend.create_stream()),
      download_(backend.create_stream()) {}

Event& DeviceQueue::event() {
  if (next_event_ == events_.size()) events_.push_back(backend_.create_event());
  return *events_[next_event_++];
}

void DeviceQueue::synchronize() {
  upload_->synchronize();
  compute_->synchronize();
  download_->synchronize();
}

DeviceQueue& RunScope::queue(Device device) {
  const auto at = queues.find(device);
  if (at != queues.end()) return at->second;
  return queues.emplace(device, backend(device)).first->second;
}

void RunScope::synchronize() {
  for (auto& [device, queue] : queues) queue.synchronize();
}

void RunScope::finish() {
  synchronize();
  for (auto& [device, queue] : queues) queue.reset();
  held_.clear();
  held_bytes_ = 0;
}

void RunScope::keep(std::shared_ptr<const void> what, size_t bytes) {
  if (queues.empty()) return;
  held_.push_back(std::move(what));
  held_bytes_ += bytes;
  if (held_bytes_ > kMostBytes || held_.size() > kMostHeld) finish();
}

}  // namespace ferry
