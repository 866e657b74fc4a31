#include "core/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/checked.h"
#include "core/file_map.h"
#include "core/files.h"
#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry {
namespace {

using Json = nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little);
constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kLongestHeader = 100'000'000;  // as the format's own reader has it
constexpr std::string_view kMetadata = "__metadata__";

struct Code {
  DType dtype;
  std::string_view code;
};
constexpr std::array kCodes = std::to_array<Code>({
    {boolean, "BOOL"},
    {uint8, "U8"},
    {int8, "I8"},
    {uint16, "U16"},
    {int16, "I16"},
    {uint32, "U32"},
    {int32, "I32"},
    {uint64, "U64"},
    {int64, "I64"},
    {float16, "F16"},
    {bfloat16, "BF16"},
    {float32, "F32"},
    {float64, "F64"},
    {complex64, "C64"},
    {float8_e4m3fn, "F8_E4M3"},
    {float8_e5m2, "F8_E5M2"},
    {float8_e8m0, "F8_E8M0"},
    {float4_e2m1, "F4"},
});

struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin, end;  // in the file
};

class Header {
 public:
  Header(Bytes file, const std::string& path) : path_(path) {
    uint64_t length = 0;
    if (file.size() < kLengthBytes) malformed("it has no header");
    std::memcpy(&length, file.data(), sizeof length);
    if (length > kLongestHeader) {
      malformed("its header claims " + std::to_string(length) + " bytes, more than the format has");
    }
    if (length > file.size() - kLengthBytes) malformed("its header ends after the file");
    const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes,
                                static_cast<size_t>(length));
    if (!text.starts_with('{')) malformed("its header does not start with {");
    read_entries(parse(text), kLengthBytes + length, file.size());
  }

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  [[noreturn]] void malformed(const std::string& reason) const {
    throw Error(ErrorCode::invalid_argument,
                "'" + path_ + "' is not a readable safetensors file: " + reason + ".");
  }

  // A name that is there twice is refused: readers disagree on which tensor it means.
  Json parse(std::string_view text) const {
    constexpr int kDeepest = 4;  // the format has three levels
    std::array<std::set<std::string>, kDeepest + 1> names;
    bool repeated = false;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
      if (depth >= kDeepest) return false;  // dropped, and missed below
      if (event == Json::parse_event_t::object_start) names[depth + 1].clear();
      if (event == Json::parse_event_t::key) {
        repeated |= !names[depth].insert(value.get<std::string>()).second;
      }
      return true;
    };
    Json header = Json::parse(text, watch, false);
    if (header.is_discarded() || !header.is_object()) malformed("its header is not a JSON object");
    if (repeated) malformed("its header has a name twice");
    return header;
  }

  void read_entries(const Json& header, uint64_t start, uint64_t file_size) {
    for (const auto& [name, value] : header.items()) {
      if (name == kMetadata) {
        const bool texts = value.is_object() &&
                           std::ranges::all_of(value, [](const Json& v) { return v.is_string(); });
        if (!texts) malformed("its metadata is not a map of texts");
        continue;
      }
      entries_.push_back(entry_of(name, value, start, file_size - start));
    }
    std::ranges::stable_sort(entries_, {},
                             [](const Entry& e) { return std::pair(e.begin, e.end); });
    uint64_t at = start;
    for (const Entry& entry : entries_) {
      if (entry.begin != at) {
        malformed((entry.begin > at ? "there is a gap before tensor '"
                                    : "another tensor overlaps tensor '") +
                  entry.name + "'");
      }
      at = entry.end;
    }
    if (at != file_size) {
      malformed(std::to_string(file_size - at) + " bytes at its end belong to no tensor");
    }
  }

  Entry entry_of(const std::string& name, const Json& value, uint64_t start, uint64_t size) const {
    const std::string tensor = "tensor '" + name + "' ";
    for (const char* key : {"dtype", "shape", "data_offsets"}) {
      if (!value.is_object() || !value.contains(key)) malformed(tensor + "has no " + key);
    }
    if (value.size() != 3) malformed(tensor + "has fields that the format does not know");
    const auto code = value["dtype"].is_string() ? value["dtype"].get<std::string>() : "";
    const auto row = std::ranges::find(kCodes, code, &Code::code);
    if (row == kCodes.end()) malformed(tensor + "has the type " + value["dtype"].dump());
    const std::vector<uint64_t> offsets = numbers(value["data_offsets"], tensor + "has offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > size) {
      malformed(tensor + "has offsets outside the file");
    }
    Entry entry{name, row->dtype, {}, start + offsets[0], start + offsets[1]};
    for (const uint64_t axis : numbers(value["shape"], tensor + "has a shape")) {
      entry.shape.push_back(static_cast<int64_t>(axis));
    }
    if (bytes_of(entry, tensor) != entry.end - entry.begin) {
      malformed(tensor + "of shape " + to_string(std::span(entry.shape)) + " has " +
                std::to_string(entry.end - entry.begin) + " bytes");
    }
    return entry;
  }

  std::vector<uint64_t> numbers(const Json& list, const std::string& what) const {
    std::vector<uint64_t> out;
    if (!list.is_array()) malformed(what + " that is no list");
    for (const Json& item : list) {
      if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) {
        malformed(what + " with the entry " + item.dump());
      }
      out.push_back(item.get<uint64_t>());
    }
    return out;
  }

  uint64_t bytes_of(const Entry& entry, const std::string& tensor) const {
    try {
      const int64_t count = numel_of(entry.shape);
      const int per_byte = 8 / std::min(8, dtype_bits(entry.dtype));
      if (count % per_byte != 0) malformed(tensor + "ends within a byte");
      return dtype_bytes(entry.dtype, count);
    } catch (const Error& error) {
      malformed(tensor + "is too large: " + error.message());
    }
  }

  const std::string& path_;
  std::vector<Entry> entries_;
};

