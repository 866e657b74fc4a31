#pragma once

#include "core/thread_pool.h"

namespace ferry::cuda {

// The threads on which emulated libraries compute: the cores of the emulated GPU.
inline ThreadPool& emulated_pool() {
  static ThreadPool& pool = *new ThreadPool;  // outlives the threads of the streams
  return pool;
}

}  // namespace ferry::cuda
