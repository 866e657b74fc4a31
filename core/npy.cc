#include "core/npy.h"

#include <sys/stat.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "core/checked.h"
#include "core/files.h"
#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry {
namespace {

struct Code {
  DType dtype;
  std::string_view code;  // numpy's kind and size, without byte order
};
constexpr std::array<Code, 15> kCodes{{
    {float32, "f4"},
    {float64, "f8"},
    {float16, "f2"},
    {int8, "i1"},
    {int16, "i2"},
    {int32, "i4"},
    {int64, "i8"},
    {uint8, "u1"},
    {uint16, "u2"},
    {uint32, "u4"},
    {uint64, "u8"},
    {boolean, "b1"},
    {complex64, "c8"},
    {complex128, "c16"},
    {bfloat16, "V2"},
}};

constexpr std::string_view kMagic = "\x93NUMPY";

[[noreturn]] void malformed(const std::string& what, const std::string& reason) {
  throw Error(ErrorCode::invalid_argument, what + " is not a readable .npy array: " + reason + ".");
}

// The text after `key` in the header's Python dictionary, or nullopt.
std::optional<std::string_view> field(std::string_view header, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = quote + std::string(key) + quote;
    const size_t at = header.find(quoted);
    if (at == std::string_view::npos) continue;
    std::string_view rest = header.substr(at + quoted.size());
    const size_t start = rest.find_first_not_of(" :");
    if (start == std::string_view::npos) return std::nullopt;
    return rest.substr(start);
  }
  return std::nullopt;
}

std::string_view quoted_text(std::string_view text, const std::string& what) {
  if (text.empty() || (text[0] != '\'' && text[0] != '"')) {
    malformed(what, "structured types are not supported");
  }
  const size_t end = text.find(text[0], 1);
  if (end == std::string_view::npos) malformed(what, "its header ends early");
  return text.substr(1, end - 1);
}

Shape parse_shape(std::string_view text, const std::string& what) {
  if (text.empty() || text[0] != '(') malformed(what, "its header has no shape");
  const size_t end = text.find(')');
  if (end == std::string_view::npos) malformed(what, "its header ends early");
  Shape shape;
  const char* at = text.data() + 1;
  const char* const stop = text.data() + end;
  while (at < stop) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    int64_t size = 0;
    const auto [next, error] = std::from_chars(at, stop, size);
    if (error != std::errc() || size < 0) malformed(what, "its shape is not a list of sizes");
    shape.push_back(size);
    at = next;
    if (at < stop && *at == 'L') ++at;
  }
  return shape;
}

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18 & 7));
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

std::vector<uint32_t> decode_utf8(std::string_view text) {
  std::vector<uint32_t> out;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t c = length == 1 ? lead : lead & (0xff >> (length + 1));
    for (size_t k = 1; k < length && i + k < text.size(); ++k) {
      c = c << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3f);
    }
    out.push_back(c);
    i += length;
  }
  return out;
}

Tensor read_strings(std::string_view data, bool unicode, size_t width, Shape shape,
                    const std::string& what) {
  const size_t bytes = width * (unicode ? 4 : 1);
  const auto needed = checked_mul<size_t>(static_cast<size_t>(numel_of(shape)), bytes);
  if (!needed || *needed > data.size()) malformed(what, "its data ends early");
  Tensor out = Tensor::empty(std::move(shape), DType::string);
  const auto strings = out.mutable_span<std::string>();
  for (size_t i = 0; i < strings.size(); ++i) {
    const char* item = data.data() + i * bytes;
    if (unicode) {
      for (size_t k = 0; k < width; ++k) {
        uint32_t c;
        std::memcpy(&c, item + 4 * k, 4);
        if (c == 0) break;
        append_utf8(strings[i], c);
      }
    } else {
      strings[i].assign(item, strnlen(item, width));
    }
  }
  return out;
}

// Turns column-major elements of `bytes` bytes into row-major ones.
void reorder_fortran(const char* source, char* destination, const Shape& shape, size_t bytes) {
  const auto count = static_cast<size_t>(numel_of(shape));
  Shape index(shape.size(), 0);
  for (size_t i = 0; i < count; ++i) {
    size_t offset = 0;
    for (size_t axis = shape.size(); axis-- > 0;) {
      offset = offset * static_cast<size_t>(shape[axis]) + static_cast<size_t>(index[axis]);
    }
    std::memcpy(destination + i * bytes, source + offset * bytes, bytes);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

void swap_bytes(char* data, size_t count, size_t bytes) {
  for (size_t i = 0; i < count; ++i) std::reverse(data + i * bytes, data + (i + 1) * bytes);
}

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;

[[noreturn]] void zip_fail(const std::string& path, const char* verb, const std::string& reason) {
  throw Error(ErrorCode::io, std::string("cannot ") + verb + " '" + path + "': " + reason + ".");
}

Archive open_archive(const std::string& path, int flags) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), flags, &code);
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (code == ZIP_ER_NOENT) {
      throw Error(ErrorCode::not_found, "cannot open '" + path + "': " + reason + ".");
    }
    zip_fail(path, "open", reason);
  }
  return Archive(archive, zip_discard);
}

