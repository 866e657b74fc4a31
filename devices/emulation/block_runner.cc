#include "devices/emulation/block_runner.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

#include "devices/emulation/fault.h"

constinit thread_local uint3 threadIdx{};
constinit thread_local uint3 blockIdx{};
constinit thread_local dim3 blockDim{};
constinit thread_local dim3 gridDim{};

namespace ferry::emulation {

constinit thread_local ThreadBlock thread_block{};

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kSharedPages = kMaxSharedBytes;
static_assert(kSharedPages % kPage == 0);
constinit thread_local BlockRunner* running_runner = nullptr;

std::string text_of(const uint3& index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," +
         std::to_string(index.z) + ")";
}

// The kernel in the signature of launch<kKernel>(...) that came as the launch's name.
std::string kernel_of(std::string_view signature) {
  constexpr std::string_view kMark = "kKernel = ";
  const size_t mark = signature.find(kMark);
  if (mark == signature.npos) return std::string(signature);
  signature.remove_prefix(mark + kMark.size());
  return std::string(signature.substr(0, signature.find_first_of(";]")));
}

uint3 unravel(uint64_t linear, const dim3& extent) {
  return {static_cast<unsigned>(linear % extent.x),
          static_cast<unsigned>(linear / extent.x % extent.y),
          static_cast<unsigned>(linear / extent.x / extent.y)};
}

}  // namespace

void barrier(const std::source_location& where) { running_runner->barrier(where); }
uint64_t warp_exchange(uint32_t mask, uint64_t word, unsigned source, uint32_t* nonzero) {
  return running_runner->warp_exchange(mask, word, source, nonzero);
}
void release_waiters() { running_runner->release_waiters(); }
bool next_turn() { return running_runner->next_turn(); }
void* dynamic_shared_memory() { return running_runner->dynamic_shared(); }

BlockRunner& BlockRunner::current() {
  static thread_local BlockRunner runner;
  return runner;
}

BlockRunner* BlockRunner::running() { return running_runner; }

