#include "kernels/kernel.h"

#include <algorithm>
#include <optional>

#include "devices/copy.h"
#include "ferry/error.h"
#include "kernels/sizes.h"

namespace ferry {

bool TensorFacts::concrete() const {
  return has_shape &&
         std::none_of(shape.begin(), shape.end(), [](int64_t size) { return size < 0; });
}

std::shared_ptr<const void> Prepare::upload(std::span<const std::byte> bytes) {
  const Device device = backend() == nullptr ? Device::cpu() : backend()->device();
  const std::shared_ptr<Storage> storage = allocate_on(device, bytes.size());
  copy_now(storage->data(), device, bytes.data(), Device::cpu(), bytes.size());
  return {storage, storage->data()};
}

namespace {

Support check_types(const Kernel& kernel, const NodeFacts& node) {
  if (kernel.types.bits == kAnyType.bits) return Support::yes();
  const bool by_input = node.has_input(0);
  const TensorFacts& facts = by_input ? node.input(0) : node.output(0);
  if (kernel.types.contains(facts.dtype)) return Support::yes();
  const ReasonCode reason =
      facts.dtype == DType::string ? ReasonCode::string_type : ReasonCode::dtype;
  return Support::no(reason, std::string(by_input ? "input 0 is " : "output 0 is ") +
                                 std::string(to_string(facts.dtype)));
}

}  // namespace

KernelTable::KernelTable(std::span<const KernelFamily> families) {
  for (const KernelFamily& family : families) {
    for (const Kernel& kernel : family) rows_[kernel.op].push_back(&kernel);
  }
}

const Kernel* KernelTable::find(const NodeFacts& node, Support* why) const {
  // The row that came nearest is the last that refused by more than its types.
  std::optional<Support> nearest;
  bool asked = false;
  const auto rows = rows_.find(node.op);
  if (rows != rows_.end()) {
    for (const Kernel* kernel : rows->second) {
      Support support = check_types(*kernel, node);
      const bool typed = support.ok;
      if (support.ok && kernel->supports != nullptr) support = kernel->supports(node);
      if (support.ok) {
        if (why != nullptr) *why = std::move(support);
        return kernel;
      }
      if (typed || !asked) nearest = std::move(support);
      asked = asked || typed;
    }
  }
  if (why == nullptr) return nullptr;
  *why = nearest ? std::move(*nearest)
                 : Support::no(ReasonCode::no_kernel,
                               "no kernel is written for " + std::string(node.op));
  return nullptr;
}

std::unique_ptr<KernelState> prepare_kernel(const Kernel& kernel, const NodeFacts& node,
                                            Prepare& prepare) {
  try {
    check_sizes(node);
    return kernel.prepare(node, prepare);
  } catch (const Error& error) {
    // Sizes whose product overflows (numel_of) are the node's, not an argument of the caller.
    if (error.code() != ErrorCode::invalid_argument) throw;
    throw Error(ErrorCode::runtime, error.message());
  }
}

}  // namespace ferry
