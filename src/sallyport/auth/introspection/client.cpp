#include "sallyport/auth/introspection/client.h"

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/config/file.h"
#include "sallyport/http/grammar.h"
#include "sallyport/jose/jwt.h"

namespace sallyport::auth {
namespace {

constexpr std::int64_t assertion_seconds = 60;

Result<jose::SigningKey> load_key(const std::string& path, const config::Environment& environment) {
  TRY(const Secret text, config::load_secret({config::SecretSource::Kind::file, path}, environment));
  const auto parsed = json::parse(text.reveal());
  if (!parsed) return Error{Reason::config_invalid, path + ": no JSON"};
  const json::Value* keys = parsed->find("keys");
  if (keys && (!keys->array() || keys->array()->empty())) return Error{Reason::config_invalid, path + ": no keys"};
  auto key = jose::SigningKey::parse(keys ? keys->array()->front() : *parsed);
  if (!key) return Error{Reason::config_invalid, path + ": " + key.error().detail};
  if (crypto::is_symmetric(key->algorithm()))
    return Error{Reason::config_invalid, path + ": private_key_jwt needs a key pair"};
  return key;
}

}  // namespace

std::string form_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (http::is_alnum(c) || c == '-' || c == '.' || c == '_') {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    }
  }
  return out;
}

Result<std::shared_ptr<const IntrospectionClient>> IntrospectionClient::make(const ClientConfig& config,
                                                                             const std::string& url,
                                                                             const config::Environment& environment) {
  Secret secret;
  std::optional<jose::SigningKey> key;
  if (config.method == ClientMethod::private_key_jwt) {
    TRY(key, load_key(config.key_file.path, environment));
  } else {
    TRY(secret, config::load_secret(config.secret, environment));
  }
  if (config.method == ClientMethod::bearer && !http::is_field_value(secret.reveal()))
    return Error{Reason::config_invalid, "client.secret: a byte that cannot stand in an Authorization line"};
  return std::shared_ptr<const IntrospectionClient>(
      new IntrospectionClient(config, url, std::move(secret), std::move(key)));
}

std::string IntrospectionClient::assertion(WallTime now, crypto::Random& random) const {
  const std::int64_t seconds = to_unix_seconds(now);
  const std::string& audience = config_.assertion_audience.empty() ? url_ : config_.assertion_audience;
  return jose::sign_jwt({{"typ", "JWT"}},
                        {{"iss", config_.id},
                         {"sub", config_.id},
                         {"aud", audience},
                         {"jti", base64url_encode(bytes_of(random.bytes(16)))},
                         {"iat", seconds},
                         {"exp", seconds + assertion_seconds}},
                        *key_);
}

net::HttpRequest IntrospectionClient::ask_about(const Secret& token, WallTime now, crypto::Random& random) const {
  net::HttpRequest request;
  request.method = "POST";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
  request.body = "token=" + form_encode(token.reveal()) + "&token_type_hint=access_token";
  switch (config_.method) {
    case ClientMethod::client_secret_basic: {
      const Secret pair(form_encode(config_.id) + ":" + form_encode(secret_.reveal()));
      request.headers.emplace_back("Authorization", "Basic " + base64_encode(pair.bytes()));
      break;
    }
    case ClientMethod::client_secret_post:
      request.body += "&client_id=" + form_encode(config_.id) + "&client_secret=" + form_encode(secret_.reveal());
      break;
    case ClientMethod::private_key_jwt:
      request.body += "&client_id=" + form_encode(config_.id) +
                      "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
                      "&client_assertion=" +
                      assertion(now, random);
      break;
    case ClientMethod::bearer:
      request.headers.emplace_back("Authorization", "Bearer " + std::string(secret_.reveal()));
      break;
  }
  return request;
}

}  // namespace sallyport::auth
