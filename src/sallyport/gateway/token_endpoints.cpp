#include "sallyport/gateway/token_endpoints.h"

#include <algorithm>

#include "sallyport/auth/jwt/jwt.h"
#include "sallyport/auth/opaque/opaque_token.h"
#include "sallyport/auth/text.h"
#include "sallyport/auth/ticket/ticket.h"
#include "sallyport/auth/token_service/token_service.h"
#include "sallyport/auth/within.h"
#include "sallyport/base/encoding.h"
#include "sallyport/http/cookie.h"
#include "sallyport/http/grammar.h"

namespace sallyport::gateway {
namespace {

using auth::IssuedTokens;
using auth::TokenClient;
using auth::TokenFamily;
using auth::TokenService;

constexpr std::string_view user_grant = "urn:sallyport:grant:user";
constexpr std::string_view route_grant = "urn:sallyport:grant:route";
constexpr std::string_view origin_issuer = "origin_iss";
// A revocation is kept for longer than anything that was derived from what it covers: tickets, sessions of sockets.
constexpr auto revocation_margin = std::chrono::hours(24);

/// A refusal in the words of RFC 6749 §5.2, and what the operator gets to know of it.
struct OAuthError {
  std::string_view code;
  Error error;
};

OAuthError invalid_request(std::string detail) {
  return {"invalid_request", {Reason::request_invalid, std::move(detail)}};
}

OAuthError invalid_grant(Error error) {
  if (error.reason == Reason::request_invalid) return {"invalid_scope", std::move(error)};
  return {"invalid_grant", std::move(error)};
}

http::Response refuse(const Call& call, const OAuthError& why) {
  report_refusal(call.arrival, why.error, call.route.get(), call.request.headers().find("origin"));
  // What is down is down, whatever was asked for.
  if (row(why.error.reason).http_status >= 500) return error_answer(why.error);
  const bool client = why.code == "invalid_client";
  http::Response answer = json_answer(client ? 401 : 400, {{"error", why.code}});
  if (client) answer.fields.add("WWW-Authenticate", "Basic realm=\"sallyport\"");
  return answer;
}

const std::shared_ptr<const TokenService>& service_of(const Call& call) { return call.arrival.snapshot->token_service; }

Error no_service() { return {Reason::route_not_found, "there is no token service"}; }

struct ClientCredentials {
  std::string id;
  std::string secret;
};

// Both halves were form-encoded before they went into base64 (RFC 6749 §2.3.1).
Result<ClientCredentials> parse_basic(std::string_view line) {
  const Error wrong{Reason::credential_invalid, "Authorization holds no Basic credentials"};
  constexpr std::string_view scheme = "basic ";
  if (!http::equal_ignoring_case(line.substr(0, scheme.size()), scheme)) return wrong;
  const auto text = base64_decode(http::trimmed(line.substr(scheme.size())));
  if (!text.ok()) return wrong;
  const auto colon = text->find(':');
  if (colon == std::string::npos) return wrong;
  const auto id = http::decode_form_text(std::string_view(*text).substr(0, colon));
  const auto secret = http::decode_form_text(std::string_view(*text).substr(colon + 1));
  if (!id.ok() || !secret.ok()) return wrong;
  return ClientCredentials{*id, *secret};
}

/// The client that has proved itself; nothing when none tried to.
/// Errors: `credential.invalid`, `credential.ambiguous`.
Result<std::optional<TokenClient>> find_client(const Call& call) {
  const auto lines = call.request.headers().find_all("authorization");
  const std::string* id = call.form.find("client_id");
  const std::string* secret = call.form.find("client_secret");
  const bool basic = lines.size() == 1 && http::equal_ignoring_case(lines.front().substr(0, 6), "basic ");
  if (lines.size() > 1 || (basic && secret)) return Error{Reason::credential_ambiguous, "two credentials of a client"};
  ClientCredentials given;
  if (basic) {
    TRY(given, parse_basic(lines.front()));
    if (id && *id != given.id) return Error{Reason::credential_ambiguous, "two clients"};
  } else if (secret) {
    if (!id) return Error{Reason::credential_invalid, "client_secret without client_id"};
    given = {*id, *secret};
  } else {
    return std::optional<TokenClient>();
  }
  TRY(TokenClient client, service_of(call)->verify_client(given.id, given.secret));
  return std::optional(std::move(client));
}

// A cookie counts beside an Origin that some route of the host allows, and without it a page of any site could use it.
Result<std::optional<std::string>> find_cookie(const Call& call) {
  const http::Cookies cookies = call.request.cookies();
  TRY(const auto value, cookies.find(refresh_cookie));
  if (!value) return std::optional<std::string>();
  if (!is_allowed_page(call))
    return Error{Reason::origin_missing, "a refresh token in a cookie without an allowed Origin"};
  return std::optional(std::string(*value));
}

enum class Keep : std::uint8_t { page, cookie };

std::string cookie_text(std::string_view value, std::chrono::seconds age) {
  return std::string(refresh_cookie) + "=" + std::string(value) + "; Path=/; Max-Age=" + std::to_string(age.count()) +
         "; Secure; HttpOnly; SameSite=Strict";
}

http::Response answer_with(const Call& call, const IssuedTokens& tokens, Keep keep) {
  json::Object members{{"access_token", tokens.access_token},
                       {"token_type", "Bearer"},
                       {"expires_in", std::int64_t{tokens.expires_in.count()}}};
  std::string scope;
  for (const std::string& one : tokens.scopes) scope.append(scope.empty() ? "" : " ").append(one);
  if (!scope.empty()) members.emplace_back("scope", scope);
  if (tokens.refresh_token && keep == Keep::page) members.emplace_back("refresh_token", tokens.refresh_token->reveal());
  http::Response answer = json_answer(200, std::move(members));
  answer.fields.add("Pragma", "no-cache");
  if (tokens.refresh_token && keep == Keep::cookie)
    answer.fields.add("Set-Cookie",
                      cookie_text(tokens.refresh_token->reveal(), service_of(call)->config().refresh_idle));
  return answer;
}

void report_issued(const Call& call, std::string_view grant, std::string_view client, std::string_view subject,
                   const IssuedTokens& tokens) {
  Shard& shard = call.arrival.shard;
  Event(shard.shared.log, shard.loop().wall(), Level::info, "token.issued")
      .excerpt("grant", grant)
      .text("client", client)
      .text("subject", subject)
      .text("sid", tokens.session_id)
      .text("jti", tokens.access_id)
      .text("peer", call.arrival.peer.address.ip());
}

net::Task<Result<void>> add_revocation(const Call& call, store::Handle handle, std::string value, std::string why) {
  Shard& shard = call.arrival.shard;
  const auth::TokenServiceConfig& config = service_of(call)->config();
  store::Revocation revocation;
  revocation.handle = handle;
  revocation.value = std::move(value);
  revocation.issuer = config.issuer;
  revocation.created_at = shard.loop().wall();
  revocation.keep_until = revocation.created_at + config.lifetime + revocation_margin;
  revocation.reason = std::move(why);
  auth::Here here = shard.here();
  // The control loop of every instance finds it in the store and closes what it covers; so does ours.
  auto adding = here.store.add_revocation(std::move(revocation));
  CO_TRY_OK(co_await auth::within(here.loop, std::move(adding), auth_deadline(call.arrival)));
  co_return Result<void>();
}

// The revocation first: what it covers must not live on should the rest fail.
net::Task<Result<void>> end_family(const Call& call, const TokenFamily& family, std::string why) {
  auto adding = add_revocation(call, store::Handle::session_id, family.proven.session_id, std::move(why));
  CO_TRY_OK(co_await adding);
  auth::Here here = call.arrival.shard.here();
  auto ending = service_of(call)->end(family.id, here, auth_deadline(call.arrival));
  co_return co_await ending;
}

Result<std::vector<std::string>> read_words(const Call& call, std::string_view name) {
  std::vector<std::string> words;
  const std::string* text = call.form.find(name);
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!words.empty() && !auth::is_clean(words.back()))
      return Error{Reason::request_invalid, std::string(name) + " holds a control character"};
  }
  return words;
}

