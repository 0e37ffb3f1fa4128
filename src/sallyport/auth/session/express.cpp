#include "sallyport/auth/session/express.h"

#include <algorithm>

#include "sallyport/auth/session/text.h"
#include "sallyport/base/encoding.h"

namespace sallyport::auth::session {

Result<std::string> verify_express_cookie(std::string_view cookie, std::span<const crypto::HmacKey> keys) {
  TRY(const std::string text, percent_decode(cookie));
  if (!text.starts_with("s:")) return unsound("session cookie: not signed by express-session");
  const auto dot = text.rfind('.');
  if (dot == std::string::npos) return unsound("session cookie: without a signature");
  const std::string id = text.substr(2, dot < 2 ? 0 : dot - 2);
  const auto mac = base64_decode(text.substr(dot + 1) + "=");
  if (!mac) return unsound("session cookie: its signature is no base64");
  const bool proved = std::any_of(keys.begin(), keys.end(),
                                  [&](const crypto::HmacKey& key) { return key.verify(bytes_of(id), bytes_of(*mac)); });
  if (!proved) return unsound("session cookie: signed by none of the secrets");
  if (!is_id(id, 1, 200, "-_.,:~@+=") || id.front() == '.') {
    return unsound("session cookie: a signed id with characters that no store's key is made of");
  }
  return id;
}

Result<SessionData> parse_express_session(std::string_view stored) {
  TRY(auto data, parse_json_session(stored, "the store's serializer must be JSON, as it is by default"));
  const json::Value* cookie = data.values.find("cookie");
  if (!cookie || !cookie->object()) return unsound("session: no `cookie`, so not what express-session stores");
  const json::Value* expires = cookie->find("expires");
  if (expires && !expires->is_null()) {
    if (expires->string()) data.expires_at = parse_time(*expires->string());
    if (!data.expires_at) return unsound("session: `cookie.expires` is no time");
  }
  return data;
}

}  // namespace sallyport::auth::session
