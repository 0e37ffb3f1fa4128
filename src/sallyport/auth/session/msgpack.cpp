#include "sallyport/auth/session/msgpack.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>

namespace sallyport::auth::session {
namespace {

class MsgpackReader {
 public:
  MsgpackReader(std::string_view text, SessionData& data) : rest_(text), data_(data) {}

  bool done() const { return rest_.empty(); }

  Result<json::Value> read(int depth) {
    if (depth > max_depth) return unsound("session: nested deeper than is read");
    if (!budget_.take()) return unsound("session: more values than are read");
    TRY(const auto lead, take(1));
    const auto type = static_cast<unsigned>(lead);
    if (type < 0x80) return json::Value(static_cast<std::int64_t>(type));
    if (type < 0x90) return read_map(type & 15, depth);
    if (type < 0xa0) return read_array(type & 15, depth);
    if (type < 0xc0) return read_text(type & 31);
    if (type >= 0xe0) return json::Value(static_cast<std::int64_t>(type) - 256);
    switch (type) {
      case 0xc0:
        return json::Value();
      case 0xc2:
        return json::Value(false);
      case 0xc3:
        return json::Value(true);
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return skip_counted(type - 0xc4, 0, "bytes, which name nobody");
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return skip_counted(type - 0xc7, 1, "an extension of MessagePack");
      case 0xca: {
        TRY(const auto bits, take(4));
        return real(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
      }
      case 0xcb: {
        TRY(const auto bits, take(8));
        return real(std::bit_cast<double>(bits));
      }
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf: {
        TRY(const auto number, take(std::size_t{1} << (type - 0xcc)));
        if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          return leave("a number beyond 63 bits");
        }
        return json::Value(static_cast<std::int64_t>(number));
      }
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3: {
        const std::size_t size = std::size_t{1} << (type - 0xd0);
        TRY(const auto number, take(size));
        const unsigned unused = 64 - 8 * static_cast<unsigned>(size);
        return json::Value(static_cast<std::int64_t>(number << unused) >> unused);
      }
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return skip(1 + (std::size_t{1} << (type - 0xd4)), "an extension of MessagePack");
      case 0xd9:
      case 0xda:
      case 0xdb: {
        TRY(const auto size, take(std::size_t{1} << (type - 0xd9)));
        return read_text(size);
      }
      case 0xdc:
      case 0xdd: {
        TRY(const auto count, take(type == 0xdc ? 2 : 4));
        return read_array(count, depth);
      }
      case 0xde:
      case 0xdf: {
        TRY(const auto count, take(type == 0xde ? 2 : 4));
        return read_map(count, depth);
      }
      default:
        return unsound("session: not MessagePack");
    }
  }

 private:
  // The next `size` bytes as one number, at most eight.
  Result<std::uint64_t> take(std::size_t size) {
    if (rest_.size() < size) return unsound("session: MessagePack that ends too early");
    std::uint64_t number = 0;
    for (const char byte : rest_.substr(0, size)) number = number << 8 | static_cast<unsigned char>(byte);
    rest_.remove_prefix(size);
    return number;
  }
  Result<std::string_view> take_bytes(std::uint64_t size) {
    if (rest_.size() < size) return unsound("session: MessagePack that ends too early");
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  Result<json::Value> real(double number) {
    if (std::isfinite(number)) return json::Value(number);
    return leave("a number that is not finite");
  }
  Result<json::Value> read_text(std::uint64_t size) {
    TRY(const auto text, take_bytes(size));
    if (!is_utf8(text)) return leave("a text that is not UTF-8");
    return json::Value(text);
  }
  Result<json::Value> read_array(std::uint64_t count, int depth) {
    json::Array array;
    for (std::uint64_t i = 0; i < count; ++i) {
      place_.push_back(std::to_string(i));
      auto item = read(depth + 1);
      place_.pop_back();
      if (!item) return std::move(item).error();
      array.push_back(std::move(*item));
    }
    return json::Value(std::move(array));
  }
  Result<json::Value> read_map(std::uint64_t count, int depth) {
    json::Object object;
    std::set<std::string, std::less<>> names;
    for (std::uint64_t i = 0; i < count; ++i) {
      TRY(std::string name, read_name(depth));
      if (!names.insert(name).second) return unsound("session: the same name twice");
      place_.push_back(name);
      auto member = read(depth + 1);
      place_.pop_back();
      if (!member) return std::move(member).error();
      object.emplace_back(std::move(name), std::move(*member));
    }
    return json::Value(std::move(object));
  }
  Result<std::string> read_name(int depth) {
    TRY(const auto name, read(depth + 1));
    if (name.string()) return *name.string();
    if (name.integer()) return std::to_string(*name.integer());
    return unsound("session: a name that is neither text nor integer");
  }
  Result<json::Value> skip_counted(unsigned power, std::size_t more, const char* what) {
    TRY(const auto size, take(std::size_t{1} << power));
    return skip(size + more, what);
  }
  Result<json::Value> skip(std::uint64_t size, const char* what) {
    TRY_OK(take_bytes(size));
    return leave(what);
  }
  Result<json::Value> leave(std::string what) {
    if (data_.unreadable.size() == max_unreadable) return unsound("session: more values than are stepped over");
    data_.unreadable.push_back({place_, std::move(what)});
    return json::Value();
  }

  std::string_view rest_;
  SessionData& data_;
  Budget budget_;
  std::vector<std::string> place_;
};

}  // namespace

Result<SessionData> parse_msgpack_session(std::string_view stored) {
  if (stored.size() > max_stored_size) return unsound("session: longer than any that is read");
  SessionData data;
  MsgpackReader reader(stored, data);
  TRY(data.values, reader.read(0));
  if (!reader.done()) return unsound("session: bytes behind the MessagePack");
  if (!data.values.object()) return unsound("session: MessagePack, but no map");
  return data;
}

}  // namespace sallyport::auth::session
