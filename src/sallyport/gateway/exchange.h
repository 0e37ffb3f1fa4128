#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "sallyport/auth/authenticator.h"
#include "sallyport/gateway/limits.h"
#include "sallyport/gateway/shard.h"
#include "sallyport/http/request.h"
#include "sallyport/http/response.h"
#include "sallyport/http/upgrade.h"

namespace sallyport::gateway {

/// So much of a request's body is read, where one is wanted. Units: bytes.
inline constexpr std::size_t most_body = 16 * 1024;

/// Somebody at the door: where from, since when, and what is held for them until they have proved themselves.
struct Arrival {
  /// `over`: they are over their handshake rate and are only to be told so.
  enum class Rate : std::uint8_t { within, over };

  Shard& shard;
  std::shared_ptr<const Snapshot> snapshot;
  auth::Peer peer;
  std::optional<PendingPlaces> pending;
  Rate rate;
  /// What whoever is locked out is told. Units: seconds.
  mutable std::uint32_t retry_after = 1;
  Instant at{};

  /// `after` from now. Who is over their rate gets no longer than it takes to be told so.
  net::Deadline deadline(std::chrono::milliseconds after, Reason late) const;
  /// For an answer to be taken.
  net::Deadline answer_deadline() const;
};

/// A place among those who have not proved themselves; among those of its network too, unless it is a trusted proxy's, who speaks for many.
/// Errors: `limit.pending`.
Result<PendingPlaces> enter_pending(Shard& shard, const net::Endpoint& from);

/// A place for somebody who comes from `from`, once their rate allows it; counts those who get none. A trusted proxy has no rate of its
/// own: those whom it speaks for have, once they are known.
/// Errors: `limit.handshake_rate` for who is not worth an answer, `limit.pending`.
Result<Arrival> arrive(Shard& shard, net::Endpoint from);
/// A place for somebody for whom `proxy` will speak before anything else (the PROXY protocol).
/// Errors: `limit.pending`.
Result<Arrival> arrive_behind(Shard& shard, net::Endpoint proxy);

/// Now it is known who came: their rate and their place among those of their network are `client`'s from here on.
/// Errors: `limit.handshake_rate` for who is not worth an answer, `limit.pending`.
Result<void> enter_as(Arrival& arrival, net::Endpoint client);

/// What a peer is told before the 101: every refused credential looks the same, whichever way the refusal is told.
Reason told_reason(Reason reason);

/// Counts and logs that somebody was turned away at the door.
void report_refusal(Shard& shard, const net::Endpoint& from, const Error& error);
/// Counts and logs that somebody was turned away. `route` and `origin` as far as they are known.
void report_refusal(const Arrival& arrival, const Error& error, const Route* route,
                    std::optional<std::string_view> origin);

/// What the answer to an opening handshake agrees to.
struct Agreed {
  std::optional<std::string_view> subprotocol;
  std::optional<http::DeflateParameters> deflate;
};

/// One request of a client and the way to answer it: all that the transports do differently. Between the request and the relay nothing
/// more is read from the client.
/// Threads: the shard's own.
class Exchange {
 public:
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// What the frames go through once the handshake is accepted; attached to waiter().
  net::Stream& stream() const { return stream_; }
  net::Waiter& waiter() const { return waiter_; }

  /// Its name in ALPN (RFC 7301 §6), for logs.
  virtual std::string_view transport() const = 0;
  /// The request's head.
  /// Errors: those of its parser; `http.timeout`, `peer.gone`, the waiter's interruption.
  virtual net::Task<Result<http::Request>> receive() = 0;
  /// The body of `request`, the one that receive() has given.
  /// Trust:  hostile.
  /// Errors: `message.too_big` beyond most_body; `http.timeout`, `peer.gone`, the waiter's interruption.
  virtual net::Task<Result<std::string>> receive_body(const http::Request& request) = 0;
  /// Completes the opening handshake: what is written to stream() from then on are frames. `waiter` is the one that the stream is
  /// attached to, here and below.
  /// Errors: `peer.too_slow`, `peer.gone`, the waiter's interruption.
  virtual net::Task<Result<void>> accept(const http::Upgrade& upgrade, const Agreed& agreed, net::Waiter& waiter) = 0;
  /// Answers as HTTP does, with the Date by which a client can set its clock, and makes an end as linger() does. Best effort.
  virtual net::Task<void> answer(const http::Response& response, net::Waiter& waiter) = 0;
  /// Ends the exchange so that the last word can be read by its peer.
  virtual net::Task<void> linger(net::Waiter& waiter) = 0;
  /// Frames that came right behind the head. Lifetime: as long as the exchange.
  virtual Bytes early() = 0;

 protected:
  Exchange(net::Stream& stream, net::Waiter& waiter) : stream_(stream), waiter_(waiter) {}

 private:
  net::Stream& stream_;
  net::Waiter& waiter_;
};

}  // namespace sallyport::gateway