Tensor read_entry(Bytes file, const Entry& entry) {
  Tensor out = Tensor::empty(entry.shape, entry.dtype);
  std::ranges::copy(file.subspan(entry.begin, out.nbytes()),
                    static_cast<uint8_t*>(out.mutable_data()));
  if (entry.dtype == DType::boolean) {
    // A bool is 0 or 1; files may hold other bytes.
    auto* bytes = static_cast<uint8_t*>(out.mutable_data());
    for (size_t i = 0; i < out.nbytes(); ++i) bytes[i] = bytes[i] != 0;
  }
  return out;
}

}  // namespace

NamedTensors load_safetensors(const std::string& path) {
  const MappedFile file = map_file(path);
  const Header header(file.bytes, path);
  NamedTensors out;
  for (const Entry& entry : header.entries())
    out.emplace_back(entry.name, read_entry(file.bytes, entry));
  return out;
}

Tensor load_safetensors_member(const std::string& path, const std::string& key) {
  const MappedFile file = map_file(path);
  const Header header(file.bytes, path);
  std::vector<std::string> names;
  for (const Entry& entry : header.entries()) {
    if (entry.name == key) return read_entry(file.bytes, entry);
    names.push_back(entry.name);
  }
  throw Error(ErrorCode::not_found,
              "'" + path + "' has no tensor named '" + key + "'." + did_you_mean(key, names));
}

void save_safetensors(const std::string& path, const NamedTensors& tensors) {
  const auto refuse = [&](const std::string& name, const std::string& reason) {
    throw Error(ErrorCode::invalid_argument,
                "tensor '" + name + "' cannot be saved to '" + path + "': " + reason + ".");
  };
  // The widest types first, so that every tensor is aligned to its elements.
  std::vector<std::pair<std::string, Tensor>> ordered;
  for (const auto& [name, tensor] : tensors) ordered.emplace_back(name, tensor.cpu().contiguous());
  std::ranges::stable_sort(ordered, std::greater<>(),
                           [](const auto& item) { return dtype_bits(item.second.dtype()); });
  Json header = Json::object();
  size_t end = 0;
  for (const auto& [name, tensor] : ordered) {
    const auto row = std::ranges::find(kCodes, tensor.dtype(), &Code::dtype);
    if (row == kCodes.end()) {
      refuse(name, "the format has no type for " + std::string(to_string(tensor.dtype())));
    }
    if (name == kMetadata || header.contains(name)) refuse(name, "the name is taken");
    if (tensor.numel() * dtype_bits(tensor.dtype()) % 8 != 0) {
      refuse(name, "its elements do not fill whole bytes");
    }
    const size_t begin = std::exchange(end, end + tensor.nbytes());
    header[name] = {
        {"dtype", row->code}, {"shape", tensor.shape()}, {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::type_error&) {
    refuse(ordered[0].first, "it or another name is not UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes.reserve(bytes.size() + text.size() + end);
  bytes += text;
  for (const auto& [name, tensor] : ordered) {
    if (tensor.nbytes() == 0) continue;  // its address may be null
    bytes.append(static_cast<const char*>(tensor.data()), tensor.nbytes());
  }
  write_file(path, bytes);
}

}  // namespace ferry
