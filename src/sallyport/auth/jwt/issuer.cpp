#include "sallyport/auth/jwt/issuer.h"

#include <algorithm>

#include "sallyport/auth/token.h"
#include "sallyport/config/file.h"

namespace sallyport::crypto {

std::vector<config::EnumName<Algorithm>> enum_names(Algorithm) {
  std::vector<config::EnumName<Algorithm>> names;
  for (const Algorithm algorithm : all_algorithms) {
    const char* doc = is_symmetric(algorithm)         ? "HMAC with a secret that both sides hold."
                      : algorithm == Algorithm::EdDSA ? "Ed25519."
                      : name(algorithm)[0] == 'E'     ? "ECDSA."
                      : name(algorithm)[0] == 'P'     ? "RSASSA-PSS."
                                                      : "RSASSA-PKCS1-v1_5.";
    names.push_back({algorithm, std::string(name(algorithm)), doc});
  }
  return names;
}

}  // namespace sallyport::crypto

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;

bool has_symmetric(const std::vector<crypto::Algorithm>& algorithms) {
  return std::any_of(algorithms.begin(), algorithms.end(), crypto::is_symmetric);
}
bool has_asymmetric(const std::vector<crypto::Algorithm>& algorithms) {
  return !std::all_of(algorithms.begin(), algorithms.end(), crypto::is_symmetric);
}

config::Schema<KeysConfig> keys_schema() {
  using config::field;
  return config::schema<KeysConfig>(
             "issuer.keys", "Where an issuer's keys come from.",
             field(&KeysConfig::jwks_file, "jwks_file",
                   "A JWK Set (RFC 7517) on this machine, read at start and at reload. One with secrets in it must be "
                   "readable by its "
                   "owner alone.",
                   config::example("keys/jwks.json")),
             field(&KeysConfig::jwks_url, "jwks_url",
                   "A JWK Set at a URL, fetched at start and in the background. The last good set stays in use while "
                   "the source is "
                   "down; a token that names an unknown key has it fetched again, at most once in ten seconds.",
                   config::example("https://id.example.com/.well-known/jwks.json")),
             field(&KeysConfig::ca_file, "ca_file",
                   "Certificate authorities (PEM) that may vouch for `jwks_url`; absent: the system's."),
             field(&KeysConfig::refresh, "refresh", "How often `jwks_url` is fetched, give or take a tenth.",
                   config::between(10s, 24h)),
             field(&KeysConfig::dangerous_plaintext_jwks, "dangerous_plaintext_jwks",
                   "Lets `jwks_url` be plain http beyond this machine. Anybody on the way can then replace the keys "
                   "and be anyone.",
                   config::dangerous),
             field(
                 &KeysConfig::secret, "secret",
                 "The secret of HS256, HS384 or HS512: at least 32 bytes, as long as the hash, and no well-known one."))
      .exactly_one_of({"jwks_file", "jwks_url", "secret"})
      .validated_by([](const KeysConfig& keys, config::Check& check) {
        if (check.is_given("jwks_url")) {
          const auto plaintext =
              keys.dangerous_plaintext_jwks ? PlaintextJwks::dangerous_allowed : PlaintextJwks::loopback_only;
          if (const auto allowed = check_jwks_url(keys.jwks_url, plaintext); !allowed) {
            check.problem("jwks_url", allowed.error().detail);
          }
          return;
        }
        for (const char* key : {"ca_file", "refresh", "dangerous_plaintext_jwks"}) {
          if (check.is_given(key)) check.problem(key, "means nothing without jwks_url");
        }
      });
}

}  // namespace

config::Schema<ClaimNames> claim_names_schema() {
  using config::field;
  return config::schema<ClaimNames>(
      "issuer.claims",
      "Claims to read instead of the usual ones: a top-level name, or a JSON pointer (RFC 6901) when it starts with a "
      "slash.",
      field(&ClaimNames::subject, "subject", "A text, instead of `sub`.", config::example("preferred_username")),
      field(&ClaimNames::tenant, "tenant", "A text, instead of `tenant` or `tid`.", config::example("org_id")),
      field(&ClaimNames::session_id, "session_id", "A text, instead of `sid`.", config::example("session_state")),
      field(&ClaimNames::scopes, "scopes", "A list, or a text with spaces between, instead of `scope` or `scp`.",
            config::example("permissions")),
      field(&ClaimNames::roles, "roles", "A list, instead of `roles`.", config::example("/realm_access/roles")));
}

