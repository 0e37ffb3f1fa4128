#include "sallyport/auth/session/php.h"

#include <charconv>
#include <cmath>
#include <set>

#include "sallyport/auth/session/text.h"

namespace sallyport::auth::session {
namespace {

constexpr std::string_view advice =
    ", which is never brought to life; store texts, numbers and arrays of them in $_SESSION for the gateway to read";
constexpr std::size_t shown_class = 64;

enum class Want : std::uint8_t { value, skip };

/// Reads one serialized value after the other. What it reads is cut by lengths and counts that were written for machines, so a quote
/// or a brace inside a text means nothing.
class PhpReader {
 public:
  PhpReader(std::string_view text, SessionData& data) : rest_(text), data_(data) {}

  bool done() const { return rest_.empty(); }

  Result<json::Value> read(Want want, int depth) {
    if (depth > max_depth) return unsound("session: nested deeper than is read");
    if (!budget_.take()) return unsound("session: more values than are read");
    if (rest_.size() < 2) return cut_short();
    const char type = rest_.front();
    if (type == 'N') {
      rest_.remove_prefix(1);
      TRY_OK(expect(";"));
      return json::Value();
    }
    if (rest_[1] != ':') return malformed();
    rest_.remove_prefix(2);
    switch (type) {
      case 'b':
        return read_boolean();
      case 'i':
        return read_integer();
      case 'd':
        return read_real(want);
      case 's':
        return read_text(want);
      case 'a':
        return read_array(want, depth);
      case 'O':
        return skip_object(want, depth);
      case 'C':
        return skip_custom(want);
      case 'E':
        return skip_enum(want);
      case 'R':
      case 'r':
        return skip_reference(want);
      default:
        return malformed();
    }
  }

  /// The name in front of the next value, up to a bar.
  Result<std::string_view> take_name_before_bar() {
    const auto bar = rest_.find('|');
    if (bar == std::string_view::npos || bar == 0) return malformed();
    const std::string_view name = rest_.substr(0, bar);
    rest_.remove_prefix(bar + 1);
    return name;
  }
  /// The name in front of the next value, behind its length.
  Result<std::string_view> take_counted_name() {
    const auto length = static_cast<unsigned char>(rest_.front());
    if (length == 0 || length > 127 || rest_.size() <= length) return malformed();
    const std::string_view name = rest_.substr(1, length);
    rest_.remove_prefix(1 + std::size_t{length});
    return name;
  }

  Result<void> add(json::Object& object, std::set<std::string, std::less<>>& names, std::string name, Want want,
                   int depth) {
    if (want == Want::value && !names.insert(name).second) return unsound("session: the same name twice");
    place_.push_back(name);
    auto value = read(want, depth);
    place_.pop_back();
    if (!value) return std::move(value).error();
    if (want == Want::value) object.emplace_back(std::move(name), std::move(*value));
    return {};
  }

 private:
  static Error malformed() { return unsound("session: not what PHP serializes; is `serializer` the application's?"); }
  static Error cut_short() { return unsound("session: PHP data that ends too early"); }

  Result<void> expect(std::string_view text) {
    if (!rest_.starts_with(text)) return malformed();
    rest_.remove_prefix(text.size());
    return {};
  }

  template <class T>
  Result<T> take_number(char end) {
    T number{};
    const char* stop = rest_.data() + rest_.size();
    const auto [at, trouble] = std::from_chars(rest_.data(), stop, number);
    if (trouble != std::errc() || at == stop || *at != end) return malformed();
    rest_.remove_prefix(static_cast<std::size_t>(at - rest_.data()) + 1);
    return number;
  }

  // `5:"alice"`, the type and its colon taken off.
  Result<std::string_view> take_quoted() {
    TRY(const auto length, take_number<std::uint32_t>(':'));
    if (rest_.size() < 2 || length > rest_.size() - 2) return cut_short();
    if (rest_.front() != '"' || rest_[1 + std::size_t{length}] != '"') return malformed();
    const std::string_view text = rest_.substr(1, length);
    rest_.remove_prefix(std::size_t{length} + 2);
    return text;
  }

  Result<json::Value> read_boolean() {
    TRY(const auto number, take_number<std::uint32_t>(';'));
    if (number > 1) return malformed();
    return json::Value(number == 1);
  }
  Result<json::Value> read_integer() {
    TRY(const auto number, take_number<std::int64_t>(';'));
    return json::Value(number);
  }
  Result<json::Value> read_real(Want want) {
    TRY(const auto number, take_number<double>(';'));
    if (std::isfinite(number)) return json::Value(number);
    return leave(want, "a number that is not finite");
  }
  Result<json::Value> read_text(Want want) {
    TRY(const auto text, take_quoted());
    TRY_OK(expect(";"));
    if (want == Want::skip) return json::Value();
    if (!is_utf8(text)) return leave(want, "a text that is not UTF-8; store it as UTF-8 for the gateway to read");
    return json::Value(text);
  }