Result<std::string> read_text(const Call& call, std::string_view name) {
  const std::string* text = call.form.find(name);
  if (!text) return std::string();
  if (!auth::is_clean(*text) || text->size() > 512)
    return Error{Reason::request_invalid,
                 std::string(name) + " is too long, holds a control character or ends in a space"};
  return *text;
}

std::string_view wanted_scope(const Call& call) {
  const std::string* scope = call.form.find("scope");
  return scope ? std::string_view(*scope) : std::string_view();
}

// What an application says of the user whom it names.
Result<TokenFamily> read_user(const Call& call, const TokenClient& client) {
  TokenFamily family;
  family.client_id = client.id;
  auth::Proven& proven = family.proven;
  proven.mechanism = auth::token_service_name;
  TRY(proven.subject, read_text(call, "subject"));
  if (proven.subject.empty()) return Error{Reason::request_invalid, "subject is missing"};
  TRY(proven.session_id, read_text(call, "sid"));
  TRY(proven.tenant, read_text(call, "tenant"));
  TRY(proven.acr, read_text(call, "acr"));
  TRY(proven.amr, read_words(call, "amr"));
  TRY(proven.roles, read_words(call, "roles"));
  if (const std::string* claims = call.form.find("claims")) {
    TRY(proven.claims, json::parse(*claims));
    if (!proven.claims.object()) return Error{Reason::request_invalid, "claims is no JSON object"};
  }
  proven.authenticated_at = call.arrival.shard.loop().wall();
  return family;
}