BlockRunner::BlockRunner() : pool_(&BlockRunner::fiber_entry) {
  install_signal_stack();
  void* pages = mmap(nullptr, kSharedPages + kPage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  shared_pages_ = static_cast<char*>(pages);
  mprotect(shared_pages_ + kSharedPages, kPage, PROT_NONE);  // stops an overrun at once
}

BlockRunner::~BlockRunner() { munmap(shared_pages_, kSharedPages + kPage); }

BlockRunner::Result BlockRunner::run(const KernelLaunch& launch) {
  launch_ = &launch;
  ++generation_;
  result_ = {};
  gridDim = launch.grid;
  blockDim = launch.block;
  next_block_ = 0;
  block_count_ = uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  set_thread_order(launch);
  // Right-aligned, so that the page behind it guards its end.
  shared_ = shared_pages_ + kSharedPages - (launch.shared_bytes + 15) / 16 * 16;

  running_runner = this;
  next_block();
  switch_to(fresh_fiber());
  running_runner = nullptr;
  launch_ = nullptr;

  if (result_.error != cudaSuccess) {  // fibers were left in the middle of the kernel
    pool_.restart_all();
    idle_.clear();
    for (const auto& fiber : pool_.fibers()) idle_.push_back(fiber.get());
    ready_.clear();
    ready_head_ = 0;
    at_barrier_.clear();
    for (auto& warp : collectives_) warp.clear();
  }
  return std::move(result_);
}

void BlockRunner::set_thread_order(const KernelLaunch& launch) {
  const dim3& block = launch.block;
  const unsigned threads = block.x * block.y * block.z;
  const bool same = order_block_.x == block.x && order_block_.y == block.y &&
                    order_block_.z == block.z && order_kind_ == launch.order;
  if (!same || order_.empty()) {
    order_.clear();
    for (unsigned i = 0; i < threads; ++i) {
      const unsigned linear = launch.order == ThreadOrder::forward ? i : threads - 1 - i;
      order_.push_back({unravel(linear, block), linear});
    }
    order_block_ = block;
    order_kind_ = launch.order;
  }
  thread_block.order = order_.data();
  thread_block.threads = threads;
}

bool BlockRunner::next_block() {
  if (next_block_ == block_count_) return false;
  const uint64_t block =
      launch_->order == ThreadOrder::forward ? next_block_ : block_count_ - 1 - next_block_;
  ++next_block_;
  ++result_.blocks;
  blockIdx = unravel(block, gridDim);
  thread_block.next = 0;
  thread_block.alive = thread_block.threads;
  thread_block.waiting = 0;
  barrier_arrived_ = 0;
  const unsigned full_warps = thread_block.threads / kWarpSize;
  std::fill_n(thread_block.warp_alive, full_warps, ~0u);
  if (const unsigned rest = thread_block.threads % kWarpSize; rest != 0) {
    thread_block.warp_alive[full_warps] = (1u << rest) - 1;
  }
  if (collectives_used_) {
    for (auto& warp : collectives_) warp.clear();
    collectives_used_ = false;
  }
  std::memset(shared_, 0xff, static_cast<size_t>(shared_pages_ + kSharedPages - shared_));
  return true;
}

void BlockRunner::fiber_entry() {
  BlockRunner& self = *running_runner;
  enter_fiber(self.main_);
  for (;;) {
    (*self.launch_->body)();
    // Back from the body: either the launch is over, or this fiber idled through to a new launch.
    if (thread_block.alive == 0 && self.next_block_ == self.block_count_) {
      self.idle_.push_back(self.current_);
      self.switch_to(self.main_);
    }
  }
}

Fiber& BlockRunner::fresh_fiber() {
  if (idle_.empty()) return pool_.create();
  Fiber* fiber = idle_.back();
  idle_.pop_back();
  return *fiber;
}

void BlockRunner::switch_to(Fiber& fiber) {
  Fiber& from = *current_;
  if (&from == &fiber) return;
  ++result_.stack_switches;
  from.thread_index = threadIdx;
  from.linear = thread_block.linear;
  current_ = &fiber;
  switch_fiber(from, fiber);
  threadIdx = from.thread_index;
  thread_block.linear = from.linear;
}

void BlockRunner::schedule() {
  if (ready_head_ < ready_.size()) {
    Fiber& fiber = *ready_[ready_head_++];
    if (ready_head_ == ready_.size()) {
      ready_.clear();
      ready_head_ = 0;
    }
    switch_to(fiber);
  } else if (thread_block.next < thread_block.threads) {
    switch_to(fresh_fiber());
  } else {
    fail_deadlock();
  }
}

bool BlockRunner::next_turn() {
  if (thread_block.alive == 0) return next_block();
  const uint64_t generation = generation_;
  idle_.push_back(current_);
  schedule();
  return generation == generation_;
}

void BlockRunner::park(std::vector<Fiber*>& waiting) {
  waiting.push_back(current_);
  ++thread_block.waiting;
  schedule();
}

void BlockRunner::wake(std::vector<Fiber*>& waiting) {
  thread_block.waiting -= static_cast<unsigned>(waiting.size());
  ready_.insert(ready_.end(), waiting.begin(), waiting.end());
  waiting.clear();
}

void BlockRunner::barrier(const std::source_location& where) {
  const auto here = [&](const std::source_location& other) {
    return where.line() == other.line() && !std::strcmp(where.file_name(), other.file_name());
  };
  if (barrier_arrived_ == 0) {
    barrier_where_ = where;
  } else if (!here(barrier_where_)) {
    fail(cudaErrorLaunchFailure, "divergent barrier: a thread waits at __syncthreads of line " +
                                     std::to_string(where.line()) +
                                     " while others of its block wait at that of line " +
                                     std::to_string(barrier_where_.line()));
  }
  if (++barrier_arrived_ == thread_block.alive) {
    wake(at_barrier_);
    barrier_arrived_ = 0;
  } else {
    park(at_barrier_);
  }
}

void BlockRunner::complete(Collective& collective) {
  collective.phases[collective.phase % 2].arrived = collective.arrived;
  collective.arrived = 0;
  ++collective.phase;
  wake(collective.waiting);
}

uint64_t BlockRunner::warp_exchange(uint32_t mask, uint64_t word, unsigned source,
                                    uint32_t* nonzero) {
  const unsigned warp = thread_block.linear / kWarpSize;
  const unsigned lane = thread_block.linear % kWarpSize;
  if ((mask >> lane & 1u) == 0) {
    fail(cudaErrorLaunchFailure, "a warp collective was called by lane " + std::to_string(lane) +
                                     ", which its mask leaves out");
  }
  collectives_used_ = true;
  auto& list = collectives_[warp];
  size_t index = 0;
  while (index < list.size() && list[index].mask != mask) ++index;
  if (index == list.size()) list.emplace_back().mask = mask;

  // References into the list end at park(): another thread may extend it.
  const unsigned phase = list[index].phase % 2;
  Collective& collective = list[index];
  Collective::Phase& mine = collective.phases[phase];
  if (collective.arrived == 0) mine.nonzero = 0;
  mine.words[lane] = word;
  mine.nonzero |= static_cast<uint32_t>(word != 0) << lane;
  collective.arrived |= 1u << lane;
  if (collective.arrived == (mask & thread_block.warp_alive[warp])) {
    complete(collective);
  } else {
    park(collective.waiting);
  }
  const Collective::Phase& done = list[index].phases[phase];
  if (nonzero) *nonzero = done.nonzero;
  return done.arrived >> source & 1u ? done.words[source] : ~uint64_t{0};
}

void BlockRunner::release_waiters() {
  if (barrier_arrived_ != 0 && barrier_arrived_ == thread_block.alive) {
    wake(at_barrier_);
    barrier_arrived_ = 0;
  }
  const unsigned warp = thread_block.linear / kWarpSize;
  for (Collective& collective : collectives_[warp]) {
    const uint32_t expected = collective.mask & thread_block.warp_alive[warp];
    if (collective.arrived != 0 && collective.arrived == expected) complete(collective);
  }
}

std::string BlockRunner::place() const {
  return "in " + kernel_of(launch_->name) + ", block " + text_of(blockIdx) + ", thread " +
         text_of(threadIdx);
}

void BlockRunner::fail_deadlock() {
  const unsigned in_warps = thread_block.waiting - barrier_arrived_;
  fail(cudaErrorLaunchFailure, "deadlock: of " + std::to_string(thread_block.alive) +
                                   " live threads " + std::to_string(barrier_arrived_) +
                                   " wait at __syncthreads and " + std::to_string(in_warps) +
                                   " in warp collectives whose other lanes never come");
}

void BlockRunner::fail(cudaError_t error, std::string text) {
  result_.error = error;
  result_.diagnosis = std::move(text) + ", " + place();
  Fiber& from = *current_;
  current_ = &main_;
  abandon_fiber(from, main_);
}

}  // namespace ferry::emulation