// An archive that is read. Deflate cannot shrink below a thousandth: an archive whose members claim
// to be larger than that makes of its bytes lies, or reads its bytes several times.
struct Reading {
  Archive archive;
  const std::string& path;
  uint64_t left;  // bytes that members may still expand to

  Reading(Archive open, const std::string& name, uint64_t bytes)
      : archive(std::move(open)), path(name), left(std::min(bytes, UINT64_MAX / 1100 - 1) * 1100) {}
};

std::string member_bytes(Reading& reading, zip_uint64_t index) {
  zip_t* const archive = reading.archive.get();
  const std::string& path = reading.path;
  zip_stat_t info;
  if (zip_stat_index(archive, index, 0, &info) != 0 || !(info.valid & ZIP_STAT_SIZE)) {
    zip_fail(path, "read", zip_strerror(archive));
  }
  if (info.size > reading.left) {
    zip_fail(path, "read",
             "its members claim " + std::to_string(info.size) +
                 " bytes and more, which is more than deflate can make of the archive");
  }
  reading.left -= info.size;
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(zip_fopen_index(archive, index, 0),
                                                                zip_fclose);
  if (!file) zip_fail(path, "read", zip_strerror(archive));
  // Memory is touched as the bytes come, not as they are claimed.
  std::string bytes;
  try {
    bytes.reserve(info.size);
  } catch (const std::exception&) {
    throw Error(ErrorCode::out_of_memory, "the host has no memory left for the " +
                                              std::to_string(info.size) +
                                              " bytes of a member of '" + path + "'.");
  }
  while (bytes.size() < info.size) {
    const size_t start = bytes.size();
    const size_t more = std::min<size_t>(info.size - start, size_t{1} << 20);
    bytes.resize(start + more);
    if (zip_fread(file.get(), bytes.data() + start, more) != static_cast<zip_int64_t>(more)) {
      zip_fail(path, "read", "a member ends early or is damaged");
    }
  }
  return bytes;
}

std::string member_name(const Reading& reading, zip_uint64_t index) {
  const char* const name = zip_get_name(reading.archive.get(), index, 0);
  if (name == nullptr) zip_fail(reading.path, "read", zip_strerror(reading.archive.get()));
  return name;
}

Reading open_to_read(const std::string& path) {
  struct stat info {};
  const uint64_t bytes = stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
  return Reading(open_archive(path, ZIP_RDONLY), path, bytes);
}

std::string without_npy(std::string name) {
  if (name.ends_with(".npy")) name.resize(name.size() - 4);
  return name;
}

}  // namespace

Tensor read_npy(std::string_view bytes, const std::string& what) {
  if (bytes.size() < 10 || bytes.substr(0, 6) != kMagic) malformed(what, "it has no npy signature");
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(bytes[i])); };
  const size_t major = byte(6);
  if (major < 1 || major > 3) malformed(what, "format version " + std::to_string(major));
  const size_t prefix = major == 1 ? 10 : 12;
  if (bytes.size() < prefix) malformed(what, "its header ends early");
  size_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (bytes.size() - prefix < length) malformed(what, "its header ends early");
  const std::string_view header = bytes.substr(prefix, length);
  std::string_view data = bytes.substr(prefix + length);

  const auto descr = field(header, "descr"), order = field(header, "fortran_order"),
             shape_text = field(header, "shape");
  if (!descr || !order || !shape_text)
    malformed(what, "its header lacks descr, fortran_order or shape");
  std::string_view type = quoted_text(*descr, what);
  if (type.size() < 2) malformed(what, "its type is '" + std::string(type) + "'");
  const bool big_endian = type[0] == '>';
  if (std::string_view("<>|=").find(type[0]) != std::string_view::npos) type.remove_prefix(1);
  Shape shape = parse_shape(*shape_text, what);
  const auto count = static_cast<size_t>(numel_of(shape));
  const bool fortran = order->starts_with("True");

  if (type[0] == 'U' || type[0] == 'S') {
    size_t width = 0;
    const auto parsed = std::from_chars(type.data() + 1, type.data() + type.size(), width);
    // A width of 0 would make any number of strings from no data.
    if (parsed.ec != std::errc() || parsed.ptr != type.data() + type.size() || fortran ||
        big_endian || width < 1 || width > (1u << 30)) {
      malformed(what, "its type is '" + std::string(type) + "'");
    }
    return read_strings(data, type[0] == 'U', width, std::move(shape), what);
  }
  const auto code =
      std::find_if(kCodes.begin(), kCodes.end(), [&](const Code& c) { return c.code == type; });
  if (code == kCodes.end()) {
    malformed(what, "elements of numpy type '" + std::string(type) + "' are not supported");
  }
  const size_t size = dtype_bytes(code->dtype, static_cast<int64_t>(count));
  if (data.size() < size) {
    malformed(what, "it needs " + std::to_string(size) + " bytes of data and has " +
                        std::to_string(data.size()));
  }
  Tensor out = Tensor::empty(std::move(shape), code->dtype);
  if (count == 0) return out;
  const size_t element = size / count;
  auto* destination = static_cast<char*>(out.mutable_data());
  if (fortran && out.dim() > 1) {
    reorder_fortran(data.data(), destination, out.shape(), element);
  } else {
    std::memcpy(destination, data.data(), size);
  }
  if (big_endian && element > 1) {
    const bool complex = is_complex(code->dtype);
    swap_bytes(destination, complex ? count * 2 : count, complex ? element / 2 : element);
  }
  if (code->dtype == DType::boolean) {
    for (size_t i = 0; i < count; ++i) destination[i] = destination[i] != 0;
  }
  return out;
}

