#include "core/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "ferry/error.h"

namespace ferry {
namespace {

TEST(ThreadPool, CoversEveryIndexOnce) {
  ThreadPool pool(4);
  for (const int64_t count : {0, 1, 7, 64, 1000}) {
    for (const int64_t grain : {1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      pool.parallel_for(count, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
      });
      for (const auto& n : seen) ASSERT_EQ(n, 1) << count << " by " << grain;
    }
  }
}

TEST(ThreadPool, SplitsTheSameWayHoweverManyThreads) {
  const auto tiles = [](int threads) {
    ThreadPool pool(threads);
    std::mutex mutex;
    std::set<std::pair<int64_t, int64_t>> out;
    pool.parallel_for(100, 7, [&](int64_t begin, int64_t end) {
      const std::lock_guard lock(mutex);
      out.emplace(begin, end);
    });
    return out;
  };
  EXPECT_EQ(tiles(1), tiles(3));
}

TEST(ThreadPool, TooManyThreadsAreRefused) {
  try {
    ThreadPool pool(100000);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  }
}

// In a process of its own, whose address space has room for a few stacks only.
TEST(ThreadPool, AThreadThatCannotStartIsAnError) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr bool kBounded = false;  // sanitizers need the address space
#else
  constexpr bool kBounded = true;
#endif
  const auto too_many = [] {
    if (kBounded) {
      rlimit space{size_t{1} << 30, size_t{1} << 30};
      setrlimit(RLIMIT_AS, &space);
    } else {
      rlimit processes{1, 1};
      setrlimit(RLIMIT_NPROC, &processes);
      if (getuid() == 0 && setuid(65534) != 0) _exit(2);
    }
    try {
      ThreadPool pool(4096);
    } catch (const Error& error) {
      std::fprintf(stderr, "%s", error.what());
      _exit(error.code() == ErrorCode::out_of_memory ? 0 : 1);
    }
    _exit(1);
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(too_many(), testing::ExitedWithCode(0), "threads and no more");
}

TEST(ThreadPool, ManyShortLoopsAndSleepsBetween) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  for (int i = 0; i < 2000; ++i) {
    pool.parallel_for(8, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    if (i % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(sum, 16000);
}

TEST(ThreadPool, RethrowsAndStaysUsable) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.parallel_for(100, 1,
                                 [](int64_t begin, int64_t) {
                                   if (begin == 50) throw std::runtime_error("tile");
                                 }),
               std::runtime_error);
  std::atomic<int> n{0};
  pool.parallel_for(10, 1, [&](int64_t, int64_t) { ++n; });
  EXPECT_EQ(n, 10);
}

TEST(ThreadPool, NestedAndConcurrentCallersFinish) {
  ThreadPool pool(2);
  std::atomic<int> n{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      pool.parallel_for(10, 1, [&](int64_t, int64_t) {
        pool.parallel_for(10, 1, [&](int64_t, int64_t) { ++n; });
      });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(n, 400);
}

}  // namespace
}  // namespace ferry
