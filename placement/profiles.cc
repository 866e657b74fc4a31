#include "placement/profiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/file_map.h"
#include "core/nearest.h"
#include "ferry/error.h"
#include "placement/report/json_value.h"

namespace ferry {
namespace embedded {
extern const std::string_view profiles;  // placement/profiles.json
}

namespace {

constexpr std::string_view kSchema = "ferry.profiles/1";
constexpr std::string_view kUnlistedGpu = "A10";
constexpr size_t kMostBytes = 1 << 20;

// What a profile may say: wide enough for every machine, narrow enough for sums of times.
constexpr double kLeastRate = 1, kMostRate = 1e18;     // operations and bytes a second
constexpr double kLeastSeconds = 0, kMostSeconds = 1;  // of a launch and a latency
constexpr int64_t kMostMemory = int64_t{1} << 50;

struct Entry {
  DeviceProfile profile;
  bool is_cpu = false;
  bool per_core = false;             // flops are those of one core
  std::vector<std::string> matches;  // none: every device of its kind
};

// A number, or {"value": number, "source": text}.
JsonValue value_of(const JsonValue& json) {
  if (!json.is_object()) return json;
  json.allow_only({"value", "source"});
  (void)json.member("source").text();
  return json.member("value");
}

double rate_of(const JsonValue& json) { return value_of(json).number(kLeastRate, kMostRate); }
double seconds_of(const JsonValue& json) {
  return value_of(json).number(kLeastSeconds, kMostSeconds);
}

std::map<DType, double> read_flops(const JsonValue& json) {
  std::map<DType, double> flops;
  for (const auto& [name, rate] : json.members()) {
    DType dtype = DType::undefined;
    try {
      dtype = dtype_from_string(name);
    } catch (const Error& error) {
      rate.refuse("the rate of an element type (" + error.message() + ")");
    }
    flops[dtype] = rate_of(rate);
  }
  if (!flops.contains(DType::float32)) json.refuse("a rate for float32 at least");
  return flops;
}

Entry read_device(const JsonValue& json) {
  json.allow_only({"name", "kind", "match", "source", "simulated", "per_core", "flops",
                   "bytes_per_second", "launch_seconds", "link", "memory_bytes"});
  Entry entry;
  DeviceProfile& profile = entry.profile;
  profile.name = json.member("name").text();
  profile.source = json.member("source").text();
  const JsonValue kind = json.member("kind");
  entry.is_cpu = kind.text() == "cpu";
  if (!entry.is_cpu && kind.text() != "gpu") kind.refuse("\"cpu\" or \"gpu\"");
  if (const auto matches = json.find("match")) {
    for (const JsonValue& match : matches->items()) entry.matches.push_back(match.text());
  }
  if (const auto simulated = json.find("simulated"); simulated && simulated->boolean()) {
    profile.source = "simulated: " + profile.source;
  }
  profile.flops = read_flops(json.member("flops"));
  profile.bytes_per_second = rate_of(json.member("bytes_per_second"));
  profile.launch_seconds = seconds_of(json.member("launch_seconds"));
  if (entry.is_cpu) {
    for (const char* key : {"link", "memory_bytes"}) {
      if (const auto value = json.find(key)) value->refuse("none: a cpu has no such thing");
    }
    if (const auto per_core = json.find("per_core")) entry.per_core = per_core->boolean();
  } else {
    if (const auto value = json.find("per_core")) value->refuse("none: only a cpu has it");
    profile.link = json.member("link").text();
    profile.memory_bytes = value_of(json.member("memory_bytes")).integer(1, kMostMemory);
  }
  return entry;
}

LinkProfile read_link(const JsonValue& json) {
  json.allow_only({"name", "source", "simulated", "pinned_bytes_per_second",
                   "pageable_bytes_per_second", "latency_seconds"});
  LinkProfile link;
  link.name = json.member("name").text();
  link.source = json.member("source").text();
  if (const auto simulated = json.find("simulated"); simulated && simulated->boolean()) {
    link.source = "simulated: " + link.source;
  }
  link.bytes_per_second = rate_of(json.member("pageable_bytes_per_second"));
  link.pinned_bytes_per_second = rate_of(json.member("pinned_bytes_per_second"));
  link.latency_seconds = seconds_of(json.member("latency_seconds"));
  return link;
}

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool equal_words(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Whether `word` stands in `text` between things that are neither letters nor digits: "A10" is in
// "NVIDIA A10", not in "NVIDIA A100".
bool has_word(std::string_view text, std::string_view word) {
  const auto inner = [&](size_t i) {
    return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])) != 0;
  };
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    if (!inner(at - 1) && !inner(at + word.size())) return true;
  }
  return false;
}

// The length of the longest match; 0 where all devices of the kind match; nothing where none does.
std::optional<size_t> match_of(const Entry& entry, std::string_view device_name) {
  if (entry.matches.empty()) return 0;
  std::optional<size_t> longest;
  for (const std::string& match : entry.matches) {
    if (has_word(device_name, match)) longest = std::max(longest.value_or(0), match.size());
  }
  return longest;
}

[[noreturn]] void refuse_name(std::string_view what, std::string_view name,
                              const std::vector<std::string>& names,
                              const std::vector<std::string>& candidates) {
  throw Error(ErrorCode::not_found,
              fmt::format("no profile of a {} is called '{}'; there are {}.{}", what, name,
                          fmt::join(names, ", "), did_you_mean(name, candidates)));
}

}  // namespace