config::Schema<IssuerConfig> issuer_schema() {
  using config::field;
  return config::schema<IssuerConfig>(
             "issuer", "An issuer of JSON Web Tokens whose word counts.",
             field(&IssuerConfig::name, "name", "What routes call it.", config::required, config::example("main"),
                   config::length(1, 64)),
             field(&IssuerConfig::issuer, "issuer", "The `iss` of its tokens, compared byte for byte.",
                   config::required, config::example("https://id.example.com")),
             field(&IssuerConfig::audience, "audience",
                   "A token must name at least one of these in `aud`. Tokens for another service are refused.",
                   config::required, config::example("[chat]")),
             field(&IssuerConfig::algorithms, "algorithms",
                   "Signature algorithms accepted. Each key still serves only those of its own type.", config::required,
                   config::example("[ES256, EdDSA]")),
             field(&IssuerConfig::keys, "keys", "Where its keys come from.", config::required, keys_schema()),
             field(&IssuerConfig::leeway, "leeway", "Clock difference tolerated on `exp`, `nbf` and `iat`.",
                   config::between(0s, 300s)),
             field(&IssuerConfig::max_lifetime, "max_lifetime",
                   "Tokens that are valid for longer, from `iat` to `exp`, are refused.",
                   config::between(1s, 31 * 24h)),
             field(&IssuerConfig::types, "types",
                   "Values of `typ` accepted, ignoring case; an empty text stands for a token without one.",
                   config::may_be_empty, config::example("[at+jwt]")),
             field(&IssuerConfig::claims, "claims", "Claims to read instead of the usual ones.", claim_names_schema()),
             field(&IssuerConfig::verified_tokens, "verified_tokens",
                   "How many of its tokens are remembered by their hash once their signature was proved, so that who "
                   "comes again costs no second proof. Time, revocation and the set of keys are asked about each time "
                   "all the same. About 1 KiB each; 0: none.",
                   config::between(0, 1'000'000)))
      .validated_by(
          [](const IssuerConfig& issuer, config::Check& check) {
            if (issuer.types.empty())
              check.problem("types", "an empty list would refuse every token", "Leave it out for the default");
            if (!issuer.keys.secret.empty() && has_asymmetric(issuer.algorithms)) {
              check.problem("algorithms", "a secret serves HS256, HS384 and HS512 only");
            }
            if (!issuer.keys.jwks_url.empty() && has_symmetric(issuer.algorithms)) {
              check.problem(
                  "algorithms",
                  "a published key set holds no secrets, so HS256, HS384 and HS512 cannot be verified with it",
                  "Use secret_file or jwks_file for them");
            }
          },
          {"types", "algorithms", "keys"});
}

namespace {

Result<std::shared_ptr<KeySource>> make_keys(const IssuerConfig& config, const config::Environment& environment,
                                             net::Loop& control, const Issuer* earlier) {
  const KeysConfig& keys = config.keys;
  if (!keys.jwks_file.empty()) {
    const auto kinds = !has_symmetric(config.algorithms)    ? jose::KeyKinds::public_only
                       : !has_asymmetric(config.algorithms) ? jose::KeyKinds::symmetric_only
                                                            : jose::KeyKinds::any;
    return make_file_keys(keys.jwks_file.path, {kinds, jose::WeakSecrets::refused}, control.wall());
  }
  if (!keys.secret.empty()) {
    TRY(const Secret secret, config::load_secret(keys.secret, environment));
    return make_secret_keys(secret, config.algorithms, control.wall());
  }
  TRY_OK(check_jwks_url(
      keys.jwks_url, keys.dangerous_plaintext_jwks ? PlaintextJwks::dangerous_allowed : PlaintextJwks::loopback_only));
  auto fetched = std::make_shared<UrlKeys>(UrlKeysSettings{keys.jwks_url, keys.ca_file.path, keys.refresh}, control);
  if (earlier) {
    if (const auto* before = dynamic_cast<const UrlKeys*>(earlier->keys.get())) fetched->start_from(*before);
  }
  return std::shared_ptr<KeySource>(std::move(fetched));
}

}  // namespace

Result<std::shared_ptr<const Issuer>> make_issuer(const IssuerConfig& config, const config::Environment& environment,
                                                  net::Loop& control, const Issuer* earlier,
                                                  std::vector<std::string> kept_claims) {
  auto issuer = std::make_shared<Issuer>();
  issuer->name = config.name;
  issuer->claims = config.claims;
  issuer->kept_claims = std::move(kept_claims);
  issuer->policy.issuers = {config.issuer};
  issuer->policy.audiences = config.audience;
  for (const crypto::Algorithm algorithm : config.algorithms) issuer->policy.algorithms.add(algorithm);
  issuer->policy.types = config.types;
  issuer->policy.leeway = config.leeway;
  issuer->policy.max_lifetime = config.max_lifetime;
  issuer->policy.max_token_bytes = max_token_size;
  if (!config.claims.subject.empty()) issuer->policy.required = {"iss", "aud", "exp"};
  auto keys = make_keys(config, environment, control, earlier);
  if (!keys) return Error{keys.error().reason, "issuer '" + config.name + "': " + keys.error().detail};
  issuer->keys = std::move(*keys);
  issuer->verified = std::make_shared<VerifiedTokens>(config.verified_tokens);
  return std::shared_ptr<const Issuer>(std::move(issuer));
}

}  // namespace sallyport::auth