net::Task<Result<http::Response>> issue_to_client(Call& call, const TokenClient& client) {
  Result<std::vector<std::string>> scopes = TokenService::check_scopes(wanted_scope(call), client.scopes);
  if (!scopes.ok()) co_return refuse(call, {"invalid_scope", scopes.error()});
  auth::Here here = call.arrival.shard.here();
  const IssuedTokens tokens = service_of(call)->issue_to(client, *std::move(scopes), here);
  report_issued(call, "client_credentials", client.id, client.id, tokens);
  co_return answer_with(call, tokens, Keep::page);
}

net::Task<Result<http::Response>> issue_to_user(Call& call, const TokenClient& client) {
  if (!client.names_users)
    co_return refuse(
        call, {"unauthorized_client", {Reason::identity_not_allowed, "client '" + client.id + "' may not name users"}});
  Result<TokenFamily> family = read_user(call, client);
  if (!family.ok()) co_return refuse(call, {"invalid_request", family.error()});
  Result<std::vector<std::string>> scopes = TokenService::check_scopes(wanted_scope(call), client.scopes);
  if (!scopes.ok()) co_return refuse(call, {"invalid_scope", scopes.error()});
  family->proven.scopes = *std::move(scopes);
  const std::string subject = family->proven.subject;
  auth::Here here = call.arrival.shard.here();
  auto beginning = service_of(call)->begin(*std::move(family), here, auth_deadline(call.arrival));
  CO_TRY(const IssuedTokens tokens, co_await beginning);
  report_issued(call, user_grant, client.id, subject, tokens);
  co_return answer_with(call, tokens, Keep::page);
}

// Whether time and revocations are all that can end the credential. Of any other its own source would have to be asked, with the
// credential itself: whoever has that gets the next access token by it.
bool can_be_refreshed(const auth::Identity& identity) {
  return identity->mechanism == "jwt" || identity->mechanism == "opaque";
}

