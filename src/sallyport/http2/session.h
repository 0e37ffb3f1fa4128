#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sallyport/http/headers.h"
#include "sallyport/http/request.h"
#include "sallyport/net/stream.h"

/// The server's side of HTTP/2 (RFC 9113) on a byte stream, with WebSocket as extended CONNECT (RFC 8441). The frames and their states are
/// nghttp2's; what is kept for whom, and who waits for whom, is decided here.
///
/// A stream owns no buffer while nothing waits in it. What its client sends is kept until it is read, and only then is the client given
/// room for more; what is written to it is taken as far as the client has given room, as a socket would.
namespace sallyport::http2 {

namespace detail {
struct Core;
}  // namespace detail

/// What one connection may use. A stream beyond `streams` is refused; `idle` without a stream that keeps it ends the connection.
/// Units: streams that are open at the same time; `head` for the fields of one request; `body` in bytes, of what is kept of a request's body.
struct Limits {
  std::uint32_t streams = 100;
  http::Limits head;
  std::size_t body = 0;
  Duration idle = std::chrono::seconds(30);
};

/// One request and, once it is answered, the byte stream behind it. Destroyed before finish() it gives the HTTP/2 stream up; after it, the
/// client has a moment to end its own side.
/// Trust:    as net::Stream: what read() yields is hostile.
/// Threads:  the Loop's own. Lifetime: may outlive its session, and has then failed.
class Stream final : public net::Stream {
 public:
  ~Stream() override;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::uint32_t id() const { return id_; }
  /// The fields of the request, pseudo-header fields among them, for http::parse_request_fields.
  /// Errors: `http.headers_too_large`, `http.malformed` when the request was refused while it was read.
  Result<http::Headers> take_fields();
  /// Whether the client sent the end of its side together with the request, or since.
  bool ended() const { return remote_ended_; }
  /// Whether the request has a body beyond the limit, of which nothing is kept. Else read() yields the body of a request that is no
  /// tunnel, until it is answered.
  bool body_too_big() const { return body_too_big_; }
  /// Answers. What is written from then on is the body, or the frames.
  void respond(int status, const http::Headers& fields);
  /// From now on, and for as long as it lives, this stream keeps its connection. No other does: a stream that was refused, or that nobody
  /// has judged yet, must not buy its client time.
  void keep();
  /// Interrupts `waiter` with `peer.gone` when the client gives the stream up; null: nobody, the stream then only fails.
  /// Lifetime: `waiter` outlives the stream or the next call.
  void watch(net::Waiter* waiter);

  net::IoResult read(MutableBytes into) override;
  net::IoResult write(Bytes from) override;
  void finish() override;
  void attach(net::Wake& wake, std::uint32_t readable, std::uint32_t writable) override;
  void pause_reading() override { paused_ = true; }
  void resume_reading() override;

 private:
  friend struct detail::Core;
  friend class Session;
  Stream(std::shared_ptr<detail::Core> core, std::uint32_t id);
  void raise(std::uint32_t bits);
  void report_readable();
  void report_writable();
  void fail();

  std::shared_ptr<detail::Core> core_;
  std::uint32_t id_;
  http::Headers fields_;
  std::optional<Error> refused_;  // while its head was read
  std::size_t fields_size_ = 0;
  std::string in_;
  std::size_t in_taken_ = 0;
  Bytes offered_;        // what write() has to give, while it runs
  bool tunnel_ = false;  // a CONNECT with a protocol
  std::size_t body_size_ = 0;
  bool body_too_big_ = false;
  bool answered_ = false;
  bool remote_ended_ = false;
  bool finishing_ = false;
  bool failed_ = false;
  bool closed_ = false;  // nghttp2 knows it no more
  bool paused_ = false;
  bool write_blocked_ = false;
  bool kept_ = false;
  net::Wake* wake_ = nullptr;
  std::uint32_t readable_ = 0;
  std::uint32_t writable_ = 0;
  net::Waiter* watcher_ = nullptr;
};

/// What a session's owner decides. Called between two reads of the session, or from inside one where it says so; must not destroy it.
class Owner {
 public:
  virtual ~Owner() = default;
  /// A request is there. Dropping the stream refuses it in a way that says that nothing was done.
  virtual void on_request(std::unique_ptr<Stream> stream) = 0;
  /// A stream was given up before its end, or broke a rule that ends it. From inside a read.
  /// Errors: what to end the connection with.
  virtual Result<void> on_reset() = 0;
  /// A frame that carries nothing: PING, SETTINGS, PRIORITY, an empty DATA, a WINDOW_UPDATE beyond those that the data sent can explain. From
  /// inside a read. Errors: what to end the connection with.
  virtual Result<void> on_empty_frame() = 0;
  /// None of the streams that kept the connection is left.
  /// Errors: what to end the connection with.
  virtual Result<void> on_last_gone() = 0;
};

/// One connection: reads its frames, hands its requests to the owner, and serves its streams until it is over.
/// Trust:   all that `wire` yields is hostile.
/// Threads: the Loop's own.
class Session {
 public:
  /// Lifetime: `wire` and `owner` outlive the session. `buffer` is used while run() reads and not across a suspension.
  Session(net::Loop& loop, net::Stream& wire, MutableBytes buffer, Limits limits, Owner& owner);
  /// Whoever still holds a stream finds it failed.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Serves until the connection is over, and says why. GOAWAY has been sent then, if it can be.
  /// Errors:   it always ends in one: `peer.gone`, `http2.malformed`, `http2.idle`, `server.draining`, `peer.too_slow`, those of the owner.
  /// Suspends: for as long as the connection lives.
  /// Lifetime: the session outlives the task.
  net::Task<Error> run();
  /// Takes no new streams, says so, and lets run() end with `server.draining` when those that are there have ended.
  void drain();

 private:
  void set_timer();
  void give_up();
  void read();
  void hand_over();
  net::Task<void> part();

  std::shared_ptr<detail::Core> core_;
  net::Wake wake_;
  net::Timer timer_;
  net::Stream& wire_;
  std::optional<Instant> idle_at_;
  bool had_kept_ = false;
  bool gave_up_ = false;
  MutableBytes buffer_;
  Limits limits_;
  Owner& owner_;
};

}  // namespace sallyport::http2
