#pragma once

#include <mutex>
#include <optional>
#include <utility>

namespace ferry {

// A value that the first who asks makes, while others who ask wait for it. Where making it throws,
// the next who asks tries again. Thread-safe; a value that is made stays where it is.
template <typename T>
class Lazy {
 public:
  Lazy() = default;
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  template <typename Make>
  const T& get(Make&& make) {
    const std::lock_guard lock(mutex_);
    if (!value_) value_.emplace(std::forward<Make>(make)());
    return *value_;
  }
  // The value, where it is made; else nullptr. Waits for whoever is making it.
  const T* peek() const {
    const std::lock_guard lock(mutex_);
    return value_ ? &*value_ : nullptr;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<T> value_;
};

}  // namespace ferry