net::Task<Result<http::Response>> issue_by_route(Call& call, Keep keep) {
  CO_TRY_OK(find_route(call));
  const auth::TokenServiceConfig& config = service_of(call)->config();
  if (std::ranges::find(config.routes, call.route->name()) == config.routes.end())
    co_return refuse(
        call, {"unauthorized_client", {Reason::request_not_found, "the credentials of this route are no login"}});
  auto proving = prove(call);
  CO_TRY(const auth::Identity identity, co_await proving);
  // Else an access token would beget the next one, for ever.
  if (identity->issuer == config.issuer)
    co_return refuse(call, invalid_grant({Reason::credential_invalid, "a token of this service is no login"}));
  if (identity->key_bound)
    co_return refuse(
        call, invalid_grant({Reason::credential_invalid, "a token that is bound to a key gives none that is not"}));
  TokenFamily family;
  family.credential = *identity;
  family.refreshed = can_be_refreshed(identity);
  family.proven = *identity;
  family.proven.mechanism = auth::token_service_name;
  family.proven.issuer.clear();
  family.proven.token_id.clear();
  family.proven.token_hash.clear();
  family.proven.watch_key.clear();
  family.proven.grounds.reset();
  family.proven.parts.clear();
  if (!identity->issuer.empty()) {
    json::Object claims = identity->claims.object() ? *identity->claims.object() : json::Object();
    std::erase_if(claims, [](const auto& claim) { return claim.first == origin_issuer; });
    claims.emplace_back(origin_issuer, identity->issuer);
    family.proven.claims = std::move(claims);
  }
  Result<std::vector<std::string>> scopes = TokenService::check_scopes(wanted_scope(call), identity->scopes);
  if (!scopes.ok()) co_return refuse(call, {"invalid_scope", scopes.error()});
  family.proven.scopes = *std::move(scopes);
  if (keep == Keep::cookie) {
    CO_TRY(family.origin, auth::origin_text(call.request.headers()));
  }
  auth::Here here = call.arrival.shard.here();
  auto beginning = service_of(call)->begin(std::move(family), here, auth_deadline(call.arrival));
  CO_TRY(const IssuedTokens tokens, co_await beginning);
  report_issued(call, route_grant, {}, identity->subject, tokens);
  co_return answer_with(call, tokens, keep);
}

net::Task<Result<http::Response>> refresh(Call& call, const std::optional<TokenClient>& client) {
  const std::string* given = call.form.find("refresh_token");
  std::optional<std::string> token;
  if (given) {
    token = *given;
  } else {
    CO_TRY(token, find_cookie(call));
  }
  if (!token) co_return refuse(call, invalid_request("refresh_token is missing"));
  const Keep keep = given ? Keep::page : Keep::cookie;
  const Revocations& revocations = call.arrival.shard.shared.revocations;
  TokenService::Check check = [&revocations](const auth::Proven& credential) -> Result<void> {
    TRY(const auth::Identity identity, auth::Verdict::accept(credential).take());
    return revocations.check(identity, {});
  };
  auth::Here here = call.arrival.shard.here();
  if (keep == Keep::cookie) {
    // Browsers send the cookie for pages of every route of the host; it is for those that logged in with it.
    auto finding = service_of(call)->find_family(*token, here, auth_deadline(call.arrival));
    CO_TRY(const std::optional<auth::TokenFamily> family, co_await finding);
    CO_TRY(const std::string origin, auth::origin_text(call.request.headers()));
    if (family && family->origin != origin)
      co_return Error{Reason::origin_not_allowed, "a refresh token in a cookie, used by another page than logged in"};
  }
  auto refreshing =
      service_of(call)->refresh(*std::move(token), client ? client->id : std::string(), std::string(wanted_scope(call)),
                                std::move(check), here, auth_deadline(call.arrival));
  TokenService::Refreshed refreshed = co_await refreshing;
  if (refreshed.refused) {
    if (refreshed.refused->reused) {
      auto ending = end_family(call, *refreshed.refused->reused, "a refresh token was used a second time");
      CO_TRY_OK(co_await ending);
    }
    http::Response answer = refuse(call, invalid_grant(refreshed.refused->error));
    if (keep == Keep::cookie) answer.fields.add("Set-Cookie", cookie_text("", std::chrono::seconds(0)));
    co_return answer;
  }
  report_issued(call, "refresh_token", client ? client->id : std::string(), {}, *refreshed.tokens);
  co_return answer_with(call, *refreshed.tokens, keep);
}

