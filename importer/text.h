#pragma once

#include <string>
#include <string_view>

namespace ferry {

bool is_valid_utf8(std::string_view text);

// A name from a file, safe to print: in single quotes, control characters and broken UTF-8 escaped,
// long ones cut.
std::string quoted(std::string_view name);

// Text that a program may pass on: broken UTF-8 is escaped, the rest stays.
std::string escaped(std::string_view text);

// "ai.onnx" and "" are one domain; this is the form without a name.
std::string_view canonical_domain(std::string_view domain);

// How the IR and messages name an operator: "Conv", "com.microsoft.FusedMatMul".
std::string operator_name(std::string_view domain, std::string_view op);

}  // namespace ferry
