#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

std::function<int()> setup(Options&) {
  return [] {
    print("demo\n");
    return kOk;
  };
}

}  // namespace

const Verb kDemo{"demo", "Classify an embedded picture on cpu and on sim:0",
                 "  ferry demo\n  ferry demo > demo.txt", setup};

}  // namespace ferry::cli
