#include "cli/interrupt.h"
#include "cli/options.h"

int main(int argc, char** argv) {
  ferry::cli::handle_signals();
  return ferry::cli::run_command_line(argc, argv);
}
