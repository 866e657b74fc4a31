#include "ferry/error.h"

#include <array>

namespace ferry {
namespace {

std::string sentence(const std::string& message, const std::string& node, const std::string& op,
                     const std::string& inputs, const std::string& model) {
  std::string place;
  if (!model.empty()) place += model;
  if (!node.empty()) place += (place.empty() ? "" : ", ") + std::string("node '") + node + "'";
  if (!op.empty()) place += (place.empty() ? "" : " ") + std::string("(") + op + ")";
  if (!inputs.empty()) place += " of " + inputs;
  return place.empty() ? message : place + ": " + message;
}

}  // namespace

std::string_view to_string(ErrorCode code) {
  static constexpr std::array<std::string_view, 15> kNames{
      "invalid_argument", "not_found",         "io",
      "invalid_model",    "unsupported",       "device_missing",
      "library_missing",  "out_of_memory",     "device_failed",
      "placement",        "runtime",           "ledger_mismatch",
      "cancelled",        "deadline_exceeded", "internal"};
  return kNames[static_cast<size_t>(code)];
}

Error::Error(ErrorCode code, std::string message)
    : std::runtime_error(message), code_(code), message_(std::move(message)) {}

Error::Error(ErrorCode code, std::string message, std::string node, std::string op,
             std::string inputs, std::string model)
    : std::runtime_error(sentence(message, node, op, inputs, model)),
      code_(code),
      message_(std::move(message)),
      node_(std::move(node)),
      op_(std::move(op)),
      inputs_(std::move(inputs)),
      model_(std::move(model)) {}

Error Error::with_node(std::string node, std::string op, std::string inputs) const {
  if (!node_.empty() || !op_.empty()) return *this;
  return Error(code_, message_, std::move(node), std::move(op), std::move(inputs), model_);
}

Error Error::with_model(std::string model) const {
  if (!model_.empty()) return *this;
  return Error(code_, message_, node_, op_, inputs_, std::move(model));
}

}  // namespace ferry
