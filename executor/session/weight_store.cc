#include "executor/session/weight_store.h"

#include "core/human.h"
#include "core/log.h"
#include "core/storage.h"

namespace ferry {

namespace {

// What `made`, a map of WeightStore, has for the key; an entry of its own where it is new.
template <typename Map>
auto entry_of(std::mutex& mutex, Map& made, typename Map::key_type key, const Tensor& weight) {
  const std::lock_guard lock(mutex);
  auto& entry = made[std::move(key)];
  entry.source = weight;
  return entry.value;
}

}  // namespace

Tensor WeightStore::on(const Tensor& weight, Device device) {
  if (device.is_cpu()) return weight;
  const auto entry = entry_of(mutex_, uploads_, {weight.storage().get(), device}, weight);
  const Tensor& there = entry->get([&] {
    Tensor uploaded = weight.to(device);
    weight.storage()->release_pages();
    if (log_wants(LogLevel::debug)) {
      log(LogLevel::debug, "uploaded a weight of " +
                               human_bytes(static_cast<int64_t>(weight.nbytes())) + " to " +
                               device.str());
    }
    return uploaded;
  });
  return there.shape() == weight.shape() ? there : there.reshape(weight.shape());
}

std::shared_ptr<const void> WeightStore::packed(const Tensor& weight, std::string_view layout,
                                                FunctionRef<std::shared_ptr<const void>()> make) {
  const std::string key = std::string(layout) + to_string(std::span(weight.shape()));
  const auto entry = entry_of(mutex_, packed_, {weight.storage().get(), key}, weight);
  return entry->get([&] {
    auto data = make();
    weight.storage()->release_pages();
    return data;
  });
}

void WeightStore::keep_only(const WeightHomes& homes) {
  const std::lock_guard lock(mutex_);
  std::erase_if(uploads_, [&](const auto& entry) { return !homes.contains(entry.first); });
  std::erase_if(packed_, [&](const auto& entry) {
    return !homes.contains({entry.first.first, Device::cpu()});
  });
}

int64_t WeightStore::uploaded_bytes(Device device) const {
  const std::lock_guard lock(mutex_);
  int64_t bytes = 0;
  for (const auto& [key, upload] : uploads_) {
    if (key.second != device) continue;
    const Tensor* there = upload.value->peek();
    if (there != nullptr) bytes += static_cast<int64_t>(there->nbytes());
  }
  return bytes;
}

}  // namespace ferry
