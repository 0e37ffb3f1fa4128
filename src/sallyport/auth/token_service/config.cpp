#include "sallyport/auth/token_service/config.h"

#include <algorithm>

#include "sallyport/auth/text.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using config::field;

// VSCHAR without the colon that ends it in Basic credentials (RFC 6749 §2.3.1, RFC 7617 §2).
std::optional<std::string> check_client_id(const std::string& text) {
  const bool good = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != ':' && c != '"'; });
  return good ? std::nullopt : std::optional<std::string>("visible ASCII without colon and quote expected");
}

// scope-token of RFC 6749 §3.3.
std::optional<std::string> check_scope(const std::string& text) {
  const bool good =
      !text.empty() && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  return good ? std::nullopt : std::optional<std::string>("a scope is visible ASCII without quote and backslash");
}

config::Schema<TokenClientConfig> client_schema() {
  return config::schema(
      "token_service.clients", "An application that asks for tokens with a secret of its own.",
      field(&TokenClientConfig::id, "id", "Its `client_id`.", config::required, config::length(1, 128),
            config::checked<std::string>(check_client_id)),
      field(&TokenClientConfig::secret, "secret", "Its `client_secret`, at least 32 bytes.", config::required),
      field(&TokenClientConfig::scopes, "scopes", "What it may ask for, for itself or for a user. None: no scopes.",
            config::checked<std::string>(check_scope)),
      field(&TokenClientConfig::names_users, "names_users",
            "It has proved by itself who its users are, and may ask for the tokens of any of them."));
}

}  // namespace

config::Schema<TokenServiceConfig> token_service_schema() {
  return config::schema(
             "token_service",
             "Short JSON Web Tokens and rotating refresh tokens, for teams without an identity provider. Routes accept "
             "them by `jwt: {issuer: token_service}`.",
             field(&TokenServiceConfig::issuer, "issuer", "The `iss` of its tokens.", config::required,
                   config::length(1, 256), config::example("https://chat.example.com")),
             field(&TokenServiceConfig::audience, "audience", "The `aud` of its tokens.", config::required,
                   config::example("[chat]")),
             field(&TokenServiceConfig::keys_file, "keys_file",
                   "Private keys as `sallyport keys new` writes them: the first signs, all are published at "
                   "`/.sallyport/token/jwks.json`.",
                   config::required),
             field(&TokenServiceConfig::lifetime, "lifetime", "From `iat` to `exp` of an access token.",
                   config::between(60s, 900s)),
             field(&TokenServiceConfig::refresh_idle, "refresh_idle",
                   "A refresh token that was not used for so long is no good any more.",
                   config::between(60s, 365 * 24h)),
             field(&TokenServiceConfig::refresh_lifetime, "refresh_lifetime",
                   "From the login until another one is needed, however often tokens are refreshed.",
                   config::between(60s, 365 * 24h)),
             field(&TokenServiceConfig::clients, "clients", "Applications that ask with a secret.", client_schema()),
             field(&TokenServiceConfig::routes, "routes",
                   "Routes by whose credentials users get tokens for themselves: the session of a framework, say. Such "
                   "tokens live no longer than the credential.",
                   config::example("[login]")))
      .validated_by(
          [](const TokenServiceConfig& service, config::Check& check) {
            if (service.clients.empty() && service.routes.empty())
              check.problem("", "nobody could ever ask for a token", "Give clients, routes, or both");
            for (std::size_t i = 0; i < service.clients.size(); ++i) {
              const auto same = [&](const TokenClientConfig& other) { return other.id == service.clients[i].id; };
              if (std::ranges::count_if(service.clients, same) > 1)
                check.problem("clients[" + std::to_string(i) + "].id", "another client has this id",
                              "Give each its own");
            }
          },
          {"clients", "routes"});
}

}  // namespace sallyport::auth
