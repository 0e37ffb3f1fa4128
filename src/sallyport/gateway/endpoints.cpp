#include "sallyport/gateway/endpoints.h"

#include <algorithm>
#include <array>

#include "sallyport/gateway/proof.h"
#include "sallyport/gateway/ticket_endpoint.h"
#include "sallyport/gateway/token_endpoints.h"
#include "sallyport/http/grammar.h"
#include "sallyport/net/call.h"

namespace sallyport::gateway {
namespace {

constexpr std::string_view allowed_headers =
    "authorization, content-type, content-digest, dpop, signature, signature-input";
constexpr std::string_view preflight_seconds = "600";

net::Task<Result<http::Response>> give_keys(Call& call) {
  co_return http::Response{200,
                           {{"Content-Type", "application/jwk-set+json"}, {"Cache-Control", "public, max-age=300"}},
                           call.arrival.snapshot->assertion->jwks()};
}

net::Task<Result<bool>> vouch_on(Shard& shard, std::string code, std::string route, auth::Identity identity) {
  co_return shard.lobby.vouch(code, route, std::move(identity));
}

// Whoever calls says who they are, as in a handshake, and names by its code a socket that waits for that.
net::Task<Result<http::Response>> bind_socket(Call& call) {
  CO_TRY_OK(find_route(call));
  const std::string* code = call.json.find_string("code");
  if (!code) co_return Error{Reason::request_invalid, "code is missing"};
  if (call.route->settings().timing != Timing::out_of_band)
    co_return Error{Reason::request_invalid, "no socket of this route waits to be bound"};
  auto proving = prove(call);
  CO_TRY(const auth::Identity identity, co_await proving);
  Shard& here = call.arrival.shard;
  const net::Deadline by = auth_deadline(call.arrival);
  for (Shard* shard : here.shared.shards) {
    const auto vouch = [shard, code = *code, route = call.route->name(), identity] {
      return vouch_on(*shard, code, route, identity);
    };
    auto vouching = net::call_on<bool>(shard->loop(), here.loop(), vouch, by);
    CO_TRY(const bool vouched, co_await vouching);
    if (vouched) co_return http::Response{204, {}, {}};
  }
  co_return Error{Reason::request_not_found, "no socket waits with this code"};
}

net::Task<Result<std::optional<auth::Identity>>> identity_on(Shard& shard, std::string connection, std::string route) {
  const Session* session = shard.sessions.find(connection);
  if (!session || session->route().name() != route) co_return std::optional<auth::Identity>();
  co_return std::optional(session->identity());
}

net::Task<Result<bool>> renew_on(Shard& shard, std::string connection, auth::Identity before, auth::Identity fresh) {
  Session* session = shard.sessions.find(connection);
  if (!session || !session->identity().is(before)) co_return false;
  session->take(std::move(fresh));
  shard.metrics.refreshed.add();
  co_return true;
}

// A fresh credential for a live connection, by a request beside it: for those that travel with requests only. The connection is named, which
// proves nothing; who it belongs to must be proved again, by the mechanism that proved it first.
net::Task<Result<http::Response>> refresh_socket(Call& call) {
  CO_TRY_OK(find_route(call));
  const std::string* connection = call.json.find_string("connection");
  if (!connection) co_return Error{Reason::request_invalid, "connection is missing"};
  CO_TRY(const auto origin, call.route->origins().check(call.request.headers(), call.request.authority()));
  Shard& here = call.arrival.shard;
  const net::Deadline by = auth_deadline(call.arrival);
  for (Shard* shard : here.shared.shards) {
    const auto look = [shard, id = *connection, route = call.route->name()] { return identity_on(*shard, id, route); };
    auto looking = net::call_on<std::optional<auth::Identity>>(shard->loop(), here.loop(), look, by);
    CO_TRY(const std::optional<auth::Identity> present, co_await looking);
    if (!present) continue;
    auth::Here services = here.here();
    const auth::Evidence evidence{&call.request, origin, call.arrival.peer};
    auto renewing = call.route->chain().renew(*present, evidence, services, by);
    CO_TRY(const auth::Identity fresh, co_await renewing);
    CO_TRY_OK(here.shared.revocations.check(fresh, *connection));
    const auto renew = [shard, id = *connection, before = *present, fresh] {
      return renew_on(*shard, id, before, fresh);
    };
    auto taking = net::call_on<bool>(shard->loop(), here.loop(), renew, by);
    CO_TRY(const bool taken, co_await taking);
    if (taken) co_return json_answer(200, {{"expires_at", to_unix_seconds(fresh->expires_at)}});
  }
  co_return Error{Reason::request_not_found, "no connection of this route has this id"};
}

constexpr std::array all{
    Endpoint{"/.sallyport/bind", "POST", Takes::json, Pages::of_routes, bind_socket},
    Endpoint{"/.sallyport/refresh", "POST", Takes::json, Pages::of_routes, refresh_socket},
    Endpoint{"/.sallyport/jwks.json", "GET", Takes::nothing, Pages::any, give_keys},
    Endpoint{"/.sallyport/ticket", "POST", Takes::json, Pages::of_routes, give_ticket},
    Endpoint{"/.sallyport/token", "POST", Takes::form, Pages::of_routes, issue_tokens},
    Endpoint{"/.sallyport/token/introspect", "POST", Takes::form, Pages::none, introspect_token},
    Endpoint{"/.sallyport/token/jwks.json", "GET", Takes::nothing, Pages::any, give_token_keys},
    Endpoint{"/.sallyport/token/revoke", "POST", Takes::form, Pages::of_routes, revoke_tokens},
};

bool is_at(const Endpoint& endpoint, std::string_view path) {
  return endpoint.path.ends_with('/') ? path.starts_with(endpoint.path) : path == endpoint.path;
}

Result<const Endpoint*> find_endpoint(std::string_view method, std::string_view path) {
  std::string known;
  for (const Endpoint& endpoint : all) {
    if (!is_at(endpoint, path)) continue;
    if (endpoint.method.empty() || endpoint.method == method) return &endpoint;
    known.append(known.empty() ? "" : ", ").append(endpoint.method);
  }
  if (known.empty()) return Error{Reason::route_not_found, "no such endpoint below " + std::string(endpoint_prefix)};
  return Error{Reason::http_method_not_allowed, "only " + known};
}

bool is_allowed_by(const Route& route, const http::Request& request) {
  const auto proof = route.origins().check(request.headers(), request.authority());
  return proof.ok() && *proof == http::OriginProof::allowed;
}

void add_cors(const Call& call, Pages pages, http::Headers& fields) {
  if (pages == Pages::any) fields.add("Access-Control-Allow-Origin", "*");
  if (pages != Pages::of_routes) return;
  fields.add("Vary", "Origin");
  const auto origin = call.request.headers().find("origin");
  if (!origin || !is_allowed_page(call)) return;
  fields.add("Access-Control-Allow-Origin", *origin);
  fields.add("Access-Control-Allow-Credentials", "true");
}

/// The methods that pages may use on `path`; empty when none may.
std::string page_methods(std::string_view path) {
  std::string methods;
  for (const Endpoint& endpoint : all) {
    if (is_at(endpoint, path) && endpoint.pages == Pages::of_routes && !endpoint.method.empty())
      methods.append(methods.empty() ? "" : ", ").append(endpoint.method);
  }
  return methods;
}

bool is_preflight(const http::Request& request) {
  return request.method() == "OPTIONS" && request.headers().count("origin") > 0 &&
         request.headers().count("access-control-request-method") > 0;
}

Result<http::Response> answer_preflight(const Call& call, std::string_view methods) {
  if (!is_allowed_page(call)) return Error{Reason::origin_not_allowed, "a page asks what it may not"};
  http::Response answer{204, {}, {}};
  answer.fields.add("Access-Control-Allow-Methods", methods);
  answer.fields.add("Access-Control-Allow-Headers", allowed_headers);
  answer.fields.add("Access-Control-Max-Age", preflight_seconds);
  return answer;
}

bool is_of_type(const http::Request& request, std::string_view type) {
  const auto types = request.headers().find_all("content-type");
  return types.size() == 1 &&
         http::equal_ignoring_case(http::trimmed(types.front().substr(0, types.front().find(';'))), type);
}

Result<void> parse_body(Call& call, Takes takes, std::string_view body) {
  switch (takes) {
    case Takes::anything:
      break;
    case Takes::nothing:
      if (!body.empty()) return Error{Reason::request_invalid, "a body where none is expected"};
      break;
    case Takes::json: {
      if (body.empty()) break;
      if (!is_of_type(call.request, "application/json"))
        return Error{Reason::message_unsupported, "Content-Type is not application/json"};
      TRY(call.json, json::parse(body));
      if (!call.json.object()) return Error{Reason::request_invalid, "the body is no JSON object"};
      break;
    }
    case Takes::form:
      if (!is_of_type(call.request, "application/x-www-form-urlencoded"))
        return Error{Reason::message_unsupported, "Content-Type is not application/x-www-form-urlencoded"};
      TRY(call.form, http::parse_form(body));
      break;
  }
  return {};
}

net::Task<Result<http::Response>> run(const Endpoint& endpoint, Exchange& exchange, Call& call) {
  if (endpoint.takes != Takes::anything) {
    CO_TRY(const std::string body, co_await exchange.receive_body(call.request));
    CO_TRY_OK(parse_body(call, endpoint.takes, body));
  }
  co_return co_await endpoint.handle(call);
}

}  // namespace

std::span<const Endpoint> endpoints() { return all; }

net::Task<Result<void>> serve_endpoint(const Arrival& arrival, Exchange& exchange, const http::Request& request) {
  if (!arrival.snapshot->routes.has_host(request.host()))
    co_return Error{Reason::route_not_found, "no route of this host"};
  Call call{arrival, exchange.waiter(), request};
  Result<http::Response> answer = Error{Reason::internal_bug, ""};
  Pages pages = Pages::of_routes;
  const std::string methods = is_preflight(request) ? page_methods(request.path()) : std::string();
  if (!methods.empty()) {
    answer = answer_preflight(call, methods);
  } else {
    CO_TRY(const Endpoint* endpoint, find_endpoint(request.method(), request.path()));
    pages = endpoint->pages;
    answer = co_await run(*endpoint, exchange, call);
  }
  if (!answer.ok()) {
    if (answer.error().reason == Reason::peer_gone) co_return answer.error();
    report_refusal(arrival, answer.error(), call.route.get(), request.headers().find("origin"));
    answer = error_answer(answer.error(), std::chrono::seconds(arrival.retry_after));
  }
  if (answer->fields.count("cache-control") == 0) answer->fields.add("Cache-Control", "no-store");
  add_cors(call, pages, answer->fields);
  co_await exchange.answer(*answer, exchange.waiter());
  co_return Result<void>();
}

http::Response json_answer(int status, json::Object members) {
  return {status,
          {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}},
          json::dump(json::Value(std::move(members))) + "\n"};
}

