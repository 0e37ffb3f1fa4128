#include "sallyport/auth/token_service/token_service.h"

#include <algorithm>

#include "sallyport/auth/carried.h"
#include "sallyport/auth/token.h"
#include "sallyport/auth/within.h"
#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/config/file.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/jose/jwt.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t min_client_secret = 32;
constexpr std::size_t random_size = 32;
constexpr std::size_t id_size = 16;

json::Array to_array(const std::vector<std::string>& texts) { return json::Array(texts.begin(), texts.end()); }

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

std::string hash_text(std::string_view token) { return std::string(text_of(crypto::sha256(bytes_of(token)))); }

bool is_refresh_token(std::string_view text) {
  return text.size() == refresh_token_prefix.size() + 43 && text.starts_with(refresh_token_prefix);
}

std::string family_text(const TokenFamily& family) {
  json::Object row{{"client_id", family.client_id},
                   {"proven", carried_text(family.proven)},
                   {"ends_at", to_unix_ms(family.ends_at)}};
  if (!family.origin.empty()) row.emplace_back("origin", family.origin);
  if (family.credential) row.emplace_back("credential", carried_text(*family.credential));
  return json::dump(std::move(row));
}

Result<TokenFamily> read_family_text(std::string id, std::string_view text) {
  const Error unsound{Reason::credential_invalid, "what the store keeps of the login is not sound"};
  const Result<json::Value> read = json::parse(text);
  if (!read.ok()) return unsound;
  const std::string* client_id = read->find_string("client_id");
  const std::string* proven = read->find_string("proven");
  const json::Value* ends_at = read->find("ends_at");
  if (!client_id || !proven || !ends_at || !ends_at->integer()) return unsound;
  TokenFamily family;
  family.id = std::move(id);
  family.client_id = *client_id;
  TRY(family.proven, parse_carried(*proven));
  family.ends_at = WallTime(std::chrono::milliseconds(*ends_at->integer()));
  if (const std::string* origin = read->find_string("origin")) family.origin = *origin;
  if (const std::string* credential = read->find_string("credential")) {
    TRY(family.credential, parse_carried(*credential));
  }
  return family;
}

struct RefreshRow {
  std::string family;
  WallTime idle_at;
};

Result<RefreshRow> read_refresh_row(std::string_view text) {
  const Result<json::Value> read = json::parse(text);
  const std::string* family = read.ok() ? read->find_string("family") : nullptr;
  const json::Value* idle_at = read.ok() ? read->find("idle_at") : nullptr;
  if (!family || !idle_at || !idle_at->integer())
    return Error{Reason::credential_invalid, "what the store keeps of the refresh token is not sound"};
  return RefreshRow{*family, WallTime(std::chrono::milliseconds(*idle_at->integer()))};
}

// What the service says itself, or what would mean something to whoever reads the token.
constexpr std::string_view reserved_claims[] = {"iss", "sub",       "aud", "iat",       "exp", "nbf",   "jti",
                                                "sid", "client_id", "azp", "scope",     "scp", "roles", "tenant",
                                                "tid", "acr",       "amr", "auth_time", "cnf", "typ"};

RefusedRefresh refused(Error error) { return {std::move(error), std::nullopt}; }

}  // namespace

TokenService::TokenService(TokenServiceConfig config, std::vector<jose::SigningKey> keys, std::vector<Client> clients)
    : config_(std::move(config)), keys_(std::move(keys)), clients_(std::move(clients)) {
  json::Array published;
  for (const jose::SigningKey& key : keys_) published.emplace_back(key.to_public_jwk());
  jwks_ = json::dump(json::Object{{"keys", std::move(published)}});
}

