#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>

#include "cli/text.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

CLI::App& app_of(void* app) { return *static_cast<CLI::App*>(app); }

constexpr const Verb* kVerbs[] = {&kInfo, &kCheck,   &kPlace,  &kRun, &kTest,
                                  &kOps,  &kDevices, &kDoctor, &kDemo};

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

int run_command_line(int argc, char** argv) {
  CLI::App app{"Runs ONNX models, and shows what runs where and what it costs.", "ferry"};
  app.set_version_flag("--version", "ferry " FERRY_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(26);
  std::map<const CLI::App*, std::function<int()>> actions;
  for (const Verb* verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb->name, verb->summary);
    sub->footer(std::string("Examples:\n") + verb->examples);
    Options options(sub);
    actions[sub] = verb->setup(options);
  }
  const std::vector<std::string> verbs = verb_names();
  if (argc > 1 && argv[1][0] != '-' && std::ranges::find(verbs, argv[1]) == verbs.end()) {
    return usage_error(
        "'" + std::string(argv[1]) + "' is not a verb of ferry." + suggestion(argv[1], verbs), "");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    const auto parsed = app.get_subcommands();
    return usage_error(explain(app, error), parsed.empty() ? "" : parsed[0]->get_name());
  }
  try {
    return actions.at(app.get_subcommands()[0])();
  } catch (const Error& error) {
    std::fprintf(stderr, "ferry: %s\n", error.what());
    return exit_code(error.code());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "ferry: the host has no memory left.\n");
    return kDevice;
  }
}

}  // namespace ferry::cli
