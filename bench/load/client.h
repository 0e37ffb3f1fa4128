#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "../wire.h"

namespace sallyport::bench {

class Load;
using Clock = std::chrono::steady_clock;

/// One WebSocket to the server under test: connects, asks, sends numbered messages and compares what comes back.
/// Anything unforeseen ends the program.
class Client {
 public:
  Client(Load& load, std::size_t index) : load_(load), index_(index) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Connects (anew) and upgrades with `token`; tells Load::opened.
  void start(std::string_view token);
  /// Sends the next message; its echo's latency counts from `since`. Tells Load::echoed.
  void send(Clock::time_point since);
  /// Sends a close frame; tells Load::closed when the answer is there.
  void close();
  /// Forgets the connection without a word.
  void drop();
  void on_event(std::uint32_t events);

  /// Asks the kernel to note when bytes arrive, and to report only the first of them.
  void watch_end();
  /// When the bytes that wait came in, by the clock of the day, in nanoseconds.
  std::uint64_t arrival() const;
  /// Reads the bytes that wait: the code of the close frame, 0 when there is none.
  unsigned read_end();

  /// Whether the last TLS handshake resumed a session.
  bool resumed() const { return resumed_; }
  void remember(SSL_SESSION* session);

 private:
  enum class State { unused, connecting, handshaking, upgrading, open, closing };

  void handshake();
  void send_upgrade();
  void advance();
  void take_upgrade();
  void take_frames(std::string_view input);
  void take(const Frame& frame, std::string_view payload);
  void flush();
  void want(std::uint32_t events);
  [[noreturn]] void lost();
  /// Bytes read, 0 at the end, -1 when there are none now.
  long read_some(char* into, std::size_t size);
  long write_some(std::string_view from);

  Load& load_;
  const std::size_t index_;
  State state_ = State::unused;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  SSL_SESSION* session_ = nullptr;
  bool resumed_ = false;
  std::uint32_t wanted_ = 0;
  std::string request_;
  std::string in_;
  std::string out_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::deque<Clock::time_point> since_;
};

}  // namespace sallyport::bench