Result<std::shared_ptr<const TokenService>> TokenService::make(const TokenServiceConfig& config,
                                                               std::string_view keys_text,
                                                               const config::Environment& environment, WallTime now,
                                                               std::vector<std::string> kept_claims) {
  const auto wrong = [](std::string detail) {
    return Error{Reason::config_invalid, "token_service: " + std::move(detail)};
  };
  auto keys = jose::parse_signing_keys(keys_text);
  if (!keys.ok()) return wrong(config.keys_file.path + ": " + keys.error().detail);
  std::vector<Client> clients;
  for (const TokenClientConfig& client : config.clients) {
    TRY(const Secret secret, config::load_secret(client.secret, environment));
    if (secret.size() < min_client_secret)
      return wrong("the secret of client '" + client.id + "' needs at least " + std::to_string(min_client_secret) +
                   " bytes; make one with `openssl rand -hex 32`");
    clients.push_back({{client.id, client.scopes, client.names_users}, crypto::sha256(secret.bytes())});
  }
  jose::AlgorithmSet algorithms;
  for (const jose::SigningKey& key : *keys) algorithms.add(key.algorithm());
  std::shared_ptr<TokenService> service(new TokenService(config, *std::move(keys), std::move(clients)));
  TRY(auto set, jose::JwkSet::parse(service->jwks_));
  auto issuer = std::make_shared<Issuer>();
  issuer->name = std::string(token_service_name);
  issuer->policy.issuers = {config.issuer};
  issuer->policy.audiences = config.audience;
  issuer->policy.algorithms = algorithms;
  issuer->policy.types = {"at+jwt"};
  issuer->policy.leeway = std::chrono::seconds(0);
  issuer->policy.max_lifetime = config.lifetime;
  issuer->policy.max_token_bytes = max_token_size;
  issuer->policy.required = {"iss", "aud", "exp", "iat", "sub", "jti", "sid"};
  issuer->kept_claims = std::move(kept_claims);
  issuer->keys = std::make_shared<FixedKeys>(std::move(set), now);
  issuer->verified = std::make_shared<VerifiedTokens>(10'000);
  service->issuer_ = std::move(issuer);
  return std::shared_ptr<const TokenService>(std::move(service));
}

Result<TokenClient> TokenService::verify_client(std::string_view id, std::string_view secret) const {
  const auto hash = crypto::sha256(bytes_of(secret));
  const TokenClient* found = nullptr;
  for (const Client& client : clients_) {
    const bool right = crypto::equal(hash, client.secret_hash);
    if (right && client.client.id == id) found = &client.client;
  }
  if (!found) return Error{Reason::credential_invalid, "no client has this id and secret"};
  return *found;
}

Result<std::vector<std::string>> TokenService::check_scopes(std::string_view wanted,
                                                            const std::vector<std::string>& may) {
  if (wanted.empty()) return may;
  std::vector<std::string> scopes;
  while (!wanted.empty()) {
    const std::size_t end = std::min(wanted.find(' '), wanted.size());
    const std::string_view scope = wanted.substr(0, end);
    wanted.remove_prefix(std::min(end + 1, wanted.size()));
    if (scope.empty()) continue;
    if (std::ranges::find(may, scope) == may.end())
      return Error{Reason::request_invalid, "scope '" + std::string(scope) + "' is not to be had"};
    if (std::ranges::find(scopes, scope) == scopes.end()) scopes.emplace_back(scope);
  }
  return scopes;
}

IssuedTokens TokenService::sign(const Proven& proven, const std::string& client_id, std::vector<std::string> scopes,
                                WallTime ends_at, Here& here) const {
  const WallTime now = here.loop.wall();
  const std::int64_t issued_at = to_unix_seconds(now);
  const std::int64_t expires_at = std::min(issued_at + config_.lifetime.count(), to_unix_seconds(ends_at));
  IssuedTokens tokens;
  tokens.access_id = base64url_encode(bytes_of(here.random.bytes(id_size)));
  tokens.expires_in = std::chrono::seconds(expires_at - issued_at);
  tokens.session_id = proven.session_id;
  tokens.scopes = std::move(scopes);
  json::Object claims{{"iss", config_.issuer},   {"sub", proven.subject}, {"aud", to_array(config_.audience)},
                      {"iat", issued_at},        {"exp", expires_at},     {"jti", tokens.access_id},
                      {"sid", proven.session_id}};
  if (!client_id.empty()) claims.emplace_back("client_id", client_id);
  if (!tokens.scopes.empty()) claims.emplace_back("scope", joined(tokens.scopes));
  if (!proven.roles.empty()) claims.emplace_back("roles", to_array(proven.roles));
  if (!proven.tenant.empty()) claims.emplace_back("tenant", proven.tenant);
  if (!proven.acr.empty()) claims.emplace_back("acr", proven.acr);
  if (!proven.amr.empty()) claims.emplace_back("amr", to_array(proven.amr));
  if (proven.authenticated_at) claims.emplace_back("auth_time", to_unix_seconds(*proven.authenticated_at));
  if (const json::Object* more = proven.claims.object()) {
    for (const auto& [name, value] : *more) {
      if (std::ranges::find(reserved_claims, name) == std::end(reserved_claims)) claims.emplace_back(name, value);
    }
  }
  tokens.access_token = jose::sign_jwt(json::Object{{"typ", "at+jwt"}}, claims, keys_.front());
  return tokens;
}

IssuedTokens TokenService::issue_to(const TokenClient& client, std::vector<std::string> scopes, Here& here) const {
  Proven proven;
  proven.subject = client.id;
  proven.session_id = base64url_encode(bytes_of(here.random.bytes(id_size)));
  return sign(proven, client.id, std::move(scopes), WallTime::max(), here);
}

net::Task<Result<IssuedTokens>> TokenService::begin(TokenFamily family, Here& here, net::Deadline deadline) const {
  const WallTime now = here.loop.wall();
  family.id = base64url_encode(bytes_of(here.random.bytes(id_size)));
  if (family.proven.session_id.empty()) family.proven.session_id = family.id;
  family.ends_at = now + config_.refresh_lifetime;
  if (family.credential) family.ends_at = std::min(family.ends_at, family.credential->expires_at);
  if (family.ends_at <= now + std::chrono::seconds(1))
    co_return Error{Reason::credential_expired, "the credential has expired, or is about to"};
  family.proven.expires_at = family.ends_at;
  family.proven.issued_at = now;  // a revocation of what was issued before some time ends logins that began before it
  IssuedTokens tokens = sign(family.proven, family.client_id, family.proven.scopes, family.ends_at, here);
  if (!family.refreshed || family.ends_at <= now + config_.lifetime) co_return std::move(tokens);
  auto putting = here.store.put_once("family:" + family.id, family_text(family), family.ends_at);
  CO_TRY_OK(co_await within(here.loop, std::move(putting), deadline));
  auto adding = add_refresh_token(tokens, family, here, deadline);
  CO_TRY_OK(co_await adding);
  co_return std::move(tokens);
}

net::Task<Result<void>> TokenService::add_refresh_token(IssuedTokens& tokens, const TokenFamily& family, Here& here,
                                                        net::Deadline deadline) const {
  const Secret bytes(here.random.bytes(random_size));
  Secret token(std::string(refresh_token_prefix) + base64url_encode(bytes.bytes()));
  const std::string hash = hash_text(token.reveal());
  const WallTime idle_at = std::min(here.loop.wall() + config_.refresh_idle, family.ends_at);
  // The trace of it first: from when it can be used on, its second use can be seen.
  auto tracing = here.store.put_once("spent:" + hash, family.id, family.ends_at);
  CO_TRY_OK(co_await within(here.loop, std::move(tracing), deadline));
  std::string row = json::dump(json::Object{{"family", family.id}, {"idle_at", to_unix_ms(idle_at)}});
  auto putting = here.store.put_once("refresh:" + hash, std::move(row), family.ends_at);
  CO_TRY_OK(co_await within(here.loop, std::move(putting), deadline));
  tokens.refresh_token = std::move(token);
  co_return Result<void>();
}

net::Task<Result<std::optional<TokenFamily>>> TokenService::read_family(std::string id, Here& here,
                                                                        net::Deadline deadline) const {
  auto finding = here.store.find_once("family:" + id, here.loop.wall());
  CO_TRY(const std::optional<std::string> text, co_await within(here.loop, std::move(finding), deadline));
  if (!text) co_return std::optional<TokenFamily>();
  CO_TRY(TokenFamily family, read_family_text(std::move(id), *text));
  co_return std::optional(std::move(family));
}

net::Task<RefusedRefresh> TokenService::refuse_spent(std::string hash, Here& here, net::Deadline deadline) const {
  auto finding = here.store.find_once("spent:" + hash, here.loop.wall());
  const auto id = co_await within(here.loop, std::move(finding), deadline);
  if (!id.ok()) co_return refused(id.error());
  if (!*id) co_return refused({Reason::credential_invalid, "unknown refresh token"});
  auto reading = read_family(**id, here, deadline);
  auto family = co_await reading;
  if (!family.ok()) co_return refused(family.error());
  if (!*family) co_return refused({Reason::credential_revoked, "the login of the refresh token is over"});
  RefusedRefresh reuse = refused({Reason::credential_replayed, "a refresh token was used a second time"});
  reuse.reused = **std::move(family);
  co_return std::move(reuse);
}

net::Task<TokenService::Refreshed> TokenService::refresh(std::string token, std::string client, std::string scope,
                                                         Check check, Here& here, net::Deadline deadline) const {
  const auto no = [](Error error) { return Refreshed{std::nullopt, refused(std::move(error))}; };
  if (!is_refresh_token(token)) co_return no({Reason::credential_invalid, "not the form of a refresh token"});
  const WallTime now = here.loop.wall();
  const std::string hash = hash_text(token);
  auto finding = here.store.find_once("refresh:" + hash, now);
  const auto text = co_await within(here.loop, std::move(finding), deadline);
  if (!text.ok()) co_return no(text.error());
  if (!*text) {
    auto refusing = refuse_spent(hash, here, deadline);
    RefusedRefresh spent = co_await refusing;
    co_return Refreshed{std::nullopt, std::move(spent)};
  }
  Result<RefreshRow> row = read_refresh_row(**text);
  if (!row.ok()) co_return no(row.error());
  auto reading = read_family(row->family, here, deadline);
  auto family = co_await reading;
  if (!family.ok()) co_return no(family.error());
  if (!*family) co_return no({Reason::credential_revoked, "the login of the refresh token is over"});
  if ((*family)->client_id != client)
    co_return no({Reason::credential_invalid, "the refresh token is another client's"});
  if (row->idle_at <= now) co_return no({Reason::credential_expired, "the refresh token was not used for too long"});
  auto scopes = check_scopes(scope, (*family)->proven.scopes);
  if (!scopes.ok()) co_return no(scopes.error());
  Proven own = (*family)->proven;
  own.issuer = config_.issuer;
  if (Result<void> held = check(own); !held.ok()) co_return no(held.error());
  if ((*family)->credential) {
    if (Result<void> held = check(*(*family)->credential); !held.ok()) co_return no(held.error());
  }
  auto taking = here.store.take_once("refresh:" + hash, now);
  const auto taken = co_await within(here.loop, std::move(taking), deadline);
  if (!taken.ok()) co_return no(taken.error());
  if (!*taken) {
    auto refusing = refuse_spent(hash, here, deadline);
    RefusedRefresh spent = co_await refusing;
    co_return Refreshed{std::nullopt, std::move(spent)};
  }
  IssuedTokens tokens = sign((*family)->proven, client, *std::move(scopes), (*family)->ends_at, here);
  auto adding = add_refresh_token(tokens, **family, here, deadline);
  const Result<void> added = co_await adding;
  if (!added.ok()) co_return no(added.error());
  co_return Refreshed{std::move(tokens), std::nullopt};
}

net::Task<Result<std::optional<TokenFamily>>> TokenService::find_family(std::string token, Here& here,
                                                                        net::Deadline deadline) const {
  if (!is_refresh_token(token)) co_return std::optional<TokenFamily>();
  auto finding = here.store.find_once("spent:" + hash_text(token), here.loop.wall());
  CO_TRY(const std::optional<std::string> id, co_await within(here.loop, std::move(finding), deadline));
  if (!id) co_return std::optional<TokenFamily>();
  auto reading = read_family(*id, here, deadline);
  co_return co_await reading;
}

net::Task<Result<bool>> TokenService::is_current(std::string token, Here& here, net::Deadline deadline) const {
  if (!is_refresh_token(token)) co_return false;
  auto finding = here.store.find_once("refresh:" + hash_text(token), here.loop.wall());
  CO_TRY(const std::optional<std::string> text, co_await within(here.loop, std::move(finding), deadline));
  if (!text) co_return false;
  CO_TRY(const RefreshRow row, read_refresh_row(*text));
  co_return row.idle_at > here.loop.wall();
}

net::Task<Result<void>> TokenService::end(std::string family_id, Here& here, net::Deadline deadline) const {
  auto taking = here.store.take_once("family:" + family_id, here.loop.wall());
  CO_TRY_OK(co_await within(here.loop, std::move(taking), deadline));
  co_return Result<void>();
}

}  // namespace sallyport::auth
