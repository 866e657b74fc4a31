#include <algorithm>
#include <exception>

#include "devices/emulation/fault.h"
#include "devices/emulation/runtime.h"

// Streams, events, and the two ways in which queued work gets to run.

namespace ferry::emulation {
namespace {

bool runnable(const Stream& stream) {
  if (stream.queue.empty() || stream.busy) return false;
  const auto& wait_for = stream.queue.front().wait_for;
  return !wait_for || wait_for->done;
}

// Runs the first operation of `stream` without the lock.
void run_front(Stream& stream, std::unique_lock<std::mutex>& lock) {
  Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  stream.busy = true;
  const int limit =
      runtime().config.mode == StreamMode::threads ? runtime().config.max_delay_us : 0;
  const auto delay = limit > 0 ? stream.random() % (static_cast<unsigned>(limit) + 1) : 0;
  lock.unlock();
  if (delay > 0) std::this_thread::sleep_for(std::chrono::microseconds(delay));
  order_after(operation.queued.get());
  if (operation.wait_for) order_after(operation.wait_for.get());
  if (operation.run) {
    const HonourSync honour;
    operation.run();
  }
  operation = {};
  order_before(&stream);
  lock.lock();
  stream.busy = false;
  runtime().changed.notify_all();
}

void work(Stream* stream) {
  const IgnoreSync ignore;
  install_signal_stack();
  std::unique_lock lock(runtime().mutex);
  for (;;) {
    runtime().changed.wait(lock, [&] {
      return stream->stop || (runtime().config.mode == StreamMode::threads && runnable(*stream));
    });
    if (stream->stop) return;
    run_front(*stream, lock);
  }
}

cudaError_t invalid_handle(const char* what) {
  return remember(cudaErrorInvalidResourceHandle, what);
}

cudaError_t null_stream() {
  return invalid_handle("the null stream was used; Ferry works on streams of its own only");
}

}  // namespace

bool run_one_operation(std::unique_lock<std::mutex>& lock) {
  std::vector<Stream*> candidates;
  for (Stream* stream : runtime().streams) {
    if (runnable(*stream)) candidates.push_back(stream);
  }
  if (candidates.empty()) return false;
  run_front(*candidates[runtime().random() % candidates.size()], lock);
  return true;
}

void wait_until(std::unique_lock<std::mutex>& lock, const std::function<bool()>& condition) {
  if (runtime().config.mode == StreamMode::threads) {
    runtime().changed.wait(lock, condition);
    return;
  }
  while (!condition()) {
    // Nothing to run although the condition fails: another host thread is running the work.
    if (!run_one_operation(lock)) runtime().changed.wait(lock);
  }
}

cudaError_t enqueue(Stream* stream, std::function<void()> run,
                    std::shared_ptr<EventRecord> wait_for) {
  if (!stream) return null_stream();
  if (Capture* capture = stream->capture.get()) {
    if (capture->invalidated) return remember(cudaErrorStreamCaptureInvalidated);
    auto& nodes = capture->graph.nodes;
    nodes.push_back({std::move(run), std::move(stream->last_nodes)});
    stream->last_nodes = {nodes.size() - 1};
    return cudaSuccess;
  }
  auto queued = std::make_shared<char>();
  order_before(queued.get());
  stream->queue.push_back({std::move(run), std::move(wait_for), std::move(queued)});
  if (runtime().config.mode == StreamMode::threads && !stream->worker.joinable()) {
    const HonourSync honour;  // the start of the thread orders its own stack
    stream->worker = std::thread(work, stream);
  }
  runtime().changed.notify_all();
  return cudaSuccess;
}

}  // namespace ferry::emulation

