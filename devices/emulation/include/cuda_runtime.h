#pragma once

// What `#include <cuda_runtime.h>` finds when CUDA sources are compiled for the emulated GPU: the
// device language and the part of the runtime API that Ferry uses. All of it has C++ linkage and
// hidden visibility, so that it can live in one process with NVIDIA's libcudart.
#include "devices/emulation/device_language.h"
#include "devices/emulation/runtime_api.h"
