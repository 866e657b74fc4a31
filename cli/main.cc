#include <csignal>

#include "cli/options.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return ferry::cli::run_command_line(argc, argv);
}
