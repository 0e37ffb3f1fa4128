#pragma once

#include <string>

#include "sallyport/gateway/exchange.h"

namespace sallyport::gateway {

/// The only request of an HTTP/1.1 connection: the stream is the connection's own.
class Http1Exchange final : public Exchange {
 public:
  /// `scheme` of the connection. Lifetime: `arrival`, `stream` and `waiter` outlive the exchange.
  Http1Exchange(const Arrival& arrival, net::Stream& stream, net::Waiter& waiter, http::Scheme scheme)
      : Exchange(stream, waiter), arrival_(arrival), scheme_(scheme) {}

  std::string_view transport() const override { return "http/1.1"; }
  net::Task<Result<http::Request>> receive() override;
  net::Task<Result<std::string>> receive_body(const http::Request& request) override;
  net::Task<Result<void>> accept(const http::Upgrade& upgrade, const Agreed& agreed, net::Waiter& waiter) override;
  net::Task<void> answer(const http::Response& response, net::Waiter& waiter) override;
  net::Task<void> linger(net::Waiter& waiter) override;
  Bytes early() override;

 private:
  net::Task<Result<void>> read_more(std::size_t most, net::Deadline by);

  const Arrival& arrival_;
  http::Scheme scheme_;
  std::string received_;  // behind what was parsed
};

}  // namespace sallyport::gateway
