#include "sallyport/auth/introspection/config.h"

#include "sallyport/auth/service.h"
#include "sallyport/auth/sources_field.h"
#include "sallyport/http/url.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using config::between;
using config::field;

config::Schema<ClientConfig> client_schema() {
  return config::schema<ClientConfig>(
             "auth.introspection.client", "How the gateway proves to the server who asks (RFC 7662 §2.1).",
             field(&ClientConfig::id, "id", "Its client identifier there; `bearer` needs none.",
                   config::example("gateway")),
             field(&ClientConfig::method, "method", "How it proves that it is this client."),
             field(&ClientConfig::secret, "secret",
                   "The client's secret; with `bearer` the access token that lets it ask."),
             field(&ClientConfig::key_file, "key_file",
                   "The private key of `private_key_jwt`: a JWK or a set of which the first counts, as `sallyport keys "
                   "new` writes it; readable by its owner alone.",
                   config::example("secrets/client.jwk")),
             field(&ClientConfig::assertion_audience, "assertion_audience",
                   "The `aud` of `private_key_jwt`; absent: the URL that is asked. Many servers want their issuer.",
                   config::example("https://id.example.com")))
      .validated_by([](const ClientConfig& client, config::Check& check) {
        const bool by_key = client.method == ClientMethod::private_key_jwt;
        if (client.id.empty() && client.method != ClientMethod::bearer)
          check.problem("id", "every method but bearer needs the client's identifier", "Add id");
        if (by_key && client.key_file.empty()) check.problem("key_file", "private_key_jwt needs a key", "Add key_file");
        if (by_key && !client.secret.empty())
          check.problem("secret", "private_key_jwt has a key, no secret", "Remove the secret");
        if (!by_key && client.secret.empty()) check.problem("secret", "the method needs a secret", "Add secret_file");
        if (by_key) return;
        for (const char* key : {"key_file", "assertion_audience"}) {
          if (check.is_given(key)) check.problem(key, "means something to private_key_jwt only", "Remove it");
        }
      });
}

}  // namespace

std::vector<config::EnumName<ClientMethod>> enum_names(ClientMethod) {
  return {
      {ClientMethod::client_secret_basic, "client_secret_basic", "Identifier and secret in the Authorization line."},
      {ClientMethod::client_secret_post, "client_secret_post", "Identifier and secret in the body."},
      {ClientMethod::private_key_jwt, "private_key_jwt", "A short token signed by the client's key (RFC 7523)."},
      {ClientMethod::bearer, "bearer", "An access token of its own."}};
}

config::Schema<IntrospectionConfig> introspection_schema() {
  using C = IntrospectionConfig;
  return with_sources(
             config::schema<C>(
                 "auth.introspection",
                 "Accepts tokens that an authorization server says are active (RFC 7662), and asks again.",
                 field(&C::url, "url", "The introspection endpoint: https, or http on this machine itself.",
                       config::required, config::example("https://id.example.com/oauth2/introspect")),
                 field(&C::ca_file, "ca_file",
                       "Certificate authorities (PEM) that may vouch for it; absent: the system's."),
                 field(&C::client, "client", "How the gateway proves who asks.", config::required, client_schema()),
                 sources_field(&C::from),
                 field(&C::issuer, "issuer",
                       "The `iss` that an answer must have. Absent: any or none; without one the URL stands for it.",
                       config::example("https://id.example.com")),
                 field(&C::audience, "audience",
                       "An answer must name one of these in `aud`: a token for another service is no proof here.",
                       config::example("[chat]")),
                 field(&C::clients, "clients", "An answer must have one of these as `client_id`.",
                       config::example("[web, mobile]")),
                 field(&C::dangerous_any_audience, "dangerous_any_audience",
                       "Takes every active token of the server, those meant for other services too.",
                       config::dangerous),
                 field(&C::token_types, "token_types",
                       "Values of `token_type` accepted, ignoring case; an empty text stands for an answer without "
                       "one. A sender-constrained token (`DPoP`) is no bearer token.",
                       config::may_be_empty),
                 field(&C::claims, "claims", "Members of the answer to read instead of the usual ones.",
                       claim_names_schema()),
                 field(&C::lifetime, "lifetime", "How long an identity lasts whose answer has no `exp`.",
                       between(1s, 24h)),
                 field(&C::leeway, "leeway", "Clock difference tolerated on `nbf`.", between(0s, 300s)),
                 field(&C::cache, "cache",
                       "How long an answer is believed, at most until its `exp`: a revoked token may open connections "
                       "for as long. 0s: each handshake asks.",
                       between(0ms, 1h)),
                 field(&C::negative_cache, "negative_cache", "How long a refusal is believed.", between(0ms, 1min)),
                 field(&C::cached_tokens, "cached_tokens",
                       "How many answers are kept, and as many refusals; the longest unasked ones go first. About 1 "
                       "KiB each.",
                       between(0, 1'000'000)),
                 timeout_field(&C::timeout), requests_field(&C::requests), breaker_field(&C::breaker),
                 field(&C::dangerous_plaintext_introspection, "dangerous_plaintext_introspection",
                       "Lets `url` be plain http beyond this machine. Anybody on the way can then read tokens and say "
                       "that they are good.",
                       config::dangerous)))
      .validated_by(
          [](const C& settings, config::Check& check) {
            const auto plaintext = settings.dangerous_plaintext_introspection ? PlaintextService::dangerous_allowed
                                                                              : PlaintextService::loopback_only;
            if (const auto allowed = check_service_url(settings.url, plaintext); !allowed)
              check.problem("url", allowed.error().detail);
          },
          {"url", "dangerous_plaintext_introspection"})
      .validated_by(
          [](const C& settings, config::Check& check) {
            if (!settings.audience.empty() || !settings.clients.empty() || settings.dangerous_any_audience) return;
            check.problem("", "tokens that the server issued for other services would be accepted",
                          "Name the audience or the clients whose tokens count");
          },
          {"audience", "clients", "dangerous_any_audience"})
      .validated_by(
          [](const C& settings, config::Check& check) {
            if (settings.token_types.empty())
              check.problem("token_types", "an empty list would refuse every token", "Leave it out for the default");
          },
          {"token_types"});
}

}  // namespace sallyport::auth
