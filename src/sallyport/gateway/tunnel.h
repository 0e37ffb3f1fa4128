#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sallyport/gateway/exchange.h"

namespace sallyport::gateway {

/// One WebSocket from its request to its last byte: the path, the same for every transport.
class Tunnel {
 public:
  /// Lifetime: `arrival` and `exchange` outlive the tunnel.
  Tunnel(Arrival& arrival, Exchange& exchange);

  /// Until it is over. Every Error of the path ends here: as an HTTP answer until the handshake is accepted, as a close frame from then
  /// on. So does a bug, which costs this tunnel and no other.
  net::Task<void> serve();

 private:
  struct Upstream {
    std::unique_ptr<net::Stream> stream;
    BackendPlace place;
    std::optional<std::string> subprotocol;
    Compression compression;
    std::string early;  // frames that came behind the backend's 101
  };

  enum class Next : std::uint8_t { relay, nothing };

  // read upgrade > route > origin > authenticate > admit > dial > 101. Nothing is next when the request was answered otherwise.
  net::Task<Result<Next>> open();
  net::Task<Result<auth::Identity>> prove(const auth::Evidence& evidence);
  net::Task<Result<Upstream>> open_upstream(const http::Upgrade& upgrade, const Session& session,
                                            std::span<const http::DeflateParameters> deflate_offers);
  net::Task<Result<void>> accept(const http::Upgrade& upgrade, const Upstream& upstream);
  // relay > close
  net::Task<void> relay();
  void report_accepted() const;
  void report_closed(const Relay& relay, const Ending& ending) const;
  net::Task<void> refuse(const Error& error);
  bool wants_control(const http::Upgrade& upgrade) const;

  Arrival& arrival_;
  Exchange& exchange_;
  Shard& shard_;
  net::Loop& loop_;
  std::unique_ptr<const http::Upgrade> upgrade_;  // until the relay begins
  std::shared_ptr<const Route> route_;
  // What the handshake has brought about.
  std::unique_ptr<Session> session_;
  Upstream upstream_;
  http::OriginProof origin_{};
  bool switched_ = false;
};

}  // namespace sallyport::gateway
