#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "importer/ops/rows.h"

// Rows of the operators that the application registered.
namespace ferry {

// The row, or nullptr. Valid until the process ends. Thread-safe.
const OpRow* registered_row(std::string_view domain, std::string_view op);

}  // namespace ferry
