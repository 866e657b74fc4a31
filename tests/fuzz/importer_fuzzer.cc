// The libFuzzer target of the importer:
//
//   cmake --preset fuzz && cmake --build --preset fuzz
//   build/fuzz/tests/fuzz/importer_fuzzer CORPUS models
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/import_one.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ferry::testing::import_one({data, size});
  return 0;
}
