#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/breaker.h"
#include "sallyport/auth/per_loop.h"
#include "sallyport/net/http_client.h"

namespace sallyport::auth {

enum class PlaintextService : std::uint8_t { loopback_only, dangerous_allowed };

/// Allows `url` as a server that decides who is let in: https, or http to this machine itself, because whoever sits on the way could
/// otherwise read credentials and decide instead.
/// Errors: `config.invalid`, its detail written for whoever wrote the configuration.
Result<void> check_service_url(std::string_view url, PlaintextService plaintext);

/// How one server is asked, whatever about.
struct ServiceConfig {
  std::string url;
  std::string ca_file;  ///< empty: the system's authorities
  std::chrono::milliseconds timeout{2000};
  std::uint32_t requests = 64;
  BreakerConfig breaker;
};

/// The settings `timeout`, `requests` and `breaker`, the same in all plugs that ask a server.
template <class C>
config::Field<C> timeout_field(std::chrono::milliseconds C::* member) {
  using namespace std::chrono_literals;
  return config::field(member, "timeout", "For one answer, connecting included.", config::between(10ms, 60s));
}
template <class C>
config::Field<C> requests_field(std::uint32_t C::* member) {
  return config::field(member, "requests",
                       "Under way at a time, for each loop; whoever comes beyond waits for a place.",
                       config::between(1, 10'000));
}
template <class C>
config::Field<C> breaker_field(BreakerConfig C::* member) {
  return config::field(member, "breaker", "When the server is left alone because it does not answer.",
                       breaker_schema());
}

/// A server whose word decides, asked over HTTP on the asking loop: a bounded number of questions at a time, each with a time limit, none
/// while the breaker is open. Redirects are not followed, and what is no answer is an Error: nobody gets in on it.
/// Threads: any; ask() on the loop of its `here`.
class Service {
 public:
  /// Units: bytes of an answer; a longer one is none.
  static constexpr std::size_t max_answer = 64 * 1024;

  explicit Service(ServiceConfig config) : config_(std::move(config)), breaker_(config_.breaker) {}

  const ServiceConfig& config() const { return config_; }

  /// The answer to `request`, whose url and ca_file are the service's own, with any status below 500.
  /// Suspends: until it is there, the time limit or `deadline`.
  /// Errors:   `auth.unavailable`; `deadline.late`.
  net::Task<Result<net::HttpResponse>> ask(net::HttpRequest request, Here& here, net::Deadline deadline) const;

  Breaker::State state(Instant now) const { return breaker_.state(now); }

 private:
  // Of one loop.
  struct Places {
    std::uint32_t taken = 0;
    std::deque<net::Wake*> waiting;
  };
  class Place;

  ServiceConfig config_;
  mutable Breaker breaker_;
  mutable PerLoop<Places> places_;
};

}  // namespace sallyport::auth
