#include "importer/problems.h"

#include <fmt/format.h>

#include <algorithm>

namespace ferry {
namespace {

struct CodeRow {
  std::string_view name;
  ErrorCode error;
};

constexpr CodeRow kCodes[] = {
    {"io", ErrorCode::io},
    {"encoding", ErrorCode::invalid_model},
    {"ir_version", ErrorCode::unsupported},
    {"opset", ErrorCode::invalid_model},
    {"unknown_operator", ErrorCode::unsupported},
    {"operator_version", ErrorCode::unsupported},
    {"attribute", ErrorCode::invalid_model},
    {"arity", ErrorCode::invalid_model},
    {"name", ErrorCode::invalid_model},
    {"order", ErrorCode::invalid_model},
    {"cycle", ErrorCode::invalid_model},
    {"type", ErrorCode::invalid_model},
    {"shape", ErrorCode::invalid_model},
    {"tensor_data", ErrorCode::invalid_model},
    {"external_data", ErrorCode::invalid_model},
    {"function", ErrorCode::invalid_model},
    {"limit", ErrorCode::invalid_model},
    {"unsupported", ErrorCode::unsupported},
};
static_assert(std::size(kCodes) == static_cast<size_t>(ProblemCode::unsupported) + 1);

std::string describe(const Problem& problem) {
  std::string place;
  if (!problem.node.empty() || !problem.op.empty()) {
    place = problem.op.empty()     ? fmt::format("{}: ", problem.node)
            : problem.node.empty() ? fmt::format("{}: ", problem.op)
                                   : fmt::format("{} ({}): ", problem.node, problem.op);
  }
  std::string count = problem.count > 1 ? fmt::format(" ({} nodes)", problem.count) : "";
  return fmt::format("{}{}{}", place, problem.message, count);
}

}  // namespace

std::string_view to_string(ProblemCode code) { return kCodes[static_cast<size_t>(code)].name; }

ErrorCode error_code(ProblemCode code) { return kCodes[static_cast<size_t>(code)].error; }

void fail(ProblemCode code, std::string message) { throw ProblemError{code, std::move(message)}; }

void Problems::add(ProblemCode code, std::string message, std::string node, std::string op) {
  if (problems_.size() >= kMost) {
    ++dropped_;
    return;
  }
  problems_.push_back({code, std::move(node), std::move(op), std::move(message)});
}

void Problems::add_grouped(ProblemCode code, const std::string& key, std::string message,
                           std::string node, std::string op) {
  auto [group, added] = groups_.try_emplace({code, key}, problems_.size());
  if (!added) {
    if (group->second < problems_.size()) ++problems_[group->second].count;
    return;
  }
  add(code, std::move(message), std::move(node), std::move(op));
}

std::vector<Problem> Problems::take() {
  if (dropped_ > 0) {
    problems_.push_back({problems_.back().code, "", "",
                         fmt::format("{} more problems are not listed", dropped_), dropped_});
    dropped_ = 0;
  }
  groups_.clear();
  return std::exchange(problems_, {});
}

Error error_of(const std::vector<Problem>& problems, const std::string& model) {
  auto invalid = std::find_if(problems.begin(), problems.end(), [](const Problem& problem) {
    return error_code(problem.code) != ErrorCode::unsupported;
  });
  const Problem& main = invalid != problems.end() ? *invalid : problems.front();
  ErrorCode code = error_code(main.code);
  if (problems.size() == 1) {
    std::string count = main.count > 1 ? fmt::format(" ({} nodes)", main.count) : "";
    Error error(code, main.message + count);
    if (!main.node.empty() || !main.op.empty()) error = error.with_node(main.node, main.op);
    return model.empty() ? error : error.with_model(model);
  }
  constexpr size_t kShown = 20;
  std::string text = fmt::format("the model has {} problems:", problems.size());
  for (size_t i = 0; i < std::min(problems.size(), kShown); ++i) {
    text += "\n  " + describe(problems[i]);
  }
  if (problems.size() > kShown) {
    text += fmt::format("\n  and {} more; check lists them all", problems.size() - kShown);
  }
  Error error(code, text);
  return model.empty() ? error : error.with_model(model);
}

}  // namespace ferry