http::Response error_answer(const Error& error, std::chrono::seconds retry_after) {
  const Reason reason = told_reason(error.reason);
  http::RefusalOptions options;
  options.retry_after = retry_after;
  http::Response answer = http::make_refusal(reason, options);
  const std::string_view told =
      row(reason).http_status == 401 ? row(Reason::credential_missing).told : row(reason).told;
  answer.body = json::dump(json::Object{{"error", told}, {"reason", row(reason).name}}) + "\n";
  return answer;
}

Result<void> find_route(Call& call) {
  const Routes& routes = call.arrival.snapshot->routes;
  const json::Value* value = call.json.find("path");
  if (value && !value->string()) return Error{Reason::request_invalid, "path is no text"};
  if (const std::string* path = value ? value->string() : call.form.find("path")) {
    Result<std::string> normal = http::parse_path(*path);
    if (!normal.ok()) return Error{Reason::request_invalid, "path: " + normal.error().detail};
    TRY(call.route, routes.match(call.request.host(), *normal));
    return {};
  }
  const auto of_host = routes.of_host(call.request.host());
  if (of_host.size() != 1) return Error{Reason::request_invalid, "path is missing, and the host has several routes"};
  call.route = of_host.front();
  return {};
}

// Which of the routes is meant stands in the body, so until that was read the pages of any of them are heard.
bool is_allowed_page(const Call& call) {
  if (call.route) return is_allowed_by(*call.route, call.request);
  const auto routes = call.arrival.snapshot->routes.of_host(call.request.host());
  return std::ranges::any_of(routes, [&](const auto& route) { return is_allowed_by(*route, call.request); });
}

net::Deadline auth_deadline(const Arrival& arrival) {
  return arrival.deadline(arrival.snapshot->settings.limits.auth_timeout, Reason::auth_timeout);
}

net::Task<Result<auth::Identity>> prove(const Call& call) {
  const Arrival& arrival = call.arrival;
  CO_TRY(const http::OriginProof origin, call.route->origins().check(call.request.headers(), call.request.authority()));
  const auth::Evidence evidence{&call.request, origin, arrival.peer};
  auto proving = prove(arrival, *call.route, evidence);
  CO_TRY(auth::Identity identity, co_await proving);
  if (identity->expires_at <= arrival.shard.loop().wall())
    co_return Error{Reason::credential_expired, "expired within the leeway"};
  CO_TRY_OK(arrival.shard.shared.revocations.check(identity, {}));
  co_return identity;
}

}  // namespace sallyport::gateway
