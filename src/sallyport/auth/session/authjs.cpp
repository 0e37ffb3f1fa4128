#include "sallyport/auth/session/authjs.h"

#include <algorithm>
#include <set>

#include "sallyport/auth/session/text.h"
#include "sallyport/crypto/derive.h"
#include "sallyport/jose/jwe.h"

namespace sallyport::auth::session {
namespace {

Result<std::optional<WallTime>> read_time(const json::Value& claims, const char* name) {
  const json::Value* value = claims.find(name);
  if (!value) return std::optional<WallTime>();
  constexpr std::int64_t far = 1LL << 40;
  const std::int64_t* seconds = value->integer();
  if (!seconds || *seconds < 0 || *seconds > far) {
    return unsound(std::string("session cookie: '") + name + "' is no time in seconds");
  }
  return std::optional(from_unix_seconds(*seconds));
}

std::optional<std::string> open(const jose::Jwe& jwe, const AuthjsKeys& keys) {
  if (jwe.encryption() == jose::ContentEncryption::A256CBC_HS512) return jwe.open(keys.authjs_cbc.bytes());
  if (auto plain = jwe.open(keys.nextauth_gcm.bytes())) return plain;
  return jwe.open(keys.authjs_gcm.bytes());
}

}  // namespace

AuthjsKeys make_authjs_keys(const Secret& secret, std::string_view cookie_name) {
  const std::string info = "Auth.js Generated Encryption Key (" + std::string(cookie_name) + ")";
  const auto derive = [&](std::string_view salt, std::string_view what, jose::ContentEncryption encryption) {
    return crypto::derive_hkdf_sha256(secret.bytes(), bytes_of(salt), bytes_of(what), jose::key_size(encryption));
  };
  return {derive(cookie_name, info, jose::ContentEncryption::A256CBC_HS512),
          derive(cookie_name, info, jose::ContentEncryption::A256GCM),
          derive("", "NextAuth.js Generated Encryption Key", jose::ContentEncryption::A256GCM)};
}

Result<SessionData> open_authjs_cookie(std::string_view cookie, std::span<const AuthjsKeys> keys) {
  TRY(const jose::Jwe jwe, jose::Jwe::parse(cookie));
  std::optional<std::string> plain;
  for (const AuthjsKeys& one : keys) {
    plain = open(jwe, one);
    if (plain) break;
  }
  if (!plain) return unsound("session cookie: encrypted with none of the secrets");
  TRY(auto data, parse_json_session(*plain, "`jwt.encode` must be the default one"));
  TRY(const auto issued_at, read_time(data.values, "iat"));
  TRY(const auto not_before, read_time(data.values, "nbf"));
  TRY(data.expires_at, read_time(data.values, "exp"));
  if (!data.expires_at) return unsound("session cookie: without `exp`");
  data.written_at = std::max(issued_at, not_before);
  if (const std::string* id = data.values.find_string("jti")) data.id = *id;
  return data;
}

Result<std::string> parse_authjs_session_token(std::string_view cookie) {
  if (!is_id(cookie, 20, 200, "-_")) return unsound("session cookie: not the form of a session token of Auth.js");
  return std::string(cookie);
}

Result<SessionData> parse_authjs_session(const std::vector<std::pair<std::string, std::string>>& columns) {
  if (columns.empty()) return unsound("session: no column of it says anything; name them in `columns`");
  SessionData data;
  json::Object values;
  std::set<std::string_view> names;
  for (const auto& [name, value] : columns) {
    if (!names.insert(name).second) return unsound("session: the same name twice");
    if (!is_utf8(value)) return unsound("session: a column that is not UTF-8");
    values.emplace_back(name, json::Value(value));
  }
  data.values = std::move(values);
  return data;
}

}  // namespace sallyport::auth::session
