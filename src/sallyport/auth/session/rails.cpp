#include "sallyport/auth/session/rails.h"

#include <array>

#include "sallyport/auth/session/text.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/cipher.h"
#include "sallyport/crypto/derive.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth::session {
namespace {

constexpr std::string_view cookie_advice = "set config.action_dispatch.cookies_serializer = :json";
constexpr std::string_view stored_advice =
    "have the store serialize to JSON (ActiveRecord::SessionStore::Session.serializer = :json; "
    "redis-session-store: serializer: :json)";
constexpr std::string_view cookie_salt = "authenticated encrypted cookie";
constexpr unsigned iterations = 1000;
constexpr std::size_t key_size = 32;

std::optional<std::string> open(const std::array<std::string, 3>& parts, std::span<const Secret> keys) {
  const auto& [sealed, nonce, tag] = parts;
  for (const Secret& key : keys) {
    auto plain = crypto::open_aes_gcm(key.bytes(), bytes_of(nonce), {}, bytes_of(sealed), bytes_of(tag));
    if (plain) return plain;
  }
  return std::nullopt;
}

// The session that the envelope holds, once it is this cookie's.
Result<SessionData> unwrap(const json::Value& envelope, std::string_view name) {
  const std::string* purpose = envelope.find_string("pur");
  if (!purpose || *purpose != "cookie." + std::string(name)) {
    return unsound("session cookie: opened, but written for another cookie");
  }
  std::optional<WallTime> expires_at;
  if (const json::Value* exp = envelope.find("exp"); exp && !exp->is_null()) {
    if (exp->string()) expires_at = parse_time(*exp->string());
    if (!expires_at) return unsound("session cookie: opened, but its `exp` is no time");
  }
  SessionData data;
  const json::Value* inline_data = envelope.find("data");
  if (const std::string* message = envelope.find_string("message")) {
    const auto text = base64_decode(*message);
    if (!text) return unsound("session cookie: opened, but its message is no base64");
    TRY(data, parse_json_session(*text, cookie_advice));
  } else if (inline_data && inline_data->object()) {
    data.values = *inline_data;
  } else {
    return unsound("session cookie: opened, but without a message");
  }
  data.expires_at = expires_at;
  return data;
}

}  // namespace

std::vector<Secret> make_rails_keys(const Secret& secret_key_base) {
  std::vector<Secret> keys;
  for (const auto hash : {crypto::DerivationHash::sha256, crypto::DerivationHash::sha1}) {
    keys.push_back(crypto::derive_pbkdf2(hash, secret_key_base.bytes(), bytes_of(cookie_salt), iterations, key_size));
  }
  return keys;
}

Result<SessionData> open_rails_cookie(std::string_view cookie, std::string_view name, std::span<const Secret> keys) {
  TRY(const std::string text, percent_decode(cookie));
  std::array<std::string, 3> parts;
  std::string_view rest = text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    const auto end = last ? rest.size() : rest.find("--");
    if (end == std::string_view::npos) return unsound("session cookie: not encrypted by Rails with aes-256-gcm");
    auto part = base64_decode(rest.substr(0, end));
    if (!part) return unsound("session cookie: a part is no base64");
    parts[i] = std::move(*part);
    rest.remove_prefix(last ? end : end + 2);
  }
  const auto plain = open(parts, keys);
  if (!plain) return unsound("session cookie: encrypted with none of the secrets");
  TRY(auto data, parse_json_session(*plain, cookie_advice));
  const json::Value* envelope = data.values.find("_rails");
  if (envelope) {
    TRY(data, unwrap(*envelope, name));
  }
  if (const std::string* id = data.values.find_string("session_id")) data.id = *id;
  return data;
}

Result<std::string> parse_rails_session_id(std::string_view cookie) {
  if (cookie.size() != 32 || cookie.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return unsound("session cookie: not the form of a Rails session id");
  }
  return "2::" + hex_encode(crypto::sha256(bytes_of(cookie)));
}

Result<SessionData> parse_rails_session(std::string_view stored) {
  if (stored.size() > max_stored_size) return unsound("session: longer than any that is read");
  if (!stored.starts_with('{')) {
    // ActiveRecord writes base64 with line ends in it.
    std::string packed;
    for (const char c : stored) {
      if (c != '\n' && c != '\r') packed.push_back(c);
    }
    if (const auto decoded = base64_decode(packed)) return parse_json_session(*decoded, stored_advice);
  }
  return parse_json_session(stored, stored_advice);
}

}  // namespace sallyport::auth::session