struct Profiles::File {
  std::vector<Entry> devices;
  std::vector<LinkProfile> links;

  // `further`: where names of links are looked for after this file.
  static std::shared_ptr<const File> parse(std::string_view text, std::string_view file,
                                           const File* further) {
    const nlohmann::json json = parse_json(text, file, kMostBytes);
    const JsonValue root(json, file);
    root.allow_only({"schema", "devices", "links"});
    const JsonValue schema = root.member("schema");
    if (schema.text() != kSchema) schema.refuse("\"" + std::string(kSchema) + "\"");
    auto out = std::make_shared<File>();
    if (const auto links = root.find("links")) {
      for (const JsonValue& link : links->items()) {
        out->links.push_back(read_link(link));
        if (out->link(out->links.back().name) != &out->links.back()) {
          link.member("name").refuse("a name that no other link has");
        }
      }
    }
    if (const auto devices = root.find("devices")) {
      for (const JsonValue& device : devices->items()) {
        Entry entry = read_device(device);
        const auto taken = [&](const Entry& other) {
          return equal_words(other.profile.name, entry.profile.name);
        };
        if (std::ranges::any_of(out->devices, taken)) {
          device.member("name").refuse("a name that no other device has");
        }
        const std::string& link = entry.profile.link;
        if (!entry.is_cpu && out->link(link) == nullptr &&
            (further == nullptr || further->link(link) == nullptr)) {
          device.member("link").refuse("the name of a link");
        }
        out->devices.push_back(std::move(entry));
      }
    }
    return out;
  }

  static const std::shared_ptr<const File>& built_in() {
    static const std::shared_ptr<const File> file =
        parse(embedded::profiles, "placement/profiles.json", nullptr);
    return file;
  }

  const LinkProfile* link(std::string_view name) const {
    const auto found = std::ranges::find_if(
        links, [&](const LinkProfile& other) { return equal_words(other.name, name); });
    return found == links.end() ? nullptr : &*found;
  }
};

Profiles Profiles::load(const std::string& user_file) {
  std::vector<std::shared_ptr<const File>> files;
  if (!user_file.empty()) {
    const MappedFile file = map_file(user_file);
    const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()),
                                file.bytes.size());
    files.push_back(File::parse(text, user_file, File::built_in().get()));
  }
  files.push_back(File::built_in());
  return Profiles(std::move(files));
}

DeviceProfile Profiles::device(std::string_view device_name, bool is_cpu) const {
  for (const auto& file : files_) {
    const Entry* best = nullptr;
    std::optional<size_t> longest;
    for (const Entry& entry : file->devices) {
      if (entry.is_cpu != is_cpu) continue;
      const std::optional<size_t> match = match_of(entry, device_name);
      if (match <= longest) continue;
      best = &entry;
      longest = match;
    }
    if (best == nullptr) continue;
    DeviceProfile profile = best->profile;
    if (best->per_core) {
      int cores = 1;
      std::from_chars(device_name.data(), device_name.data() + device_name.size(), cores);
      for (auto& [dtype, rate] : profile.flops) rate *= std::max(1, cores);
    }
    return profile;
  }
  DeviceProfile profile = named(kUnlistedGpu);
  profile.source = "assumed: '" + std::string(device_name) + "' has no profile. " + profile.source;
  return profile;
}

LinkProfile Profiles::link(std::string_view device_name) const {
  return link_named(device(device_name, /*is_cpu=*/false).link);
}

DeviceProfile Profiles::named(std::string_view name) const {
  std::vector<std::string> names, candidates;
  for (const auto& file : files_) {
    for (const Entry& entry : file->devices) {
      if (entry.is_cpu) continue;
      const auto is_it = [&](const std::string& word) { return equal_words(word, name); };
      if (is_it(entry.profile.name) || std::ranges::any_of(entry.matches, is_it)) {
        return entry.profile;
      }
      names.push_back(entry.profile.name);
      candidates.push_back(entry.profile.name);
      candidates.insert(candidates.end(), entry.matches.begin(), entry.matches.end());
    }
  }
  refuse_name("GPU", name, names, candidates);
}

LinkProfile Profiles::link_named(std::string_view name) const {
  std::vector<std::string> names;
  std::vector<const LinkProfile*> begun;
  for (const auto& file : files_) {
    if (const LinkProfile* link = file->link(name)) return *link;
    for (const LinkProfile& link : file->links) {
      names.push_back(link.name);
      if (!name.empty() && equal_words(link.name.substr(0, name.size()), name)) {
        begun.push_back(&link);
      }
    }
    if (begun.size() == 1) return *begun[0];
  }
  refuse_name("link", name, names, names);
}

std::vector<DeviceProfile> Profiles::devices() const {
  std::vector<DeviceProfile> out;
  for (const auto& file : files_) {
    for (const Entry& entry : file->devices) out.push_back(entry.profile);
  }
  return out;
}

std::vector<LinkProfile> Profiles::links() const {
  std::vector<LinkProfile> out;
  for (const auto& file : files_) out.insert(out.end(), file->links.begin(), file->links.end());
  return out;
}

}  // namespace ferry