using namespace ferry::emulation;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (flags != cudaStreamNonBlocking) {
    return remember(cudaErrorInvalidValue, "streams of Ferry are non-blocking");
  }
  auto* made = new Stream;
  made->device = current_device();
  made->random.seed(runtime().config.seed * 1000003 + runtime().streams.size());
  runtime().streams.push_back(made);
  *stream = made;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!stream) return null_stream();
  const IgnoreSync ignore;
  {
    std::unique_lock lock(runtime().mutex);
    wait_until(lock, [&] { return stream->idle(); });
    stream->stop = true;
    if (stream->capture) stream->capture->invalidated = true;
    std::erase(runtime().streams, stream);
    runtime().changed.notify_all();
  }
  if (stream->worker.joinable()) stream->worker.join();
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!stream) return null_stream();
  if (stream->capture) stream->capture->invalidated = true;
  if (forbidden_by_capture() || stream->capture) {
    return remember(cudaErrorStreamCaptureUnsupported, "a capture must not be waited in");
  }
  wait_until(call.lock(), [&] { return stream->idle(); });
  order_after(stream);
  const DeviceState& device = runtime().device(stream->device);
  return remember(device.sticky, device.diagnosis);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!stream) return null_stream();
  if (stream->capture) stream->capture->invalidated = true;
  if (forbidden_by_capture() || stream->capture) {
    return remember(cudaErrorStreamCaptureUnsupported,
                    "a capturing stream has no state to ask for");
  }
  if (!stream->idle() && runtime().config.mode == StreamMode::lazy) run_one_operation(call.lock());
  if (!stream->idle()) return cudaErrorNotReady;
  order_after(stream);
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  ApiCall call;
  FERRY_API_CALL(call);
  if (forbidden_by_capture()) {
    return remember(cudaErrorStreamCaptureUnsupported, "a capture must not be waited in");
  }
  const int device = current_device();
  const auto of_device = [&](const Stream* stream) { return stream->device == device; };
  wait_until(call.lock(), [&] {
    return std::all_of(runtime().streams.begin(), runtime().streams.end(),
                       [&](const Stream* s) { return !of_device(s) || s->idle(); });
  });
  for (const Stream* stream : runtime().streams) {
    if (of_device(stream)) order_after(stream);
  }
  return remember(runtime().device(device).sticky, runtime().device(device).diagnosis);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!stream) return null_stream();
  if (!event) return invalid_handle("a null event was waited for");
  const auto record = event->record;
  if (!record) return cudaSuccess;  // never recorded: nothing to wait for
  if (!record->capture) {
    if (!stream->capture) return enqueue(stream, nullptr, record);
    stream->capture->invalidated = true;
    return remember(cudaErrorStreamCaptureIsolation,
                    "a capturing stream waits for an event that was recorded outside its capture");
  }
  if (record->capture->ended) {
    return remember(cudaErrorCapturedEvent, "the event belongs to a capture that has ended");
  }
  if (!stream->capture) {
    stream->capture = record->capture;
    stream->last_nodes.clear();
    record->capture->joined.push_back(stream);
  } else if (stream->capture != record->capture) {
    stream->capture->invalidated = record->capture->invalidated = true;
    return remember(cudaErrorStreamCaptureMerge);
  }
  stream->last_nodes.insert(stream->last_nodes.end(), record->nodes.begin(), record->nodes.end());
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  ApiCall call;
  FERRY_API_CALL(call);
  *event = new Event{current_device(), (flags & cudaEventDisableTiming) == 0, nullptr};
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (!event) return invalid_handle("a null event was destroyed");
  const IgnoreSync ignore;
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!stream) return null_stream();
  if (!event) return invalid_handle("a null event was recorded");
  if (event->device != stream->device) {
    return invalid_handle("an event was recorded on a stream of another device");
  }
  auto record = std::make_shared<EventRecord>();
  if (stream->capture) {
    record->capture = stream->capture;
    record->nodes = stream->last_nodes;
    event->record = std::move(record);
    return cudaSuccess;
  }
  event->record = record;
  return enqueue(stream, [record] {
    const IgnoreSync ignore;
    order_before(record.get());
    const std::lock_guard lock(runtime().mutex);
    record->done = true;
    record->time = std::chrono::steady_clock::now();
    runtime().changed.notify_all();
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!event) return invalid_handle("a null event was asked");
  const auto record = event->record;
  if (!record) return cudaSuccess;
  if (record->capture) return remember(cudaErrorCapturedEvent);
  if (forbidden_by_capture()) return remember(cudaErrorStreamCaptureUnsupported);
  if (!record->done && runtime().config.mode == StreamMode::lazy) run_one_operation(call.lock());
  if (!record->done) return cudaErrorNotReady;
  order_after(record.get());
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!event) return invalid_handle("a null event was waited for");
  const auto record = event->record;
  if (!record) return cudaSuccess;
  if (record->capture) return remember(cudaErrorCapturedEvent);
  if (forbidden_by_capture()) {
    return remember(cudaErrorStreamCaptureUnsupported, "a capture must not be waited in");
  }
  wait_until(call.lock(), [&] { return record->done; });
  order_after(record.get());
  const DeviceState& device = runtime().device(event->device);
  return remember(device.sticky, device.diagnosis);
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!start || !end || !start->timing || !end->timing || !start->record || !end->record) {
    return invalid_handle("elapsed time needs two recorded events made with timing");
  }
  if (start->record->capture || end->record->capture) return remember(cudaErrorCapturedEvent);
  if (!start->record->done || !end->record->done) return cudaErrorNotReady;
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->record->time - start->record->time).count();
  return cudaSuccess;
}
