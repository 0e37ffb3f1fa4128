#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sallyport/auth/opening/opening.h"
#include "sallyport/gateway/exchange.h"
#include "sallyport/gateway/first_words.h"

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
  // How far the answer to the client is.
  enum class Stage : std::uint8_t { asked, answering, accepted, relaying };

  // read upgrade > route > origin > authenticate > admit > dial > 101. Nothing is next when the request was answered otherwise.
  net::Task<Result<Next>> open();
  net::Task<Result<auth::Identity>> prove(const auth::Evidence& evidence);
  // accept, then wait for the client to say who it is
  net::Task<Result<auth::Identity>> welcome(const http::Upgrade& upgrade, http::OriginProof origin);
  net::Task<Result<auth::Identity>> listen(const Lobby::Guest& guest, http::OriginProof origin);
  // Puts an opaque session of our own in place of the credential's identity.
  net::Task<Result<void>> exchange(Session& session);
  Result<auth::Opening> open_message(const FirstWords::Message& message) const;
  net::Task<Result<Upstream>> open_upstream(const http::Upgrade& upgrade, const Session& session,
                                            std::span<const http::DeflateParameters> deflate_offers);
  net::Task<Result<void>> accept(const http::Upgrade& upgrade, const Agreed& agreed);
  Agreed agreement(const http::Upgrade& upgrade, const Upstream& upstream) const;
  // relay > close
  net::Task<void> relay();
  void report_accepted() const;
  void report_closed(const Relay& relay, const Ending& ending) const;
  net::Task<void> refuse(const Error& error);
  net::Task<void> close(Reason reason, net::Waiter& waiter);
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
  Stage stage_ = Stage::asked;
  // Of a client that was accepted before the backend was asked.
  std::optional<std::string> agreed_early_;  // the subprotocol; empty: none
  std::optional<Secret> session_token_;
  std::optional<std::string> early_client_;  // frames that are the relay's to read
};

}  // namespace sallyport::gateway
