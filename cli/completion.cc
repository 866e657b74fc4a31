#include <fmt/format.h>

#include "cli/options.h"
#include "cli/text.h"
#include "ferry/error.h"

// Scripts that complete verbs, options, and the values of options that have few.
namespace ferry::cli {
namespace {

constexpr std::string_view kDevices = "cpu sim:0 cuda:0";

// Words that may follow the option of the verb, or "" where files may.
std::string_view values_of(const VerbInfo& verb, const OptionInfo& option) {
  if (option.long_names.empty()) return "";
  if (option.long_names[0] == "format") {
    return verb.name == "place" ? "text json csv markdown dot html model_explorer" : "text json";
  }
  if (option.long_names[0] == "policy") return "fastest device_first";
  if (option.long_names[0] == "fallback") return "cpu error";
  if (option.long_names[0] == "device" || option.long_names[0] == "outputs-on") return kDevices;
  return "";
}

std::string dashed(const OptionInfo& option, std::string_view between) {
  std::string out;
  for (const std::string& name : option.short_names)
    out += fmt::format("{}-{}", out.empty() ? "" : between, name);
  for (const std::string& name : option.long_names)
    out += fmt::format("{}--{}", out.empty() ? "" : between, name);
  return out;
}

std::string bash(const std::vector<VerbInfo>& verbs) {
  std::string names, cases;
  for (const VerbInfo& verb : verbs) {
    names += (names.empty() ? "" : " ") + verb.name;
    std::string words, values;
    for (const OptionInfo& option : verb.options) {
      words += (words.empty() ? "" : " ") + dashed(option, " ");
      if (!option.takes_value) continue;
      // An empty list of words leaves the completion of files to bash.
      values += fmt::format("        {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n",
                            dashed(option, "|"), values_of(verb, option));
    }
    cases += fmt::format("    {})\n      case $prev in\n{}      esac\n      words='{}' ;;\n",
                         verb.name, values, words);
  }
  return fmt::format(R"(# source <(ferry completion bash)
_ferry() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$cur"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{}  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}}
complete -o default -F _ferry ferry
)",
                     names, cases);
}

// For text within single quotes of zsh and fish; zsh's _arguments also reads : and brackets.
std::string quoted(const std::string& text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (special.find(c) != special.npos) out += '\\';
    out += c;
  }
  return out;
}

std::string zsh(const std::vector<VerbInfo>& verbs) {
  std::string names, cases;
  for (const VerbInfo& verb : verbs) {
    names += fmt::format("    '{}:{}'\n", verb.name, quoted(verb.summary, ":\\"));
    std::string arguments;
    for (const OptionInfo& option : verb.options) {
      const std::string help = quoted(option.help, "[]:\\");
      std::string value;
      if (option.takes_value) {
        const std::string words = quoted(std::string(values_of(verb, option)), ":");
        value = words.empty() ? ":value:_files" : fmt::format(":value:({})", words);
      }
      std::vector<std::string> spellings;
      for (const std::string& name : option.short_names) spellings.push_back("-" + name);
      for (const std::string& name : option.long_names) spellings.push_back("--" + name);
      for (const std::string& spelling : spellings) {
        arguments += fmt::format(" \\\n        '*{}[{}]{}'", spelling, help, value);
      }
    }
    cases += fmt::format("    {})\n      _arguments{} \\\n        '*:file:_files' ;;\n", verb.name,
                         arguments);
  }
  return fmt::format(R"(#compdef ferry
# ferry completion zsh > ~/.zfunc/_ferry, with ~/.zfunc in fpath before compinit
_ferry() {{
  local -a verbs=(
{}  )
  if ((CURRENT == 2)); then
    _describe verb verbs
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
{}  esac
}}
compdef _ferry ferry
)",
                     names, cases);
}

std::string fish(const std::vector<VerbInfo>& verbs) {
  std::string out = "# ferry completion fish > ~/.config/fish/completions/ferry.fish\n";
  for (const VerbInfo& verb : verbs) {
    out += fmt::format("complete -c ferry -n __fish_use_subcommand -f -a {} -d '{}'\n", verb.name,
                       quoted(verb.summary, "\\"));
  }
  for (const VerbInfo& verb : verbs) {
    for (const OptionInfo& option : verb.options) {
      out += fmt::format("complete -c ferry -n '__fish_seen_subcommand_from {}'", verb.name);
      for (const std::string& name : option.short_names) out += " -s " + name;
      for (const std::string& name : option.long_names) out += " -l " + name;
      if (option.takes_value) out += " -r";
      const std::string_view values = values_of(verb, option);
      if (!values.empty()) out += fmt::format(" -f -a '{}'", values);
      out += fmt::format(" -d '{}'\n", quoted(option.help, "\\"));
    }
  }
  return out;
}

int complete(const std::string& shell) {
  using Writer = std::string (*)(const std::vector<VerbInfo>&);
  static constexpr std::pair<std::string_view, Writer> kShells[] = {
      {"bash", bash}, {"zsh", zsh}, {"fish", fish}};
  for (const auto& [name, write] : kShells) {
    if (shell != name) continue;
    print(write(describe_verbs()));
    return kOk;
  }
  throw Error(ErrorCode::invalid_argument, "'" + shell +
                                               "' is not a shell that Ferry completes in: "
                                               "bash, zsh or fish." +
                                               suggestion(shell, {"bash", "zsh", "fish"}));
}

std::function<int()> setup(Options& options) {
  const auto shell = std::make_shared<std::string>();
  options.positional("SHELL", *shell, "bash, zsh or fish");
  return [shell] { return complete(*shell); };
}

}  // namespace

const Verb kCompletion{"completion", "A script that makes a shell complete ferry's words",
                       "  ferry completion fish > ~/.config/fish/completions/ferry.fish\n"
                       "  source <(ferry completion bash)",
                       setup};

}  // namespace ferry::cli
