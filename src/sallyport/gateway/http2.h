#pragma once

#include <memory>

#include "sallyport/gateway/exchange.h"
#include "sallyport/http2/session.h"

namespace sallyport::gateway {

/// A connection that speaks HTTP/2. Each stream is an arrival of its own, with all that this means: a place among the pending, a look at the
/// handshake rate, a tunnel. The connection holds the place of its socket while none of its streams has proved itself.
class Http2Connection final : public http2::Owner {
 public:
  /// Lifetime: `arrival` and `wire` outlive it.
  Http2Connection(Arrival& arrival, net::Stream& wire);
  ~Http2Connection() override;

  /// Until the connection is over.
  net::Task<void> serve();
  /// Takes no new streams. Threads: the shard's own.
  void drain() { session_.drain(); }

 private:
  void on_request(std::unique_ptr<http2::Stream> stream) override;
  Result<void> on_reset() override;
  Result<void> on_empty_frame() override;
  Result<void> on_last_gone() override;

  Arrival& arrival_;
  Shard& shard_;
  std::shared_ptr<std::optional<PendingPlaces>> pending_;
  TokenBucket resets_;
  TokenBucket frames_;
  http2::Session session_;
};

}  // namespace sallyport::gateway
