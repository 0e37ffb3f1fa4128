#include "sallyport/auth/service.h"

#include <algorithm>

#include "sallyport/http/url.h"
#include "sallyport/net/socket.h"

namespace sallyport::auth {
namespace {

bool is_loopback(const http::Authority& authority) {
  if (authority.kind == http::HostKind::name) return authority.host == "localhost";
  const auto endpoint = net::Endpoint::parse_ip(authority.host, 0);
  return endpoint.ok() && endpoint->is_loopback();
}

}  // namespace

Result<void> check_service_url(std::string_view url, PlaintextService plaintext) {
  TRY(const http::HttpUrl parsed, http::parse_http_url(url));
  if (parsed.scheme == http::Scheme::https || plaintext == PlaintextService::dangerous_allowed ||
      is_loopback(parsed.authority))
    return {};
  return Error{Reason::config_invalid,
               "https:// expected: over plain http anybody on the way can read credentials and answer instead"};
}

// One of the questions that a loop may have under way.
class Service::Place {
 public:
  explicit Place(Places& places) : places_(&places) { ++places_->taken; }
  Place(Place&& other) noexcept : places_(std::exchange(other.places_, nullptr)) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (!places_) return;
    --places_->taken;
    if (!places_->waiting.empty()) places_->waiting.front()->raise(net::Waiter::readable);
  }

  // Errors: `deadline.late`.
  static net::Task<Result<Place>> take(Places& places, std::uint32_t most, net::Loop& loop, net::Deadline deadline) {
    if (places.taken < most && places.waiting.empty()) co_return Place(places);
    net::Waiter waiter(loop);
    struct InLine {
      Places& places;
      net::Wake* wake;
      ~InLine() {
        std::erase(places.waiting, wake);
        // Whoever leaves the line may have been called while there is still room.
        if (!places.waiting.empty()) places.waiting.front()->raise(net::Waiter::readable);
      }
    };
    places.waiting.push_back(&waiter.wake());
    const InLine in_line{places, &waiter.wake()};
    while (places.taken >= most || places.waiting.front() != &waiter.wake())
      CO_TRY_OK(co_await waiter.wait_for(net::Waiter::readable, deadline));
    co_return Place(places);
  }

 private:
  Places* places_;
};

net::Task<Result<net::HttpResponse>> Service::ask(net::HttpRequest request, Here& here, net::Deadline deadline) const {
  // A place first: who waited for one learns that the server has been given up meanwhile.
  CO_TRY(const Place place, co_await Place::take(places_.at(here.loop), config_.requests, here.loop, deadline));
  Result<Breaker::Leave> leave = breaker_.ask(here.loop.now());
  if (!leave) co_return Error{leave.error().reason, config_.url + ": " + leave.error().detail};

  request.url = config_.url;
  request.ca_file = config_.ca_file;
  request.max_body = max_answer;
  const Instant limit = here.loop.now() + config_.timeout;
  const bool hurried = deadline.at < limit;
  const net::Deadline by{hurried ? deadline.at : limit, hurried ? deadline.late : Reason::auth_unavailable};
  net::Task<Result<net::HttpResponse>> fetching = here.http.fetch(std::move(request), by);
  Result<net::HttpResponse> response = co_await fetching;
  if (!response && hurried && response.error().reason == deadline.late) co_return std::move(response).error();
  if (!response) {
    leave->failed(here.loop.now());
    co_return Error{Reason::auth_unavailable, response.error().detail.empty() ? config_.url + ": no answer in time"
                                                                              : std::move(response).error().detail};
  }
  if (response->status >= 500) {
    leave->failed(here.loop.now());
    co_return Error{Reason::auth_unavailable, config_.url + ": status " + std::to_string(response->status)};
  }
  leave->succeeded();
  co_return response;
}

}  // namespace sallyport::auth
