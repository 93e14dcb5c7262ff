#include "data/index_array.h"

#include <charconv>
#include <string>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
constexpr int64_t kAlignment = 64;

struct TypeName {
  IndexArray::Type type;
  std::string_view name;
  int64_t bytes;
};
constexpr TypeName kTypes[] = {{IndexArray::Type::int16, "<i2", 2},
                               {IndexArray::Type::int32, "<i4", 4},
                               {IndexArray::Type::uint32, "<u4", 4},
                               {IndexArray::Type::int64, "<i8", 8},
                               {IndexArray::Type::uint64, "<u8", 8}};

const TypeName& type_name(IndexArray::Type type) {
  for (const TypeName& candidate : kTypes) {
    if (candidate.type == type) return candidate;
  }
  LONGHAUL_CHECK(false, "unknown index type");
}

std::string header_dictionary(std::string_view descr, int64_t rows, int64_t columns) {
  const std::string shape = columns == 1 ? fmt::format("({},)", rows) : fmt::format("({}, {})", rows, columns);
  return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", descr, shape);
}

// Eats `prefix` from the front of `text`.
bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool take_number(std::string_view& text, int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

}  // namespace

IndexArray::IndexArray(Type type, int64_t rows, int64_t columns, std::vector<std::byte> bytes)
    : type_(type), rows_(rows), columns_(columns) {
  LONGHAUL_CHECK(static_cast<int64_t>(bytes.size()) == rows * columns * index_array_bytes(type), "{} bytes",
                 bytes.size());
  auto owned = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  bytes_ = *owned;
  owner_ = std::move(owned);
}

int64_t index_array_bytes(IndexArray::Type type) {
  return type_name(type).bytes;
}

std::string numpy_header(IndexArray::Type type, int64_t rows, int64_t columns) {
  std::string dictionary = header_dictionary(type_name(type).name, rows, columns);
  // Magic, two bytes of length, the dictionary, spaces and a newline: a multiple of 64 in all.
  const auto used = static_cast<int64_t>(kMagic.size() + 2 + dictionary.size() + 1);
  dictionary.append(static_cast<size_t>((kAlignment - used % kAlignment) % kAlignment), ' ');
  dictionary += '\n';
  const auto length = static_cast<uint16_t>(dictionary.size());
  std::string header(kMagic);
  header.append(reinterpret_cast<const char*>(&length), sizeof(length));
  return header + dictionary;
}

IndexArray IndexArray::load(const std::filesystem::path& file) {
  auto mapped = std::make_shared<MappedFile>(file);
  const std::string_view text = mapped->text();
  const auto damaged = [&](std::string_view what) { return UserError("{} is damaged: {}", file.string(), what); };
  uint16_t length = 0;
  if (!text.starts_with(kMagic) || text.size() < kMagic.size() + 2) throw damaged("it is no NumPy file, format 1.0");
  std::memcpy(&length, text.data() + kMagic.size(), 2);
  const size_t start = kMagic.size() + 2 + length;
  if (text.size() < start) throw damaged("its header is cut off");
  std::string_view rest = text.substr(kMagic.size() + 2, length);

  IndexArray array;
  int64_t item = 0;
  if (!take(rest, "{'descr': '")) throw damaged("its header has no descr");
  for (const TypeName& candidate : kTypes) {
    if (take(rest, candidate.name)) {
      array.type_ = candidate.type;
      item = candidate.bytes;
      break;
    }
  }
  if (item == 0) throw damaged("its element type is not one of <i2, <i4, <u4, <i8, <u8");
  const bool shaped = take(rest, "', 'fortran_order': False, 'shape': (") && take_number(rest, array.rows_) &&
                      (take(rest, ",)") || (take(rest, ", ") && take_number(rest, array.columns_) && take(rest, ")")));
  if (!shaped) throw damaged("its header has no shape of one or two dimensions");
  const auto available = static_cast<int64_t>(text.size() - start);
  const bool fits = array.columns_ > 0 && array.rows_ <= available / item / array.columns_ &&
                    array.rows_ * array.columns_ * item == available;
  if (!fits)
    throw damaged(fmt::format("it holds {} bytes, not {} x {} elements", available, array.rows_, array.columns_));
  array.bytes_ = mapped->bytes().subspan(start);
  array.owner_ = std::move(mapped);
  return array;
}

}  // namespace longhaul
