#include "sallyport/gateway/assertion.h"

#include "sallyport/jose/jwt.h"

namespace sallyport::gateway {
namespace {

json::Array to_array(const std::vector<std::string>& texts) { return json::Array(texts.begin(), texts.end()); }

}  // namespace

Assertion::Assertion(AssertionSettings settings, std::vector<jose::SigningKey> keys)
    : settings_(std::move(settings)), keys_(std::move(keys)) {
  json::Array published;
  for (const jose::SigningKey& key : keys_) published.emplace_back(key.to_public_jwk());
  jwks_ = json::dump(json::Object{{"keys", std::move(published)}});
}

Result<std::shared_ptr<const Assertion>> Assertion::make(const AssertionSettings& settings,
                                                         std::string_view keys_text) {
  const std::string& file = settings.keys_file.path;
  Result<std::vector<jose::SigningKey>> keys = jose::parse_signing_keys(keys_text);
  if (!keys.ok()) return Error{Reason::config_invalid, file + ": " + keys.error().detail};
  return std::shared_ptr<const Assertion>(new Assertion(settings, *std::move(keys)));
}

std::shared_ptr<const Assertion> Assertion::ephemeral(const AssertionSettings& settings) {
  std::vector<jose::SigningKey> keys;
  keys.push_back(jose::SigningKey::generate(crypto::Algorithm::ES256));
  return std::shared_ptr<const Assertion>(new Assertion(settings, std::move(keys)));
}

std::string Assertion::sign(const auth::Identity& identity, std::string_view connection, std::string_view route,
                            WallTime now) const {
  const std::int64_t issued_at = to_unix_seconds(now);
  json::Object claims{
      {"iss", settings_.issuer},
      {"sub", identity->subject},
      {"aud", route},
      {"iat", issued_at},
      {"exp", issued_at + settings_.lifetime.count()},
      {"jti", connection},
      {"connection", connection},
      {"mechanism", identity->mechanism},
      {"credential_expires_at", to_unix_seconds(identity->expires_at)},
  };
  const auto add_text = [&](const char* name, const std::string& value) {
    if (!value.empty()) claims.emplace_back(name, value);
  };
  const auto add_list = [&](const char* name, const std::vector<std::string>& values) {
    if (!values.empty()) claims.emplace_back(name, to_array(values));
  };
  add_text("origin_iss", identity->issuer);
  add_text("sid", identity->session_id);
  add_text("tenant", identity->tenant);
  add_text("acr", identity->acr);
  add_list("scopes", identity->scopes);
  add_list("roles", identity->roles);
  add_list("amr", identity->amr);
  return jose::sign_jwt(json::Object{{"typ", "sallyport-identity+jwt"}}, claims, keys_.front());
}

}  // namespace sallyport::gateway
