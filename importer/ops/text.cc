#include "importer/ops/rows.h"

namespace ferry {
namespace {

constexpr std::string_view kCaseChanges[] = {"NONE", "LOWER", "UPPER"};
constexpr AttrSpec kRegexFullMatch[] = {
    maybe("pattern", AttrType::text),
};
constexpr AttrSpec kStringNormalizer[] = {
    text("case_change_action", "NONE", kCaseChanges),
    flag("is_case_sensitive", false),
    maybe("locale", AttrType::text),
    list("stopwords", AttrType::texts),
};
constexpr AttrSpec kStringSplit[] = {
    maybe("delimiter", AttrType::text),
    maybe("maxsplit", AttrType::integer),
};

constexpr OpRow kRows[] = {
    // RegexFullMatch(X) -> Y
    {.op = "RegexFullMatch", .since = {20}, .attributes = kRegexFullMatch},
    // StringConcat(X, Y) -> Z
    {.op = "StringConcat", .since = {20}, .inputs = 2},
    // StringNormalizer(X) -> Y
    {.op = "StringNormalizer", .since = {10}, .attributes = kStringNormalizer},
    // StringSplit(X) -> Y, Z
    {.op = "StringSplit", .since = {20}, .outputs = 2, .attributes = kStringSplit},
};

}  // namespace

std::span<const OpRow> text_rows() { return kRows; }

}  // namespace ferry
