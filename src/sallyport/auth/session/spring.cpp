#include "sallyport/auth/session/spring.h"

#include <charconv>
#include <set>

#include "sallyport/auth/session/text.h"
#include "sallyport/base/encoding.h"

namespace sallyport::auth::session {
namespace {

using namespace std::literals;

constexpr std::string_view attribute_prefix = "sessionAttr:";
constexpr std::string_view java =
    "a serialized Java object, which is never brought to life; give Spring Session a JSON serializer (a bean "
    "`springSessionDefaultRedisSerializer` of GenericJackson2JsonRedisSerializer, with JDBC a ConversionService), or "
    "name the user in "
    "an attribute that is a text";

// Java's object serialization of the boxed numbers is the same but for its last bytes, whoever writes it: the class and its parent
// are described in full, with serial numbers that have been fixed since the classes exist.
constexpr std::string_view java_number = "\x00\x10java.lang.Number\x86\xac\x95\x1d\x0b\x94\xe0\x8b\x02\x00\x00xp"sv;
const std::string java_long =
    std::string("\xac\xed\x00\x05sr\x00\x0ejava.lang.Long;\x8b\xe4\x90\xcc\x8f#\xdf\x02\x00\x01J\x00\x05valuexr"sv) +
    std::string(java_number);
const std::string java_integer =
    std::string(
        "\xac\xed\x00\x05sr\x00\x11java.lang.Integer\x12\xe2\xa0\xa4\xf7\x81\x87\x38\x02\x00\x01I\x00\x05valuexr"sv) +
    std::string(java_number);
constexpr std::string_view java_boolean =
    "\xac\xed\x00\x05sr\x00\x11java.lang.Boolean\xcd r\x80\xd5\x9c\xfa\xee\x02\x00\x01Z\x00\x05valuexp"sv;
constexpr std::string_view java_text = "\xac\xed\x00\x05t"sv;
constexpr std::string_view java_start = "\xac\xed"sv;

std::int64_t big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(number);
}

// The value of one of the few classes that are known byte for byte.
std::optional<json::Value> read_java(std::string_view text) {
  if (text.starts_with(java_long) && text.size() == java_long.size() + 8) {
    return json::Value(big_endian(text.substr(java_long.size())));
  }
  if (text.starts_with(java_integer) && text.size() == java_integer.size() + 4) {
    const auto bits = static_cast<std::uint32_t>(big_endian(text.substr(java_integer.size())));
    return json::Value(std::int64_t{static_cast<std::int32_t>(bits)});
  }
  if (text.starts_with(java_boolean) && text.size() == java_boolean.size() + 1 && (text.back() & ~1) == 0) {
    return json::Value(text.back() == 1);
  }
  // Java's own UTF-8 differs for NUL and beyond the basic plane; both are refused here as no UTF-8.
  if (text.starts_with(java_text) && text.size() >= java_text.size() + 2) {
    const auto length = static_cast<std::size_t>(big_endian(text.substr(java_text.size(), 2)));
    const std::string_view content = text.substr(java_text.size() + 2);
    if (content.size() == length && is_utf8(content)) return json::Value(content);
  }
  return std::nullopt;
}

std::optional<std::int64_t> read_number(std::string_view text) {
  if (const auto value = read_java(text)) return value->integer() ? std::optional(*value->integer()) : std::nullopt;
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, trouble] = std::from_chars(text.data(), end, number);
  if (text.empty() || stop != end || trouble != std::errc()) return std::nullopt;
  return number;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

class SpringReader {
 public:
  Result<void> read(std::string_view name, std::string_view value) {
    if (name.starts_with(attribute_prefix)) return add(name.substr(attribute_prefix.size()), value);
    const std::string known = lower(name);
    if (known == "principal_name") {
      if (value.empty()) return {};
      return is_utf8(value) ? put(known, json::Value(value)) : leave(known, "a text that is not UTF-8");
    }
    // Times in milliseconds, the interval in seconds.
    if (known == "lastaccessedtime" || known == "last_access_time") return take(value, last_access_);
    if (known == "maxinactiveinterval" || known == "max_inactive_interval") return take(value, interval_);
    return {};
  }

  Result<SessionData> done() && {
    if (!last_access_ || !interval_) {
      return unsound("session: not what Spring Session stores: its last access or its interval is missing");
    }
    constexpr std::int64_t far = 1LL << 50;
    if (*last_access_ < 0 || *last_access_ > far || *interval_ > far / 1000) {
      return unsound("session: its last access or its interval is no time");
    }
    // Negative: it never ends.
    if (*interval_ >= 0) data_.expires_at = WallTime(std::chrono::milliseconds(*last_access_ + *interval_ * 1000));
    data_.values = std::move(values_);
    return std::move(data_);
  }

 private:
  Result<void> add(std::string_view name, std::string_view value) {
    size_ += value.size();
    if (size_ > max_stored_size) return unsound("session: longer than any that is read");
    if (value.empty()) return {};  // an attribute that was taken away
    if (value.starts_with(java_start)) {
      auto known = read_java(value);
      return known ? put(name, std::move(*known)) : leave(name, std::string(java));
    }
    auto parsed = json::parse(value, max_depth);
    return parsed ? put(name, std::move(*parsed)) : leave(name, "something that is neither JSON nor Java's");
  }
  Result<void> put(std::string_view name, json::Value value) {
    TRY_OK(remember(name));
    values_.emplace_back(name, std::move(value));
    return {};
  }
  Result<void> leave(std::string_view name, std::string what) {
    TRY_OK(remember(name));
    if (data_.unreadable.size() == max_unreadable) return unsound("session: more objects than are stepped over");
    data_.unreadable.push_back({{std::string(name)}, std::move(what)});
    return {};
  }
  Result<void> remember(std::string_view name) {
    if (!names_.emplace(name).second) return unsound("session: the same name twice");
    if (names_.size() > max_values) return unsound("session: more values than are read");
    return {};
  }
  static Result<void> take(std::string_view text, std::optional<std::int64_t>& out) {
    if (out) return unsound("session: the same name twice");
    out = read_number(text);
    if (!out) return unsound("session: its last access or its interval is no number");
    return {};
  }

  SessionData data_;
  json::Object values_;
  std::set<std::string, std::less<>> names_;
  std::size_t size_ = 0;
  std::optional<std::int64_t> last_access_;
  std::optional<std::int64_t> interval_;
};

}  // namespace

Result<std::string> parse_spring_session_id(std::string_view cookie) {
  TRY(const std::string text, percent_decode(cookie));
  auto id = base64_decode(text);
  if (!id || !is_id(*id, 16, 128, "-")) return unsound("session cookie: not the form of a Spring session id");
  return std::move(*id);
}

Result<SessionData> parse_spring_session(const std::vector<std::pair<std::string, std::string>>& fields) {
  SpringReader reader;
  for (const auto& [name, value] : fields) TRY_OK(reader.read(name, value));
  return std::move(reader).done();
}

}  // namespace sallyport::auth::session