// What a token of ours says, when it is good in every respect.
net::Task<Result<std::optional<json::Object>>> describe(const Call& call, std::string token) {
  const TokenService& service = *service_of(call);
  Shard& shard = call.arrival.shard;
  auth::Here here = shard.here();
  const net::Deadline by = auth_deadline(call.arrival);
  std::optional<json::Object> nothing;
  if (token.starts_with(auth::refresh_token_prefix)) {
    auto asking = service.is_current(token, here, by);
    CO_TRY(const bool current, co_await asking);
    auto finding = service.find_family(token, here, by);
    CO_TRY(const auto family, co_await finding);
    if (!current || !family) co_return nothing;
    json::Object about{{"active", true},
                       {"token_type", "refresh_token"},
                       {"sub", family->proven.subject},
                       {"sid", family->proven.session_id},
                       {"exp", to_unix_seconds(family->ends_at)}};
    if (!family->client_id.empty()) about.emplace_back("client_id", family->client_id);
    co_return about;
  }
  if (token.starts_with(auth::opaque_token_prefix)) {
    auto finding = here.store.find_token(auth::hash_of_token(token));
    CO_TRY(const auto found, co_await auth::within(here.loop, std::move(finding), by));
    if (!found || found->revoked_at || found->expires_at <= shard.loop().wall()) co_return nothing;
    auth::Proven proven;
    proven.mechanism = "opaque";
    proven.subject = found->subject;
    proven.issuer = found->issuer;
    proven.session_id = found->session_id;
    proven.token_id = found->id;
    proven.token_hash = hex_encode(found->hash);
    proven.issued_at = found->issued_at;
    proven.expires_at = found->expires_at;
    CO_TRY(const auth::Identity identity, auth::Verdict::accept(std::move(proven)).take());
    if (!shard.shared.revocations.check(identity, {}).ok()) co_return nothing;
    std::string scope;
    for (const std::string& one : found->scopes) scope.append(scope.empty() ? "" : " ").append(one);
    json::Object about{{"active", true},
                       {"token_type", "Bearer"},
                       {"sub", found->subject},
                       {"jti", found->id},
                       {"iat", to_unix_seconds(found->issued_at)},
                       {"exp", to_unix_seconds(found->expires_at)}};
    if (!scope.empty()) about.emplace_back("scope", scope);
    if (!found->session_id.empty()) about.emplace_back("sid", found->session_id);
    co_return about;
  }
  const auto keys = service.issuer()->keys->snapshot();
  jose::JwtVerdict verdict = jose::verify_jwt(token, *keys, service.issuer()->policy, shard.loop().wall());
  if (!verdict.claims.ok()) co_return nothing;
  const json::Object payload = *verdict.claims->payload.object();
  auto proven = auth::make_proven(*std::move(verdict.claims), service.issuer()->claims);
  if (!proven.ok()) co_return nothing;
  CO_TRY(const auth::Identity identity, auth::Verdict::accept(*std::move(proven)).take());
  if (!shard.shared.revocations.check(identity, {}).ok()) co_return nothing;
  json::Object about{{"active", true}, {"token_type", "Bearer"}};
  for (const auto& [name, value] : payload) {
    if (name != "active" && name != "token_type") about.emplace_back(name, value);
  }
  co_return about;
}

}  // namespace

