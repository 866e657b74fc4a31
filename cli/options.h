#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

// A thin layer over the command-line parser, so that one file pays for its header and every verb
// declares its options alike.
namespace ferry::cli {

class Options {
 public:
  // Implemented over CLI11 (options.cc); `app` is a CLI::App.
  explicit Options(void* app) : app_(app) {}

  // `name` as in "-d,--device" or, for a positional, "MODEL". The default shown is the value that
  // the variable has now.
  void option(const std::string& name, std::string& value, const std::string& help);
  void option(const std::string& name, double& value, const std::string& help);
  void option(const std::string& name, int& value, const std::string& help);
  void list(const std::string& name, std::vector<std::string>& values, const std::string& help);
  void flag(const std::string& name, bool& value, const std::string& help);
  // --format text or json.
  void format(std::string& value);
  void positional(const std::string& name, std::string& value, const std::string& help);
  void optional_positional(const std::string& name, std::string& value, const std::string& help);
  void positionals(const std::string& name, std::vector<std::string>& values,
                   const std::string& help);

 private:
  void* app_;
};

// One verb of the command line: one file.
struct Verb {
  const char* name;
  const char* summary;
  const char* examples;  // two lines, printed below the options
  // Declares the options and returns what to do once they are parsed; the result is the exit code.
  std::function<int()> (*setup)(Options& options);
};

extern const Verb kInfo, kCheck, kPlace, kDiff, kRun, kCompare, kTest, kOps, kDevices, kDoctor,
    kDemo, kCompletion;

// What the command line consists of, for the completions of shells.
struct OptionInfo {
  std::vector<std::string> long_names, short_names;  // without dashes
  std::string help;
  bool takes_value = false;
};
struct VerbInfo {
  std::string name, summary;
  std::vector<OptionInfo> options;
};
std::vector<VerbInfo> describe_verbs();

// Exit codes (docs/cli.md).
inline constexpr int kOk = 0, kFailed = 1, kUsage = 2, kModel = 3, kDevice = 4, kDiffer = 5,
                     kGate = 6, kInterrupted = 130;

// Parses the arguments and runs the verb. Everything that is wrong becomes a message on stderr and
// an exit code.
int run_command_line(int argc, char** argv);

}  // namespace ferry::cli
