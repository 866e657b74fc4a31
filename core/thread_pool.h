#pragma once

#include <cstdint>
#include <memory>

#include "core/function_ref.h"

namespace ferry {

// A fixed set of threads that share the tiles of one loop. The calling thread is thread 0 and works
// too. Idle threads spin for a bounded time, then sleep.
//
// Thread safety: parallel_for may be called from several threads; one loop at a time uses the
// workers, the others run on their caller alone.
class ThreadPool {
 public:
  // `threads`, at most 4096, counts the caller; 0: one per core. Error where none more can start.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;

  // Calls body(begin, end) so that [0, count) is covered once, in tiles of at most `grain`, claimed
  // dynamically. Returns when all are done. The first exception thrown by a tile is rethrown here.
  // A nested call runs on its caller. The split never depends on timing, only who runs a tile.
  void parallel_for(int64_t count, int64_t grain, FunctionRef<void(int64_t, int64_t)> body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ferry