net::Task<Result<http::Response>> issue_tokens(Call& call) {
  if (!service_of(call)) co_return no_service();
  const std::string* grant = call.form.find("grant_type");
  if (!grant) co_return refuse(call, invalid_request("grant_type is missing"));
  const std::string* kept = call.form.find("keep");
  if (kept && *kept != "cookie") co_return refuse(call, invalid_request("keep is not cookie"));
  // An Authorization line of the route grant is the user's.
  if (*grant == route_grant) {
    auto issuing = issue_by_route(call, kept ? Keep::cookie : Keep::page);
    co_return co_await issuing;
  }
  Result<std::optional<TokenClient>> client = find_client(call);
  if (!client.ok()) co_return refuse(call, {"invalid_client", client.error()});
  if (*grant == "refresh_token") {
    auto refreshing = refresh(call, *client);
    co_return co_await refreshing;
  }
  if (*grant != "client_credentials" && *grant != user_grant)
    co_return refuse(call, {"unsupported_grant_type", {Reason::request_invalid, "grant_type is none of ours"}});
  if (!*client)
    co_return refuse(call, {"invalid_client", {Reason::credential_missing, "a client with its secret is needed"}});
  auto issuing = *grant == user_grant ? issue_to_user(call, **client) : issue_to_client(call, **client);
  co_return co_await issuing;
}

net::Task<Result<http::Response>> revoke_tokens(Call& call) {
  if (!service_of(call)) co_return no_service();
  const TokenService& service = *service_of(call);
  Result<std::optional<TokenClient>> client = find_client(call);
  if (!client.ok()) co_return refuse(call, {"invalid_client", client.error()});
  const std::string* given = call.form.find("token");
  std::optional<std::string> token;
  if (given) {
    token = *given;
  } else {
    CO_TRY(token, find_cookie(call));
  }
  if (!token) co_return refuse(call, invalid_request("token is missing"));
  auth::Here here = call.arrival.shard.here();
  http::Response done = json_answer(200, {});
  if (!given) done.fields.add("Set-Cookie", cookie_text("", std::chrono::seconds(0)));
  // A token that is nobody's any more is as good as revoked (RFC 7009 §2.2).
  if (token->starts_with(auth::refresh_token_prefix)) {
    auto finding = service.find_family(*token, here, auth_deadline(call.arrival));
    CO_TRY(const auto family, co_await finding);
    if (!family) co_return done;
    if (*client && (*client)->id != family->client_id)
      co_return refuse(call, {"invalid_grant", {Reason::credential_invalid, "the token is another client's"}});
    auto ending = end_family(call, *family, "revoked by its client");
    CO_TRY_OK(co_await ending);
    co_return done;
  }
  const auto keys = service.issuer()->keys->snapshot();
  const jose::JwtVerdict verdict =
      jose::verify_jwt(*token, *keys, service.issuer()->policy, call.arrival.shard.loop().wall());
  if (!verdict.claims.ok()) co_return done;
  if (*client && (*client)->id != verdict.claims->client_id)
    co_return refuse(call, {"invalid_grant", {Reason::credential_invalid, "the token is another client's"}});
  auto adding = add_revocation(call, store::Handle::token_id, verdict.claims->token_id, "revoked by its client");
  CO_TRY_OK(co_await adding);
  co_return done;
}

net::Task<Result<http::Response>> introspect_token(Call& call) {
  if (!service_of(call)) co_return no_service();
  const Result<std::optional<TokenClient>> client = find_client(call);
  if (!client.ok()) co_return refuse(call, {"invalid_client", client.error()});
  if (!*client)
    co_return refuse(call, {"invalid_client", {Reason::credential_missing, "a client with its secret is needed"}});
  const std::string* token = call.form.find("token");
  if (!token) co_return refuse(call, invalid_request("token is missing"));
  auto describing = describe(call, *token);
  CO_TRY(auto about, co_await describing);
  if (!about) co_return json_answer(200, {{"active", false}});
  co_return json_answer(200, *std::move(about));
}

net::Task<Result<http::Response>> give_token_keys(Call& call) {
  if (!service_of(call)) co_return no_service();
  co_return http::Response{200,
                           {{"Content-Type", "application/jwk-set+json"}, {"Cache-Control", "public, max-age=300"}},
                           service_of(call)->jwks()};
}

}  // namespace sallyport::gateway
