#pragma once

#include "sallyport/gateway/shard.h"
#include "sallyport/http/request.h"
#include "sallyport/http/upgrade.h"
#include "sallyport/net/tls.h"

namespace sallyport::gateway {

/// Starts to serve a socket that was just accepted, or drops it when its peer asks for too much.
/// Threads: the shard's own.
void accept_connection(Shard& shard, std::size_t listener, net::Fd fd, net::Endpoint from);

/// A connection from its first byte to its last.
class Connection {
 public:
  /// `over_rate`: the peer is over its handshake rate and is only to be told so.
  enum class Rate : std::uint8_t { within, over };
  Connection(Shard& shard, std::size_t listener, net::Fd fd, net::Endpoint from, PendingPlaces pending, Rate rate);

  /// Until the connection is over. Every Error of the path ends here: as an HTTP answer until the 101 is written, as a close frame
  /// from then on. So does a bug, which costs this connection and no other.
  net::Task<void> serve();

 private:
  struct Upstream {
    std::unique_ptr<net::Stream> stream;
    BackendPlace place;
    std::optional<std::string> subprotocol;
    std::string early;  ///< frames that came behind the backend's 101
  };

  /// What the handshake has brought about.
  struct Opened {
    http::OriginProof origin;
    std::unique_ptr<Session> session;
    Upstream upstream;
  };

  net::Task<Result<void>> run();
  /// accept > TLS > read upgrade > route > origin > authenticate > admit > dial > 101. Nothing when the request was answered otherwise.
  net::Task<Result<std::optional<Opened>>> open();
  net::Task<Result<void>> secure();
  net::Task<Result<http::Request>> read_request();
  net::Task<Result<void>> answer_well_known(const http::Request& request);
  net::Task<Result<auth::Identity>> prove(const auth::Evidence& evidence);
  net::Task<Result<Upstream>> open_upstream(const http::Upgrade& upgrade, const Session& session);
  net::Task<Result<void>> write_switching(const http::Upgrade& upgrade, const std::optional<std::string>& subprotocol);
  /// relay > close
  net::Task<void> relay(Opened& opened);
  net::Task<void> refuse(const Error& error);
  net::Task<void> linger();
  bool wants_control(const http::Upgrade& upgrade) const;
  net::Deadline deadline(std::chrono::milliseconds after, Reason late) const;

  Shard& shard_;
  net::Loop& loop_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const net::ServerTls> tls_;
  auth::Peer peer_;
  std::optional<PendingPlaces> pending_;  ///< until it has proved itself
  Rate rate_;
  Instant accepted_at_;
  net::Waiter waiter_;
  std::unique_ptr<net::Stream> client_;
  net::TlsStream* client_tls_ = nullptr;
  std::string received_;  ///< of the client, behind what was parsed
  std::optional<http::Upgrade> upgrade_;
  std::shared_ptr<const Route> route_;
  bool secured_ = false;
  bool switched_ = false;
};

}  // namespace sallyport::gateway
