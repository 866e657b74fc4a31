#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

int examine() {
  std::string out;
  for (const DeviceInfo& info : devices()) {
    out += "ok    " + info.device.str() + "  " + info.name +
           (info.simulated ? " (simulated)" : "") + "\n";
    if (!info.missing_libraries.empty()) out += "note  " + info.missing_libraries + "\n";
  }
  if (!cuda::is_available()) {
    out += "none  cuda  " + cuda::why_unavailable() +
           "\n      Everything runs on cpu, and on sim:0 as it would on a GPU.\n";
  }
  print(out);
  return kOk;
}

std::function<int()> setup(Options&) {
  return [] { return examine(); };
}

}  // namespace

const Verb kDoctor{"doctor", "What this machine has, what is missing, and how to get it",
                   "  ferry doctor\n  FERRY_CUDA_PATH=/opt/ferry ferry doctor", setup};

}  // namespace ferry::cli
