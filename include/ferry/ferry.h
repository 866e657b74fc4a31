#pragma once

// Everything a program needs of Ferry.
#include "ferry/annotate.h"
#include "ferry/calibrate.h"
#include "ferry/cuda.h"
#include "ferry/device.h"
#include "ferry/diff.h"
#include "ferry/dtype.h"
#include "ferry/error.h"
#include "ferry/inspect.h"
#include "ferry/log.h"
#include "ferry/model.h"
#include "ferry/operator.h"
#include "ferry/placement.h"
#include "ferry/run.h"
#include "ferry/runner.h"
#include "ferry/tensor.h"
