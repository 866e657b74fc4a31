#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <map>
#include <new>

#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

CLI::App& app_of(void* app) { return *static_cast<CLI::App*>(app); }

constexpr const Verb* kVerbs[] = {&kInfo, &kCheck, &kPlace,   &kDiff,   &kRun,  &kCompare,
                                  &kTest, &kOps,   &kDevices, &kDoctor, &kDemo, &kCompletion};

// The parser, while it is there.
const CLI::App* root = nullptr;

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::not_found:
      return kUsage;
    case ErrorCode::invalid_model:
    case ErrorCode::unsupported:
    case ErrorCode::placement:
      return kModel;
    case ErrorCode::device_missing:
    case ErrorCode::library_missing:
    case ErrorCode::out_of_memory:
    case ErrorCode::device_failed:
      return kDevice;
    case ErrorCode::ledger_mismatch:
      return kDiffer;
    case ErrorCode::cancelled:
      return kInterrupted;
    case ErrorCode::deadline_exceeded:
    case ErrorCode::io:
    case ErrorCode::runtime:
    case ErrorCode::internal:
      return kFailed;
  }
  return kFailed;
}

std::vector<std::string> verb_names() {
  std::vector<std::string> names;
  for (const Verb* verb : kVerbs) names.emplace_back(verb->name);
  return names;
}

// What a parse error means to the user: the word that is wrong, and the nearest right one.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const auto* extras = dynamic_cast<const CLI::ExtrasError*>(&error);
  if (extras == nullptr) return error.what();
  const auto verbs = app.get_subcommands();
  const CLI::App& where = verbs.empty() ? app : *verbs[0];
  const std::vector<std::string> words = where.remaining();
  const std::string word = words.empty() ? "" : words[0];
  std::vector<std::string> known;
  for (const CLI::Option* option : where.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    for (const std::string& name : option->get_snames()) known.push_back("-" + name);
  }
  if (!word.empty() && word[0] == '-') {
    return "'" + word + "' is not an option of " + where.get_name() + "." +
           suggestion(word.substr(0, word.find('=')), known);
  }
  return "'" + word + "' is one argument too many for " + where.get_name() + ".";
}

int usage_error(const std::string& message, const std::string& verb) {
  std::fprintf(stderr, "ferry: %s\nSee 'ferry %s--help'.\n", message.c_str(),
               verb.empty() ? "" : (verb + " ").c_str());
  return kUsage;
}

}  // namespace

void Options::option(const std::string& name, std::string& value, const std::string& help) {
  CLI::Option* option = app_of(app_).add_option(name, value, help);
  if (!value.empty()) option->capture_default_str();
}
void Options::option(const std::string& name, double& value, const std::string& help) {
  app_of(app_).add_option(name, value, help)->capture_default_str();
}
void Options::option(const std::string& name, int& value, const std::string& help) {
  app_of(app_).add_option(name, value, help)->capture_default_str();
}
void Options::list(const std::string& name, std::vector<std::string>& values,
                   const std::string& help) {
  app_of(app_).add_option(name, values, help)->allow_extra_args(false);
}
void Options::flag(const std::string& name, bool& value, const std::string& help) {
  app_of(app_).add_flag(name, value, help);
}
void Options::format(std::string& value) { option("--format", value, "text or json"); }
void Options::positional(const std::string& name, std::string& value, const std::string& help) {
  app_of(app_).add_option(name, value, help)->required();
}
void Options::optional_positional(const std::string& name, std::string& value,
                                  const std::string& help) {
  app_of(app_).add_option(name, value, help);
}
void Options::positionals(const std::string& name, std::vector<std::string>& values,
                          const std::string& help) {
  app_of(app_).add_option(name, values, help)->required();
}

namespace {

// "ferry 0.1.0", and what it can use here.
std::string version() {
  std::string out =
      "ferry " FERRY_VERSION "\nbuilt with " FERRY_COMPILER ", " FERRY_BUILD_TYPE "\n";
  out += "cuda: " +
         (cuda::is_available() ? std::to_string(cuda::device_count()) + " device(s)"
                               : "none, " + cuda::why_unavailable()) +
         "\n";
  std::map<DeviceKind, int> kernels;
  for (const OperatorInfo& info : operators()) {
    for (const DeviceKind kind : info.devices) ++kernels[kind];
  }
  out += "operators with kernels:";
  for (const auto& [kind, count] : kernels) {
    out += " " + std::string(to_string(kind)) + " " + std::to_string(count);
  }
  return out;
}

// Every verb has these.
struct Manners {
  bool quiet = false;
  int verbose = 0;
};

void say(LogLevel level, std::string_view text) {
  const char* const prefix = level == LogLevel::warning ? "warning: " : "";
  std::fprintf(stderr, "%s%.*s\n", prefix, static_cast<int>(text.size()), text.data());
}

void apply(const Manners& manners) {
  set_verbosity(manners.quiet ? -1 : manners.verbose);
  if (manners.quiet) return;
  set_log_sink(say, manners.verbose == 0   ? LogLevel::warning
                    : manners.verbose == 1 ? LogLevel::info
                                           : LogLevel::debug);
}

}  // namespace

std::vector<VerbInfo> describe_verbs() {
  std::vector<VerbInfo> out;
  for (const CLI::App* verb : root->get_subcommands({})) {
    VerbInfo info{verb->get_name(), verb->get_description(), {}};
    for (const CLI::Option* option : verb->get_options()) {
      if (option->get_lnames().empty() && option->get_snames().empty()) continue;
      info.options.push_back({option->get_lnames(), option->get_snames(), option->get_description(),
                              option->get_expected_max() > 0});
    }
    out.push_back(std::move(info));
  }
  return out;
}

int run_command_line(int argc, char** argv) {
  CLI::App app{"Runs ONNX models, and shows what runs where and what it costs.", "ferry"};
  root = &app;
  app.set_version_flag("--version", version, "the version, and what it can use here");
  app.require_subcommand(1);
  app.get_formatter()->column_width(26);
  Manners manners;
  std::map<const CLI::App*, std::function<int()>> actions;
  for (const Verb* verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb->name, verb->summary);
    sub->footer(std::string("Examples:\n") + verb->examples);
    Options options(sub);
    actions[sub] = verb->setup(options);
    sub->add_flag("-q,--quiet", manners.quiet, "nothing on stderr but errors");
    sub->add_flag("-v,--verbose", manners.verbose, "say more on stderr; -vv most");
  }
  const std::vector<std::string> verbs = verb_names();
  if (argc > 1 && argv[1][0] != '-' && std::ranges::find(verbs, argv[1]) == verbs.end()) {
    return usage_error(
        "'" + std::string(argv[1]) + "' is not a verb of ferry." + suggestion(argv[1], verbs), "");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& told) {  // --help, --version
    const int code = app.exit(told);
    if (std::cout.flush()) return code;
    std::fprintf(stderr, "ferry: cannot write to stdout: %s.\n", std::strerror(errno));
    return kFailed;
  } catch (const CLI::ParseError& error) {
    const auto parsed = app.get_subcommands();
    return usage_error(explain(app, error), parsed.empty() ? "" : parsed[0]->get_name());
  }
  apply(manners);
  try {
    return actions.at(app.get_subcommands()[0])();
  } catch (const Error& error) {
    std::fprintf(stderr, "ferry: %s\n", error.what());
    return exit_code(error.code());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "ferry: the host has no memory left.\n");
    return kDevice;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ferry: this is a defect of Ferry, please report it: %s\n", error.what());
    return kFailed;
  }
}

}  // namespace ferry::cli
