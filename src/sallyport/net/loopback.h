#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <utility>

#include "sallyport/net/socket.h"
#include "sallyport/net/turning.h"

/// Real sockets for tests, on a port that the system chooses.
namespace sallyport::net::testing {

/// Where `socket` is bound.
inline Endpoint local_endpoint(const Fd& socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  return Endpoint::from(reinterpret_cast<const sockaddr*>(&address), length);
}

/// A listener on 127.0.0.1.
class Loopback {
 public:
  explicit Loopback(Loop& loop) : loop_(loop) {
    Result<Fd> listener = listen_on(Endpoint::parse_ip("127.0.0.1", 0).value(), 16);
    REQUIRE(listener.ok());
    listener_ = std::move(listener).value();
    endpoint_ = local_endpoint(listener_);
  }

  const Endpoint& endpoint() const { return endpoint_; }
  std::string url(const std::string& path) const { return "http://" + endpoint_.text() + path; }

  /// The next connection.
  Task<Result<Fd>> accept(Waiter& waiter, Deadline deadline) {
    Readiness readiness(loop_, listener_.get());
    readiness.attach(waiter.wake(), Waiter::readable, Waiter::writable);
    for (;;) {
      Fd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted) co_return accepted;
      CO_TRY_OK(co_await waiter.wait_for(Waiter::readable, deadline));
    }
  }

  /// Both ends of a new connection: the one that connected and the one that was accepted.
  std::pair<Fd, Fd> connect_pair() {
    Waiter waiter(loop_);
    const Deadline deadline{loop_.now() + std::chrono::seconds(10), Reason::upstream_timeout};
    Result<Fd> connected = wait_for(loop_, connect(waiter, endpoint_, deadline));
    REQUIRE(connected.ok());
    Result<Fd> accepted = wait_for(loop_, accept(waiter, deadline));
    REQUIRE(accepted.ok());
    return {std::move(connected).value(), std::move(accepted).value()};
  }

 private:
  Loop& loop_;
  Fd listener_;
  Endpoint endpoint_;
};

}  // namespace sallyport::net::testing