std::string write_npy(const Tensor& tensor) {
  const Tensor host = tensor.cpu().contiguous();
  std::string type, data;
  if (host.dtype() == DType::string) {
    std::vector<std::vector<uint32_t>> decoded;
    size_t width = 1;
    for (const std::string& s : host.span<std::string>()) {
      decoded.push_back(decode_utf8(s));
      width = std::max(width, decoded.back().size());
    }
    data.assign(decoded.size() * width * 4, '\0');
    for (size_t i = 0; i < decoded.size(); ++i) {
      std::ranges::copy(std::as_bytes(std::span(decoded[i])),
                        std::as_writable_bytes(std::span(data)).begin() +
                            static_cast<std::ptrdiff_t>(i * width * 4));
    }
    type = "<U" + std::to_string(width);
  } else {
    const auto code = std::find_if(kCodes.begin(), kCodes.end(),
                                   [&](const Code& c) { return c.dtype == host.dtype(); });
    if (code == kCodes.end()) {
      throw Error(ErrorCode::unsupported, "numpy has no type for " +
                                              std::string(to_string(host.dtype())) +
                                              "; convert the tensor first, or save it as .pb.");
    }
    type = (dtype_bits(host.dtype()) == 8 ? "|" : "<") + std::string(code->code);
    data.assign(static_cast<const char*>(host.data()), host.nbytes());
  }
  std::string shape = "(";
  for (const int64_t size : host.shape()) shape += std::to_string(size) + ", ";
  if (host.dim() > 1) shape.resize(shape.size() - 2);
  if (host.dim() == 1) shape.resize(shape.size() - 1);
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + "), }";
  // The header is padded so that the data starts at a multiple of 64 bytes.
  header.append(63 - (header.size() + 10) % 64, ' ');
  header += '\n';
  std::string out(kMagic);
  out +=
      {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  return out + header + data;
}

namespace {

NamedTensors read_all(Reading reading) {
  NamedTensors out;
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(reading.archive.get(), 0));
  for (zip_uint64_t i = 0; i < count; ++i) {
    const std::string name = member_name(reading, i);
    out.emplace_back(without_npy(name),
                     read_npy(member_bytes(reading, i), reading.path + ":" + name));
  }
  return out;
}

}  // namespace

NamedTensors load_npz(const std::string& path) { return read_all(open_to_read(path)); }

NamedTensors read_npz(std::string_view bytes, const std::string& what) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* archive = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error);
  if (archive == nullptr) {
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    zip_source_free(source);
    zip_fail(what, "read", reason);
  }
  zip_error_fini(&error);
  return read_all(Reading(Archive(archive, zip_discard), what, bytes.size()));
}

Tensor load_npz_member(const std::string& path, const std::string& key) {
  Reading reading = open_to_read(path);
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(reading.archive.get(), 0));
  std::vector<std::string> names;
  for (zip_uint64_t i = 0; i < count; ++i) {
    const std::string name = member_name(reading, i);
    names.push_back(without_npy(name));
    if (names.back() == key) return read_npy(member_bytes(reading, i), path + ":" + name);
  }
  throw Error(ErrorCode::not_found,
              "'" + path + "' has no array named '" + key + "'." + did_you_mean(key, names));
}

void save_npz(const std::string& path, const NamedTensors& tensors) {
  // libzip writes a temporary file beside `path` and renames it on close.
  Archive archive = open_archive(path, ZIP_CREATE | ZIP_TRUNCATE);
  std::vector<std::string> members;
  members.reserve(tensors.size());  // libzip reads the buffers at close
  for (const auto& [name, tensor] : tensors) {
    members.push_back(write_npy(tensor));
    zip_source_t* source =
        zip_source_buffer(archive.get(), members.back().data(), members.back().size(), 0);
    const zip_int64_t index =
        source == nullptr
            ? -1
            : zip_file_add(archive.get(), (name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);
      zip_fail(path, "write", zip_strerror(archive.get()));
    }
    zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
    zip_file_set_mtime(archive.get(), static_cast<zip_uint64_t>(index), 0, 0);
  }
  if (zip_close(archive.get()) != 0) zip_fail(path, "write", zip_strerror(archive.get()));
  static_cast<void>(archive.release());
}

}  // namespace ferry
