#pragma once

// What ThreadSanitizer is told about the emulated runtime. The runtime's own locks order nearly
// everything, so with them a missing stream dependency would never look like a race. Therefore this
// folder is built without instrumentation, its locks are hidden (IgnoreSync), and the order that
// CUDA promises is stated explicitly: launch -> work, work -> event, event -> waiter.
// ThreadSanitizer then checks exactly the order of streams. In other builds everything here is
// empty.

#ifdef FERRY_EMULATION_TSAN
extern "C" {
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace ferry::emulation {

#ifdef FERRY_EMULATION_TSAN

inline thread_local int ignore_sync_depth = 0;

inline void begin_ignore(int times) {
  for (int i = 0; i < times; ++i) {
    AnnotateIgnoreSyncBegin("", 0);
    AnnotateIgnoreReadsBegin("", 0);
    AnnotateIgnoreWritesBegin("", 0);
  }
}
inline void end_ignore(int times) {
  for (int i = 0; i < times; ++i) {
    AnnotateIgnoreWritesEnd("", 0);
    AnnotateIgnoreReadsEnd("", 0);
    AnnotateIgnoreSyncEnd("", 0);
  }
}

// Synchronisation in this scope is not an order that the program may rely on, and what is read and
// written is the runtime's own.
class IgnoreSync {
 public:
  IgnoreSync() { ++ignore_sync_depth, begin_ignore(1); }
  ~IgnoreSync() { --ignore_sync_depth, end_ignore(1); }
  IgnoreSync(const IgnoreSync&) = delete;
  IgnoreSync& operator=(const IgnoreSync&) = delete;
};

// Inside IgnoreSync: in this scope everything counts again (kernels, copies, host work).
class HonourSync {
 public:
  HonourSync() : depth_(ignore_sync_depth) { ignore_sync_depth = 0, end_ignore(depth_); }
  ~HonourSync() { ignore_sync_depth = depth_, begin_ignore(depth_); }
  HonourSync(const HonourSync&) = delete;
  HonourSync& operator=(const HonourSync&) = delete;

 private:
  int depth_;
};

inline void order_after(const void* point) {
  const HonourSync honour;
  __tsan_acquire(const_cast<void*>(point));
}
inline void order_before(const void* point) {
  const HonourSync honour;
  __tsan_release(const_cast<void*>(point));
}

#else

class IgnoreSync {
 public:
  IgnoreSync() {}
};
class HonourSync {
 public:
  HonourSync() {}
};
inline void order_after(const void*) {}
inline void order_before(const void*) {}

#endif

}  // namespace ferry::emulation
