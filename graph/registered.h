#pragma once

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "ferry/error.h"
#include "ferry/operator.h"
#include "graph/infer.h"
#include "graph/ops/op.h"

// The operators that the application registered (ferry/operator.h), as the folders that read models
// and run them see them. Entries are never removed, so pointers to them stay valid. Thread-safe.
namespace ferry {

struct RegisteredOperator {
  OperatorDefinition definition;
  std::string op;  // its name in the IR, "my.domain.Scale"
  OpRule rule;     // calls definition.infer
};

// Throws Error invalid_argument when the name is taken.
void add_registered(std::unique_ptr<const RegisteredOperator> entry);

// By the IR's name; nullptr when there is none.
const RegisteredOperator* find_registered(std::string_view op);
std::vector<const RegisteredOperator*> registered_operators();  // in order of name

// What `entry.rule` is to be, once the rest is there.
OpRule rule_of(const RegisteredOperator& entry);

// definition.infer, with what it forgets and throws turned into Errors.
void infer_registered(InferContext& context);

// Calls `f`; an exception that is no Error becomes one (runtime) that has its text.
template <typename F>
void call_registered(F&& f) {
  try {
    f();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::runtime, std::string("the registered operator threw: ") + error.what());
  }
}

}  // namespace ferry