  Result<std::string> read_key() {
    if (rest_.starts_with("i:")) {
      rest_.remove_prefix(2);
      TRY(const auto number, take_number<std::int64_t>(';'));
      return std::to_string(number);
    }
    TRY_OK(expect("s:"));
    TRY(const auto text, take_quoted());
    TRY_OK(expect(";"));
    return std::string(text);
  }

  Result<json::Value> read_array(Want want, int depth) {
    TRY(const auto count, take_number<std::uint32_t>(':'));
    TRY_OK(expect("{"));
    json::Object object;
    std::set<std::string, std::less<>> names;
    bool is_list = true;
    for (std::uint32_t i = 0; i < count; ++i) {
      is_list = is_list && rest_.starts_with("i:");
      TRY(auto name, read_key());
      is_list = is_list && name == std::to_string(i);
      TRY_OK(add(object, names, std::move(name), want, depth + 1));
    }
    TRY_OK(expect("}"));
    if (!is_list) return json::Value(std::move(object));
    json::Array list;
    list.reserve(object.size());
    for (auto& [name, value] : object) list.push_back(std::move(value));
    return json::Value(std::move(list));
  }

  // `4:"User":2:{…}`
  Result<json::Value> skip_object(Want want, int depth) {
    TRY(const auto name, take_quoted());
    TRY_OK(expect(":"));
    TRY(const auto count, take_number<std::uint32_t>(':'));
    TRY_OK(expect("{"));
    for (std::uint32_t i = 0; i < count; ++i) {
      TRY_OK(read_key());
      TRY_OK(read(Want::skip, depth + 1));
    }
    TRY_OK(expect("}"));
    return leave(want, describe("an object of the PHP class ", name));
  }
  // `4:"User":5:{bytes}`
  Result<json::Value> skip_custom(Want want) {
    TRY(const auto name, take_quoted());
    TRY_OK(expect(":"));
    TRY(const auto length, take_number<std::uint32_t>(':'));
    TRY_OK(expect("{"));
    if (length > rest_.size()) return cut_short();
    rest_.remove_prefix(length);
    TRY_OK(expect("}"));
    return leave(want, describe("an object of the PHP class ", name));
  }
  // `11:"Suit:Hearts";`
  Result<json::Value> skip_enum(Want want) {
    TRY(const auto name, take_quoted());
    TRY_OK(expect(";"));
    return leave(want, describe("the PHP enum case ", name));
  }
  Result<json::Value> skip_reference(Want want) {
    TRY_OK(take_number<std::uint32_t>(';'));
    return leave(want, "a PHP reference" + std::string(advice));
  }

  static std::string describe(const char* kind, std::string_view name) {
    return kind + std::string(name.substr(0, shown_class)) + std::string(advice);
  }
  Result<json::Value> leave(Want want, std::string what) {
    if (want == Want::skip) return json::Value();
    if (data_.unreadable.size() == max_unreadable) return unsound("session: more objects than are stepped over");
    data_.unreadable.push_back({place_, std::move(what)});
    return json::Value();
  }

  std::string_view rest_;
  SessionData& data_;
  Budget budget_;
  std::vector<std::string> place_;
};

Result<json::Value> read_variables(std::string_view stored, PhpSerializer serializer, SessionData& data) {
  PhpReader reader(stored, data);
  if (serializer == PhpSerializer::php_serialize) {
    TRY(auto value, reader.read(Want::value, 0));
    if (!reader.done()) return unsound("session: bytes behind the PHP data");
    if (value.array() && value.array()->empty()) return json::Value(json::Object{});
    if (!value.object()) return unsound("session: PHP data that is no array of names");
    return value;
  }
  json::Object variables;
  std::set<std::string, std::less<>> names;
  while (!reader.done()) {
    TRY(const auto name, serializer == PhpSerializer::php ? reader.take_name_before_bar() : reader.take_counted_name());
    TRY_OK(reader.add(variables, names, std::string(name), Want::value, 1));
  }
  return json::Value(std::move(variables));
}

}  // namespace

Result<std::string> parse_php_session_id(std::string_view cookie) {
  if (!is_id(cookie, 22, 256, ",-")) return unsound("session cookie: not the form of a PHP session id");
  return std::string(cookie);
}

Result<SessionData> parse_php_session(std::string_view stored, PhpSerializer serializer) {
  if (stored.size() > max_stored_size) return unsound("session: longer than any that is read");
  if (stored.starts_with(std::string_view("\0\0\0\2", 4))) {
    return unsound("session: an igbinary dump, which is not read; set session.serialize_handler to php_serialize");
  }
  SessionData data;
  TRY(data.values, read_variables(stored, serializer, data));
  return data;
}

Result<std::string> parse_php_string(std::string_view serialized) {
  SessionData data;
  PhpReader reader(serialized, data);
  TRY(const auto value, reader.read(Want::value, 0));
  if (!value.string() || !reader.done()) return unsound("session: not one serialized PHP text");
  return *value.string();
}

}  // namespace sallyport::auth::session
