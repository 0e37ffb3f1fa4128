#include "sallyport/auth/session/laravel.h"

#include "sallyport/auth/session/php.h"
#include "sallyport/auth/session/text.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/cipher.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::auth::session {
namespace {

constexpr std::string_view advice = "set session.serialization to php or json";
// A text within a text within an encrypted text is the most that Laravel writes.
constexpr int max_wrappings = 4;

struct Encrypted {
  std::string iv_text;
  std::string value_text;
  std::string mac;
  std::string iv;
  std::string value;
  std::string tag;
};

Result<Encrypted> parse_encrypted(std::string_view text) {
  const auto decoded = base64_decode(text);
  if (!decoded) return unsound("session: not encrypted by Laravel: no base64");
  const auto payload = json::parse(*decoded, 4);
  if (!payload) return unsound("session: not encrypted by Laravel: no JSON");
  const std::string* iv = payload->find_string("iv");
  const std::string* value = payload->find_string("value");
  if (!iv || !value) return unsound("session: not encrypted by Laravel: no iv or no value");
  const std::string* mac = payload->find_string("mac");
  const std::string* tag = payload->find_string("tag");
  auto iv_bytes = base64_decode(*iv);
  auto value_bytes = base64_decode(*value);
  auto tag_bytes = base64_decode(tag ? *tag : std::string());
  if (!iv_bytes || !value_bytes || !tag_bytes) return unsound("session: not encrypted by Laravel: a part is no base64");
  return Encrypted{
      *iv, *value, mac ? *mac : std::string(), std::move(*iv_bytes), std::move(*value_bytes), std::move(*tag_bytes)};
}

std::optional<std::string> open_with(const Encrypted& from, const Secret& key) {
  if (!from.tag.empty()) {
    return crypto::open_aes_gcm(key.bytes(), bytes_of(from.iv), {}, bytes_of(from.value), bytes_of(from.tag));
  }
  const auto mac = crypto::hmac_sha256(key.bytes(), bytes_of(from.iv_text + from.value_text));
  if (!crypto::equal(bytes_of(hex_encode(mac)), bytes_of(from.mac))) return std::nullopt;
  return crypto::decrypt_aes_cbc(key.bytes(), bytes_of(from.iv), bytes_of(from.value));
}

struct Opened {
  std::string plain;
  const Secret* key;
};

Result<Opened> open(std::string_view text, std::span<const Secret> keys) {
  TRY(const Encrypted encrypted, parse_encrypted(text));
  for (const Secret& key : keys) {
    if (auto plain = open_with(encrypted, key)) return Opened{std::move(*plain), &key};
  }
  return unsound("session: encrypted with none of the secrets");
}

}  // namespace

Result<Secret> make_laravel_key(const Secret& app_key) {
  constexpr std::string_view prefix = "base64:";
  std::string_view text = app_key.reveal();
  std::string key(text);
  if (text.starts_with(prefix)) {
    auto decoded = base64_decode(text.substr(prefix.size()));
    if (!decoded) return Error{Reason::config_invalid, "APP_KEY: not base64 behind 'base64:'"};
    key = std::move(*decoded);
  }
  Secret made(std::move(key));
  if (made.size() != 16 && made.size() != 32) {
    return Error{Reason::config_invalid,
                 "APP_KEY: 16 or 32 bytes expected, found " + std::to_string(made.size()) + "; write it as in .env"};
  }
  return made;
}

Result<std::string> open_laravel_cookie(std::string_view cookie, std::string_view name, std::span<const Secret> keys) {
  TRY(const std::string text, percent_decode(cookie));
  TRY(const Opened opened, open(text, keys));
  const auto proof = crypto::hmac_sha1(opened.key->bytes(), bytes_of(std::string(name) + "v2"));
  const std::string prefix = hex_encode(proof) + "|";
  if (!crypto::equal(bytes_of(opened.plain.substr(0, prefix.size())), bytes_of(prefix))) {
    return unsound("session cookie: opened, but written for another cookie");
  }
  const std::string id = opened.plain.substr(prefix.size());
  if (!is_id(id, 40, 40, "")) return unsound("session cookie: opened, but not the form of a Laravel session id");
  return id;
}

Result<SessionData> parse_laravel_session(std::string_view stored, std::span<const Secret> keys) {
  if (stored.size() > max_stored_size) return unsound("session: longer than any that is read");
  std::string text(stored);
  for (int wrappings = 0; wrappings < max_wrappings; ++wrappings) {
    if (text.starts_with("a:")) return parse_php_session(text, PhpSerializer::php_serialize);
    if (text.starts_with('{')) return parse_json_session(text, advice);
    if (text.starts_with("s:")) {
      TRY(text, parse_php_string(text));
    } else if (auto decoded = base64_decode(text); decoded && !decoded->starts_with("{\"iv\"")) {
      text = std::move(*decoded);
    } else if (decoded) {
      TRY(auto opened, open(text, keys));
      text = std::move(opened.plain);
    } else {
      break;
    }
  }
  return unsound("session: not what Laravel stores; " + std::string(advice));
}

}  // namespace sallyport::auth::session
