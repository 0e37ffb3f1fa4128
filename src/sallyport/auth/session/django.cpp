#include "sallyport/auth/session/django.h"

#include <algorithm>

#include "sallyport/auth/session/text.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth::session {
namespace {

constexpr std::string_view signed_advice =
    "set SESSION_SERIALIZER to django.contrib.sessions.serializers.JSONSerializer";
constexpr std::string_view cached_advice =
    "set the cache's serializer to JSON, for django-redis "
    "OPTIONS.SERIALIZER = \"django_redis.serializers.json.JSONSerializer\"";

// Seconds in base 62, digits before upper case before lower case.
std::optional<WallTime> read_time(std::string_view text) {
  if (text.empty() || text.size() > 8) return std::nullopt;
  std::int64_t seconds = 0;
  for (const char c : text) {
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'A' && c <= 'Z') digit = c - 'A' + 10;
    if (c >= 'a' && c <= 'z') digit = c - 'a' + 36;
    if (digit < 0) return std::nullopt;
    seconds = seconds * 62 + digit;
  }
  return from_unix_seconds(seconds);
}

}  // namespace

crypto::HmacKey make_django_key(const Secret& secret, std::string_view salt) {
  std::string material(salt);
  material.append("signer").append(secret.reveal());
  const Secret held(std::move(material));
  const crypto::Sha256 key = crypto::sha256(held.bytes());
  return {crypto::Algorithm::HS256, key};
}

Result<std::string> parse_django_session_id(std::string_view cookie) {
  const bool lower = std::none_of(cookie.begin(), cookie.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!lower || !is_id(cookie, 32, 32, "")) return unsound("session cookie: not the form of a Django session id");
  return std::string(cookie);
}

Result<SessionData> verify_django_session(std::string_view text, std::span<const crypto::HmacKey> keys) {
  if (text.size() > max_stored_size) return unsound("session: longer than any that is read");
  const auto last = text.rfind(':');
  if (last == std::string_view::npos || last == 0) return unsound("session: not signed by Django");
  const std::string_view proved = text.substr(0, last);
  const auto mac = base64url_decode(text.substr(last + 1));
  const bool holds = mac && std::any_of(keys.begin(), keys.end(), [&](const crypto::HmacKey& key) {
                       return key.verify(bytes_of(proved), bytes_of(*mac));
                     });
  if (!holds) return unsound("session: signed by none of the secrets");

  const auto colon = proved.rfind(':');
  if (colon == std::string_view::npos) return unsound("session: signed, but without a time");
  const auto written_at = read_time(proved.substr(colon + 1));
  if (!written_at) return unsound("session: signed, but its time is none");
  std::string_view encoded = proved.substr(0, colon);
  const bool compressed = encoded.starts_with('.');
  if (compressed) encoded.remove_prefix(1);
  auto decoded = base64url_decode(encoded);
  if (!decoded) return unsound("session: signed, but no base64url");
  if (compressed) {
    TRY(*decoded, inflate(*decoded, max_inflated_size));
  }
  TRY(auto data, parse_json_session(*decoded, signed_advice));
  data.written_at = written_at;
  return data;
}

Result<SessionData> parse_django_cached_session(std::string_view stored) {
  return parse_json_session(stored, cached_advice);
}

}  // namespace sallyport::auth::session
