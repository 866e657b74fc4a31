#pragma once

// FERRY_API marks what libferry exports; everything else is hidden.
#define FERRY_API __attribute__((visibility("default")))
