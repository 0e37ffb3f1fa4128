#include "sallyport/admin/endpoint.h"

#include <array>
#include <optional>

#include "sallyport/admin/members.h"
#include "sallyport/auth/opaque/opaque_token.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/random.h"

namespace sallyport::admin {
namespace {

using Answered = net::Task<Result<Answer>>;

constexpr auto default_ttl = std::chrono::hours(1);
// What a revocation by subject is remembered for at least, so that it outlives every token that it covers.
constexpr auto longest_ttl = std::chrono::hours(24 * 90);

constexpr store::Handle handles[] = {store::Handle::subject, store::Handle::session_id, store::Handle::token_id,
                                     store::Handle::token_hash, store::Handle::connection};

void add_text(json::Object& object, const char* name, const std::string& value) {
  if (!value.empty()) object.emplace_back(name, value);
}

double milliseconds_since(const net::Loop& loop, Instant begin) {
  return std::chrono::duration<double, std::milli>(loop.clock().now() - begin).count();
}

Answered healthz(gateway::Gateway&, Call) { co_return Answer{200, "text/plain", "ok\n"}; }

Answered readyz(gateway::Gateway& gateway, Call) {
  const std::string why = gateway.not_ready();
  if (!why.empty()) co_return Answer{503, "text/plain", why + "\n"};
  co_return Answer{200, "text/plain", "ready\n"};
}

Answered metrics(gateway::Gateway& gateway, Call) {
  co_return Answer{200, "text/plain; version=0.0.4; charset=utf-8", gateway.metrics_text()};
}

Answered list_connections(gateway::Gateway& gateway, Call) {
  CO_TRY(const std::vector<gateway::SessionInfo> sessions, co_await gateway.connections());
  json::Array list;
  for (const gateway::SessionInfo& session : sessions) {
    json::Object item{{"id", session.id}, {"route", session.route}, {"subject", session.subject}};
    add_text(item, "issuer", session.issuer);
    item.emplace_back("mechanism", session.mechanism);
    item.emplace_back("peer", session.peer);
    item.emplace_back("admitted_at", to_unix_seconds(session.admitted_at));
    item.emplace_back("expires_at", to_unix_seconds(session.expires_at));
    list.emplace_back(std::move(item));
  }
  co_return make_answer(200, {{"connections", std::move(list)}});
}

Answered close_connection(gateway::Gateway& gateway, Call call) {
  CO_TRY(const bool closed, co_await gateway.close_connection(call.parameter, "admin API"));
  if (!closed) co_return Error{Reason::request_not_found, "no connection has this id"};
  co_return make_answer(200, {{"closed", 1}});
}

/// Exactly one handle with its value.
Result<std::pair<store::Handle, std::string>> read_handle(const Members& members) {
  std::optional<std::pair<store::Handle, std::string>> found;
  for (const store::Handle handle : handles) {
    TRY(std::optional<std::string> value, members.text(store::name_of(handle)));
    if (!value) continue;
    if (found) return Error{Reason::request_invalid, "only one of sub, sid, jti, token_hash, connection may be given"};
    found.emplace(handle, *std::move(value));
  }
  if (!found) return Error{Reason::request_invalid, "one of sub, sid, jti, token_hash, connection is needed"};
  if (found->first == store::Handle::token_hash) {
    const bool digits =
        found->second.size() == 64 && found->second.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!digits)
      return Error{Reason::request_invalid,
                   "token_hash: the SHA-256 of the token as 64 lower-case hex digits expected"};
  }
  return *std::move(found);
}

Answered add_revocation(gateway::Gateway& gateway, Call call) {
  const net::Loop& loop = gateway.control();
  const Instant begin = loop.clock().now();
  CO_TRY(const Members members, Members::make(call.body, {"sub", "sid", "jti", "token_hash", "connection", "issuer",
                                                          "issued_before", "reason"}));
  CO_TRY(auto handle, read_handle(members));
  gateway::RevocationRequest request;
  request.handle = handle.first;
  request.value = std::move(handle.second);
  CO_TRY(request.issuer, members.text("issuer"));
  CO_TRY(request.issued_before, members.time("issued_before", loop.wall()));
  CO_TRY(auto reason, members.text("reason"));
  request.reason = std::move(reason).value_or("");
  CO_TRY(const gateway::Revoked revoked, co_await gateway.revoke(std::move(request)));
  co_return make_answer(200, {{"id", static_cast<std::int64_t>(revoked.revocation.id)},
                              {"closed", static_cast<std::int64_t>(revoked.closed)},
                              {"milliseconds", milliseconds_since(loop, begin)}});
}

Answered list_revocations(gateway::Gateway& gateway, Call) {
  CO_TRY(const std::vector<store::Revocation> revocations,
         co_await gateway.store().revocations(0, gateway.control().wall()));
  json::Array list;
  for (const store::Revocation& revocation : revocations) {
    json::Object item{{"id", static_cast<std::int64_t>(revocation.id)},
                      {"handle", store::name_of(revocation.handle)},
                      {"value", revocation.value}};
    if (revocation.issuer) item.emplace_back("issuer", *revocation.issuer);
    if (revocation.issued_before) item.emplace_back("issued_before", to_unix_seconds(*revocation.issued_before));
    item.emplace_back("created_at", to_unix_seconds(revocation.created_at));
    item.emplace_back("keep_until", to_unix_seconds(revocation.keep_until));
    add_text(item, "reason", revocation.reason);
    list.emplace_back(std::move(item));
  }
  co_return make_answer(200, {{"revocations", std::move(list)}});
}

Answered issue_token(gateway::Gateway& gateway, Call call) {
  CO_TRY(const Members members, Members::make(call.body, {"sub", "sid", "tenant", "scopes", "roles", "ttl"}));
  store::TokenRow row;
  CO_TRY(row.subject, members.required_text("sub"));
  CO_TRY(auto session_id, members.text("sid"));
  CO_TRY(auto tenant, members.text("tenant"));
  CO_TRY(row.scopes, members.words("scopes"));
  CO_TRY(row.roles, members.words("roles"));
  CO_TRY(const std::chrono::seconds ttl, members.duration("ttl", default_ttl, longest_ttl));
  row.session_id = std::move(session_id).value_or("");
  row.tenant = std::move(tenant).value_or("");
  crypto::SystemRandom random;
  auth::MintedToken minted = auth::mint_token(random);
  row.hash = minted.hash;
  row.id = base64url_encode(bytes_of(random.bytes(16)));
  row.issued_at = gateway.control().wall();
  row.expires_at = row.issued_at + ttl;
  json::Object answer{
      {"token", minted.token.reveal()}, {"id", row.id}, {"expires_at", to_unix_seconds(row.expires_at)}};
  CO_TRY_OK(co_await gateway.store().put_token(std::move(row)));
  co_return make_answer(201, std::move(answer));
}

Answered revoke_token(gateway::Gateway& gateway, Call call) {
  const net::Loop& loop = gateway.control();
  const Instant begin = loop.clock().now();
  CO_TRY(const auto revoked, co_await gateway.revoke_token(call.parameter, "token revoked"));
  if (!revoked) co_return Error{Reason::request_not_found, "no token has this id"};
  co_return make_answer(200, {{"id", static_cast<std::int64_t>(revoked->revocation.id)},
                              {"closed", static_cast<std::int64_t>(revoked->closed)},
                              {"milliseconds", milliseconds_since(loop, begin)}});
}

constexpr std::array all{
    Endpoint{"GET", "/healthz", Access::open, Body::none, healthz},
    Endpoint{"GET", "/readyz", Access::open, Body::none, readyz},
    Endpoint{"GET", "/metrics", Access::open, Body::none, metrics},
    Endpoint{"GET", "/v1/connections", Access::operators, Body::none, list_connections},
    Endpoint{"DELETE", "/v1/connections/{id}", Access::operators, Body::none, close_connection},
    Endpoint{"GET", "/v1/revocations", Access::operators, Body::none, list_revocations},
    Endpoint{"POST", "/v1/revocations", Access::operators, Body::json, add_revocation},
    Endpoint{"POST", "/v1/tokens", Access::operators, Body::json, issue_token},
    Endpoint{"DELETE", "/v1/tokens/{id}", Access::operators, Body::none, revoke_token},
};

/// What stands for `{name}` in `pattern` when `path` is like it, which may be nothing.
std::optional<std::string> match_path(std::string_view pattern, std::string_view path) {
  const std::size_t brace = pattern.find('{');
  if (brace == std::string_view::npos) return path == pattern ? std::optional<std::string>("") : std::nullopt;
  if (!path.starts_with(pattern.substr(0, brace))) return std::nullopt;
  const std::string_view rest = path.substr(brace);
  if (rest.empty() || rest.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(rest);
}

}  // namespace

std::span<const Endpoint> endpoints() { return all; }

Result<Match> match_endpoint(std::string_view method, std::string_view path) {
  bool known = false;
  for (const Endpoint& endpoint : all) {
    std::optional<std::string> parameter = match_path(endpoint.path, path);
    if (!parameter) continue;
    known = true;
    if (endpoint.method == method) return Match{&endpoint, *std::move(parameter)};
  }
  if (known) return Error{Reason::http_method_not_allowed, "only " + allowed_methods(path)};
  return Error{Reason::request_not_found, "no such endpoint"};
}

std::string allowed_methods(std::string_view path) {
  std::string methods;
  for (const Endpoint& endpoint : all) {
    if (!match_path(endpoint.path, path)) continue;
    if (!methods.empty()) methods += ", ";
    methods += endpoint.method;
  }
  return methods;
}

Answer make_answer(int status, json::Object members) {
  return {status, "application/json", json::dump(json::Value(std::move(members))) + "\n"};
}

Answer make_answer(const Error& error) {
  const ReasonRow& why = row(error.reason);
  json::Object members{{"error", why.name}};
  add_text(members, "detail", error.detail);
  return make_answer(why.http_status, std::move(members));
}

}  // namespace sallyport::admin
