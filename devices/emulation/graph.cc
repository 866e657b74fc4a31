#include <algorithm>

#include "devices/emulation/runtime.h"

// Capture and graphs.

namespace ferry::emulation {
namespace {

// Nodes that the end of a capture's origin stream depends on.
std::vector<bool> joined_nodes(const Capture& capture) {
  const auto& nodes = capture.graph.nodes;
  std::vector<bool> joined(nodes.size());
  std::vector<size_t> open = capture.origin->last_nodes;
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (joined[node]) continue;
    joined[node] = true;
    open.insert(open.end(), nodes[node].dependencies.begin(), nodes[node].dependencies.end());
  }
  return joined;
}

// Runs every node once, each after its dependencies, in an order that `seed` picks.
void replay(const Graph& graph, uint64_t seed) {
  const auto& nodes = graph.nodes;
  std::mt19937_64 random(seed);
  std::vector<size_t> missing(nodes.size());
  std::vector<std::vector<size_t>> dependents(nodes.size());
  std::vector<size_t> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    missing[i] = nodes[i].dependencies.size();
    for (const size_t dependency : nodes[i].dependencies) dependents[dependency].push_back(i);
    if (missing[i] == 0) ready.push_back(i);
  }
  while (!ready.empty()) {
    std::swap(ready[random() % ready.size()], ready.back());
    const size_t node = ready.back();
    ready.pop_back();
    if (nodes[node].run) nodes[node].run();
    for (const size_t next : dependents[node]) {
      if (--missing[next] == 0) ready.push_back(next);
    }
  }
}

void end(Capture& capture) {
  capture.ended = true;
  capture.origin->capture = nullptr;
  for (Stream* stream : capture.joined) stream->capture = nullptr;
}

}  // namespace

bool forbidden_by_capture() {
  bool forbidden = false;
  for (const Stream* stream : runtime().streams) {
    Capture* capture = stream->capture.get();
    if (!capture || capture->mode == cudaStreamCaptureModeRelaxed) continue;
    if (capture->mode == cudaStreamCaptureModeThreadLocal &&
        capture->thread != std::this_thread::get_id()) {
      continue;
    }
    capture->invalidated = true;
    forbidden = true;
  }
  return forbidden;
}

}  // namespace ferry::emulation

using namespace ferry::emulation;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!stream) return remember(cudaErrorStreamCaptureUnsupported, "the null stream cannot capture");
  if (stream->capture) return remember(cudaErrorIllegalState, "the stream captures already");
  auto capture = std::make_shared<Capture>();
  capture->graph.device = stream->device;
  capture->origin = stream;
  capture->thread = std::this_thread::get_id();
  capture->mode = mode;
  stream->capture = std::move(capture);
  stream->last_nodes.clear();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  ApiCall call;
  *graph = nullptr;
  if (!stream || !stream->capture) {
    FERRY_API_CALL(call);
    return remember(cudaErrorIllegalState, "the stream does not capture");
  }
  const auto capture = stream->capture;
  if (capture->origin != stream) {
    capture->invalidated = true;
    return remember(cudaErrorStreamCaptureUnmatched);
  }
  const std::vector<bool> joined = joined_nodes(*capture);
  const bool unjoined =
      std::any_of(capture->joined.begin(), capture->joined.end(), [&](const Stream* other) {
        return std::any_of(other->last_nodes.begin(), other->last_nodes.end(),
                           [&](size_t node) { return !joined[node]; });
      });
  end(*capture);  // also after a failure: the streams must be usable again
  FERRY_API_CALL(call);
  if (capture->invalidated) return remember(cudaErrorStreamCaptureInvalidated);
  if (unjoined) {
    return remember(cudaErrorStreamCaptureUnjoined,
                    "a stream that joined the capture was not waited for at its end");
  }
  *graph = new Graph(std::move(capture->graph));
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!graph) return remember(cudaErrorInvalidValue, "a null graph was instantiated");
  *executable = new GraphExec{std::make_shared<const Graph>(*graph)};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!executable) return remember(cudaErrorInvalidValue, "a null graph was launched");
  if (stream && stream->device != executable->graph->device) {
    return remember(cudaErrorInvalidValue, "a graph was launched on a stream of another device");
  }
  const uint64_t seed = runtime().config.seed * 1000003 + executable->replays++;
  return enqueue(stream, [graph = executable->graph, seed] { replay(*graph, seed); });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
