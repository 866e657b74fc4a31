#pragma once

#include <span>
#include <string>

#include "ferry/ferry.h"
#include "tests/support/model_builder.h"

namespace ferry::testing {

inline Model model_of(const ModelBuilder& builder, const LoadOptions& options = {}) {
  const std::string bytes = builder.bytes();
  return Model::load_bytes(std::as_bytes(std::span(bytes.data(), bytes.size())), "test.onnx",
                           options);
}

// What `f` throws; a failure when it throws nothing.
template <typename F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "expected an Error";
  return Error(ErrorCode::internal, "");
}

}  // namespace ferry::testing
