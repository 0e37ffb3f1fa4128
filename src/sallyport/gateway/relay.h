#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/base/log.h"
#include "sallyport/crypto/random.h"
#include "sallyport/gateway/metrics.h"
#include "sallyport/gateway/recoder.h"
#include "sallyport/gateway/sessions.h"
#include "sallyport/gateway/snapshot.h"
#include "sallyport/net/stream.h"
#include "sallyport/protocol/adapter.h"
#include "sallyport/ws/assembler.h"

namespace sallyport::gateway {

/// What the connections of one loop use in turn; no one keeps anything in it across a suspension.
struct Scratch {
  std::vector<Byte> read = std::vector<Byte>(128 * 1024);
  std::vector<Byte> plain;  ///< grows to the largest message seen
  std::string frames;       ///< written anew, on their way
  DeflateScratch deflate;
  protocol::Workspace workspace;
};

enum class By : std::uint8_t { client, backend, gateway };
std::string_view name_of(By by);

/// How a relayed connection ended.
struct Ending {
  Reason reason = Reason::internal_bug;
  By by = By::gateway;
  std::uint16_t code = 0;  ///< of the close frame that began the end; 1006 when there was none
  std::string detail;
};

/// What the relay needs of its surroundings. All outlive it.
struct RelayContext {
  Scratch& scratch;
  Metrics& metrics;
  Log& log;
  crypto::Random& random;
  auth::Here& here;
  const GatewayLimits& limits;
  /// The configuration of this moment, which may be newer than the connection: a renewal is judged by it.
  const std::shared_ptr<const Snapshot>& current;
};

/// Carries whole messages between two WebSocket streams for as long as the session holds, and is the only one who writes to them.
///
/// A message of either side is complete, and checked, before its first byte goes on; then its frames go on as they came, with
/// the client's masks. When one side does not take bytes the other is not read: what is kept for a side is bounded by one read and
/// one message. Everything that can happen is an event of one loop: bytes, room, time, a verdict on a renewal, an order to close.
class Relay {
 public:
  /// `control`: the client speaks the control channel. `evidence` is what the client was admitted with.
  enum class ControlChannel : std::uint8_t { off, on };
  Relay(RelayContext context, net::Waiter& waiter, Session& session, const auth::Evidence& evidence,
        ControlChannel control, net::Stream& client, net::Stream& backend, const Compression& compression);

  /// Before run(): the client was greeted already, so the backend's first message is dropped.
  void drop_greeting() { drop_greeting_ = true; }
  /// Before run(): the first notice tells the client this session token.
  void tell_session(Secret token) { session_token_.emplace(std::move(token)); }
  /// Relays until both sides are told of the end, or the time for that is over. `early_*` are bytes that came behind the heads of the
  /// handshakes. Never fails: every trouble is an ending.
  net::Task<Ending> run(Bytes early_client, Bytes early_backend);

  struct Traffic {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  Traffic from_client() const { return client_.traffic; }
  Traffic from_backend() const { return backend_.traffic; }

 private:
  static constexpr std::uint32_t client_readable = net::Waiter::readable;
  static constexpr std::uint32_t client_writable = net::Waiter::writable;
  static constexpr std::uint32_t backend_readable = net::Waiter::first_free;
  static constexpr std::uint32_t backend_writable = net::Waiter::first_free << 1;
  static constexpr std::uint32_t timer_due = net::Waiter::first_free << 2;
  static constexpr std::uint32_t renewal_done = net::Waiter::first_free << 3;

  enum class Phase : std::uint8_t { open, closing, over };

  struct Side {
    Side(net::Stream& its_stream, ws::Role role, ws::Assembler::Limits limits, ws::Extension agreed,
         std::uint32_t readable, Instant now)
        : stream(its_stream), assembler(role, limits, agreed), readable_bit(readable), heard(now) {}

    bool blocked() const { return !out.empty(); }

    net::Stream& stream;
    ws::Assembler assembler;           // of what this side sends
    std::unique_ptr<Recoder> recoder;  // of the same; none where no message is inflated or compressed
    std::string out;                   // what this side has not taken yet
    std::size_t out_taken = 0;
    std::uint32_t readable_bit;
    bool ended = false;     // nothing will come from it any more
    bool failed = false;    // its frames are not to be read any more
    bool finished = false;  // nothing more is written to it
    bool close_sent = false;
    bool close_received = false;
    Instant heard;
    std::optional<Instant> pinged;
    std::optional<std::array<Byte, 8>> ping_payload;  // of the last ping, until it is answered
    Instant blocked_since{};
    std::size_t taken_since_blocked = 0;
    Traffic traffic;
  };

  // rewritten: what goes on is at the end of the scratch's frames.
  enum class Fate : std::uint8_t { forward, drop, rewritten };

  Side& other(Side& side) { return &side == &client_ ? backend_ : client_; }
  bool is_client(const Side& side) const { return &side == &client_; }
  By by(const Side& side) const { return is_client(side) ? By::client : By::backend; }
  // The other side broke the protocol and is not told yet, because this one may have answers for what was said before.
  bool has_last_words(Side& from) { return other(from).failed && !other(from).close_sent && !other(from).ended; }
  bool is_heard(Side& from) { return phase_ == Phase::open || has_last_words(from); }
  // What it sends would have nowhere to go now, so it is not read.
  bool must_wait(Side& from) { return other(from).blocked() || (is_client(from) && renewal_); }

  void pump(Side& from);
  bool relay_units(Side& from);
  Result<Fate> judge(Side& from, const ws::Unit& unit);
  Result<Fate> judge_message(Side& from, const ws::Unit& unit);
  Fate judge_pong(Side& from, const ws::Unit& unit);
  Fate take_close(Side& from, const ws::Unit& unit);
  Result<void> take_control(Bytes text);
  void hold_back(Side& from);
  void lost(Side& side);

  void send(Side& to, Bytes bytes);
  void send_close(Side& to, std::uint16_t code, std::string_view reason);
  void flush(Side& to);
  void begin_close(const Error& error, By by);
  void end_last_words();
  void finish_if_done();

  static net::Task<void> renew(Relay& relay, Secret token);
  void take_renewal();
  void follow_identity();

  void end_in_time();
  void check_peers();
  void check_liveness(Side& side, Instant now);
  void check_progress(Side& side, Instant now);
  void schedule();
  void set_expiry();
  void follow_clock();

  RelayContext context_;
  net::Waiter& waiter_;
  Session& session_;
  const auth::Evidence& evidence_;
  ControlChannel control_;
  net::Loop& loop_;
  Side client_;
  Side backend_;
  TokenBucket rate_;
  net::Timer timer_;
  Phase phase_ = Phase::open;
  Ending ending_;
  Duration grace_{};
  Duration notice_{};
  Instant notice_at_{};
  Instant expires_at_{};
  Instant session_ends_at_{};
  Instant close_deadline_{};
  Instant last_words_until_{};
  std::optional<Secret> session_token_;  // until it is told
  bool noticed_ = false;
  bool drop_greeting_ = false;
  bool spoof_logged_ = false;
  std::uint32_t pongs_owed_ = 0;  // by the client, for pings of the backend
  std::optional<net::Task<void>> renewal_;
  std::optional<Result<auth::Identity>> renewed_;
};

}  // namespace sallyport::gateway
