#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "sallyport/base/json.h"
#include "sallyport/gateway/exchange.h"
#include "sallyport/gateway/route.h"
#include "sallyport/http/form.h"

/// What a route's host answers beside its sockets, below one prefix: a table of endpoints, and what is the same for all of them. Whoever
/// adds one writes its handler and a line in endpoints.cpp.
namespace sallyport::gateway {

inline constexpr std::string_view endpoint_prefix = "/.sallyport/";

/// What an endpoint reads of a request's body.
enum class Takes : std::uint8_t {
  nothing,   ///< a body is refused
  json,      ///< one JSON object, `application/json`; no body is an empty object
  form,      ///< `application/x-www-form-urlencoded`
  anything,  ///< the body is not read
};

/// Whose pages a browser lets read an answer (CORS).
enum class Pages : std::uint8_t {
  none,
  any,        ///< without credentials: the answer is public
  of_routes,  ///< those of the Origins that the call's route allows, with credentials
};

/// One call, as far as it was understood.
/// Trust:    `request` and the body are hostile.
/// Lifetime: `arrival`, `waiter` and `request` outlive the handler.
struct Call {
  const Arrival& arrival;
  net::Waiter& waiter;  ///< free for the handler until it returns
  const http::Request& request;
  json::Value json = json::Object();  ///< an object
  http::Form form;
  /// What the call is about, once it is known; pages of its Origins may read the answer.
  std::shared_ptr<const Route> route;
};

struct Endpoint {
  std::string_view path;    ///< one that ends in a slash stands for all below it
  std::string_view method;  ///< empty: any
  Takes takes;
  Pages pages;
  /// The answer; `Cache-Control` and CORS are added where it is silent. Errors: become an answer, counted and logged.
  net::Task<Result<http::Response>> (*handle)(Call& call);
};

/// All there are.
std::span<const Endpoint> endpoints();

/// Answers a request below endpoint_prefix, whatever its verdict; its body has not been read yet.
/// Errors:   `route.not_found`, `http.method_not_allowed` for what is no endpoint, and `peer.gone`: nothing was answered.
/// Suspends: for body, handler and answer, each with a deadline of its own.
net::Task<Result<void>> serve_endpoint(const Arrival& arrival, Exchange& exchange, const http::Request& request);

/// An answer in JSON that nobody keeps.
http::Response json_answer(int status, json::Object members);
/// An Error as an answer: the status of its reason, `{"error": what a peer is told, "reason": its name}`; credentials that were refused
/// look all the same. `retry_after` goes with 429 and 503.
http::Response error_answer(const Error& error, std::chrono::seconds retry_after = std::chrono::seconds(1));

/// Finds the route that the call's body names as `path`, such as `{"path": "/ws"}`, or without that the only one of its host, into
/// call.route.
/// Errors: `request.invalid` when the path is no text in its normal form, or is needed and absent; `route.not_found`.
Result<void> find_route(Call& call);

/// Who `call` comes from, by whatever credential call.route accepts: Origin, chain, time, revocations, as for a handshake.
/// Errors: those of OriginPolicy::check() and Chain::authenticate(); `credential.expired`, `credential.revoked`.
net::Task<Result<auth::Identity>> prove(const Call& call);

/// Whether the call comes from a page of an Origin that call.route allows or, before that is known, any route of the host.
bool is_allowed_page(const Call& call);

/// Until when an endpoint may wait for the store and whoever else it asks.
net::Deadline auth_deadline(const Arrival& arrival);

}  // namespace sallyport::gateway
