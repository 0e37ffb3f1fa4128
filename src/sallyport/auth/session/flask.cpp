#include "sallyport/auth/session/flask.h"

#include <algorithm>

#include "sallyport/auth/session/msgpack.h"
#include "sallyport/auth/session/text.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::auth::session {
namespace {

constexpr std::string_view cookie_advice = "only Flask's own JSON is read in a cookie";
constexpr std::string_view stored_advice =
    "use Flask-Session 0.6 or later with SESSION_SERIALIZATION_FORMAT \"msgpack\" or \"json\"";

Secret derive(const Secret& secret, std::string_view salt) {
  const auto key = crypto::hmac_sha1(secret.bytes(), bytes_of(salt));
  return Secret(std::string(text_of(key)));
}

// What stands in front of the last dot when the rest signs it.
Result<std::string_view> unsign(std::string_view text, std::span<const Secret> keys) {
  const auto dot = text.rfind('.');
  if (dot == std::string_view::npos) return unsound("session cookie: without a signature");
  const std::string_view proved = text.substr(0, dot);
  const auto mac = base64url_decode(text.substr(dot + 1));
  const bool holds = mac && std::any_of(keys.begin(), keys.end(), [&](const Secret& key) {
                       return crypto::equal(crypto::hmac_sha1(key.bytes(), bytes_of(proved)), bytes_of(*mac));
                     });
  if (!holds) return unsound("session cookie: signed by none of the secrets");
  return proved;
}

// Big-endian seconds.
std::optional<WallTime> read_time(std::string_view encoded) {
  const auto bytes = base64url_decode(encoded);
  if (!bytes || bytes->empty() || bytes->size() > 5) return std::nullopt;
  std::int64_t seconds = 0;
  for (const char byte : *bytes) seconds = seconds << 8 | static_cast<unsigned char>(byte);
  return from_unix_seconds(seconds);
}

// Undoes the tags of flask.json.tag: an object with one member whose name is a tag.
class Untagging {
 public:
  explicit Untagging(SessionData& data) : data_(data) {}

  Result<json::Value> undo(const json::Value& value) {
    if (const json::Array* array = value.array()) return undo_list(*array);
    const json::Object* object = value.object();
    if (!object) return value;
    if (object->size() == 1) {
      const auto& [tag, content] = object->front();
      if (tag == " di") return undo_escape(content);
      if (tag == " t" || tag == " m" || tag == " u" || tag == " d") return undo(content);
      if (tag == " b") return leave("bytes, which name nobody");
    }
    json::Object out;
    for (const auto& [name, member] : *object) {
      place_.push_back(name);
      auto undone = undo(member);
      place_.pop_back();
      if (!undone) return std::move(undone).error();
      out.emplace_back(name, std::move(*undone));
    }
    return json::Value(std::move(out));
  }

 private:
  Result<json::Value> undo_list(const json::Array& array) {
    json::Array out;
    for (std::size_t i = 0; i < array.size(); ++i) {
      place_.push_back(std::to_string(i));
      auto undone = undo(array[i]);
      place_.pop_back();
      if (!undone) return std::move(undone).error();
      out.push_back(std::move(*undone));
    }
    return json::Value(std::move(out));
  }
  // A real object whose only name looks like a tag has two underscores behind it.
  Result<json::Value> undo_escape(const json::Value& content) {
    const json::Object* object = content.object();
    if (!object || object->size() != 1 || !object->front().first.ends_with("__")) {
      return unsound("session: an escaped tag that escapes nothing");
    }
    const auto& [name, member] = object->front();
    std::string real = name.substr(0, name.size() - 2);
    place_.push_back(real);
    auto undone = undo(member);
    place_.pop_back();
    if (!undone) return std::move(undone).error();
    json::Object out;
    out.emplace_back(std::move(real), std::move(*undone));
    return json::Value(std::move(out));
  }
  Result<json::Value> leave(std::string what) {
    if (data_.unreadable.size() == max_unreadable) return unsound("session: more bytes values than are stepped over");
    data_.unreadable.push_back({place_, std::move(what)});
    return json::Value();
  }

  SessionData& data_;
  std::vector<std::string> place_;
};

}  // namespace

Secret make_flask_key(const Secret& secret) { return derive(secret, "cookie-session"); }
Secret make_flask_session_key(const Secret& secret) { return derive(secret, "flask-session"); }

Result<SessionData> verify_flask_cookie(std::string_view cookie, std::span<const Secret> keys) {
  TRY(const std::string_view proved, unsign(cookie, keys));
  const auto dot = proved.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return unsound("session cookie: signed, but without a time");
  const auto written_at = read_time(proved.substr(dot + 1));
  if (!written_at) return unsound("session cookie: signed, but its time is none");
  std::string_view encoded = proved.substr(0, dot);
  const bool compressed = encoded.starts_with('.');
  if (compressed) encoded.remove_prefix(1);
  auto decoded = base64url_decode(encoded);
  if (!decoded) return unsound("session cookie: signed, but no base64url");
  if (compressed) {
    TRY(*decoded, inflate(*decoded, max_inflated_size));
  }
  TRY(auto data, parse_json_session(*decoded, cookie_advice));
  TRY(data.values, Untagging(data).undo(data.values));
  if (!data.values.object()) return unsound("session cookie: JSON, but no object");
  data.written_at = written_at;
  return data;
}

Result<std::string> verify_flask_session_id(std::string_view cookie, std::span<const Secret> keys) {
  std::string_view id = cookie;
  if (!keys.empty()) {
    TRY(id, unsign(cookie, keys));
  }
  if (!is_id(id, 20, 200, "-_")) return unsound("session cookie: not the form of a session id of Flask-Session");
  return std::string(id);
}

Result<SessionData> parse_flask_session(std::string_view stored) {
  if (stored.starts_with('{')) return parse_json_session(stored, stored_advice);
  if (const std::string_view foreign = foreign_serialization(stored); !foreign.empty()) {
    return unsound("session: " + std::string(foreign) + ", which is never loaded; " + std::string(stored_advice));
  }
  return parse_msgpack_session(stored);
}

}  // namespace sallyport::auth::session
