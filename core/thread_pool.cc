#include "core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "ferry/error.h"

namespace ferry {
namespace {

using Clock = std::chrono::steady_clock;

// How long an idle worker spins before it sleeps: longer than the gap between the loops of one
// model, short enough that an idle process costs nothing.
constexpr auto kSpin = std::chrono::microseconds(100);

constexpr int kMostThreads = 4096;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int cores_of_process() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

thread_local bool inside_loop = false;

}  // namespace

struct ThreadPool::State {
  ~State() {
    stop = true;
    generation.fetch_add(1, std::memory_order_release);
    generation.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  std::vector<std::thread> workers;
  std::mutex loop_mutex;  // held by the caller whose loop uses the workers

  // One loop. Workers see a new one when `generation` changes; `active` counts those inside.
  std::atomic<uint32_t> generation{0};
  std::atomic<int> active{0};
  std::atomic<bool> open{false};
  std::atomic<bool> stop{false};
  std::atomic<int64_t> next{0};
  int64_t count = 0, grain = 1;
  FunctionRef<void(int64_t, int64_t)>* body = nullptr;
  std::mutex error_mutex;
  std::exception_ptr error;

  void claim_tiles() {
    inside_loop = true;
    try {
      for (;;) {
        const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= count) break;
        (*body)(begin, std::min(count, begin + grain));
      }
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
      next.store(count, std::memory_order_relaxed);
    }
    inside_loop = false;
  }

  void work() {
    uint32_t seen = 0;
    for (;;) {
      const auto until = Clock::now() + kSpin;
      while (generation.load(std::memory_order_acquire) == seen) {
        for (int i = 0; i < 64 && generation.load(std::memory_order_acquire) == seen; ++i) pause();
        if (Clock::now() >= until) {
          generation.wait(seen, std::memory_order_acquire);
        }
      }
      seen = generation.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_acquire)) return;
      active.fetch_add(1, std::memory_order_seq_cst);
      if (open.load(std::memory_order_seq_cst)) claim_tiles();
      active.fetch_sub(1, std::memory_order_release);
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads > kMostThreads) {
    throw Error(ErrorCode::invalid_argument,
                std::to_string(threads) + " threads are asked for: expected at most " +
                    std::to_string(kMostThreads) + ", or 0 for one per core.");
  }
  const int size = threads > 0 ? threads : cores_of_process();
  State* const state = state_.get();
  state->workers.reserve(static_cast<size_t>(size));
  try {
    while (this->size() < size) state->workers.emplace_back([state] { state->work(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::out_of_memory, "the system started " + std::to_string(this->size() - 1) +
                                              " threads and no more (" + error.code().message() +
                                              "); ask for at most " + std::to_string(this->size()) +
                                              " threads, or raise the limit on processes.");
  }
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::size() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::parallel_for(int64_t count, int64_t grain,
                              FunctionRef<void(int64_t, int64_t)> body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(1, grain);
  State& s = *state_;
  std::unique_lock lock(s.loop_mutex, std::defer_lock);
  if (count <= grain || s.workers.empty() || inside_loop || !lock.try_lock()) {
    for (int64_t begin = 0; begin < count; begin += grain) {
      body(begin, std::min(count, begin + grain));
    }
    return;
  }
  s.count = count;
  s.grain = grain;
  s.body = &body;
  s.error = nullptr;
  s.next.store(0, std::memory_order_relaxed);
  s.open.store(true, std::memory_order_seq_cst);
  s.generation.fetch_add(1, std::memory_order_release);
  s.generation.notify_all();
  s.claim_tiles();
  // A worker that arrives from here on finds the loop closed; one inside is waited for, so `body`
  // and the caller's data outlive every tile.
  s.open.store(false, std::memory_order_seq_cst);
  while (s.active.load(std::memory_order_seq_cst) != 0) pause();
  if (s.error) std::rethrow_exception(std::exchange(s.error, nullptr));
}

}  // namespace ferry
