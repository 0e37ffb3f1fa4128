#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client.h"
#include "payload.h"
#include "tokens.h"

namespace sallyport::bench {

struct Options {
  std::string address = "127.0.0.1";
  int port = 0;
  bool tls = true;
  bool resume = false;
  std::string status = "101";  ///< the answer that each upgrade must get; after another one than 101 a client is done
  std::string host = "bench.example.com";
  std::string path = "/ws";
  std::string origin;
  Shape shape = Shape::text;
  std::unique_ptr<Tokens> tokens;
};

/// The clients of one server, and the loads that they can make. Each load prints one line of JSON.
class Load {
 public:
  explicit Load(Options options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Opens clients until there are `count`, each of which has had one message echoed.
  void open(std::size_t count);
  /// Keeps `in_flight` messages of `size` bytes under way on each client.
  void messages(std::size_t size, std::size_t in_flight, double warmup, double seconds,
                const std::vector<int>& watched);
  /// Sends `rate` messages a second, evenly, whether or not the earlier ones are back.
  void rate(std::size_t size, double rate, double warmup, double seconds, const std::vector<int>& watched);
  /// Connects, upgrades and closes, `at_a_time` at a time; ends early when the tokens do.
  void handshakes(std::size_t at_a_time, double warmup, double seconds, const std::vector<int>& watched);
  /// Exactly `count` messages, of which `in_flight` are under way on each client: for counting instructions.
  void send_exactly(std::size_t size, std::size_t in_flight, std::uint64_t count);
  /// Exactly `count` handshakes, `at_a_time` at a time.
  void connect_exactly(std::size_t at_a_time, std::uint64_t count);
  /// Sends `request` to the port `admin` of this machine and waits until every client was told its end.
  void revoke(int admin, const std::string& request, const std::vector<int>& watched);
  /// Tries to connect until one message was echoed, and says when that was, by the monotonic clock.
  void ready(double patience);

  // What clients need and tell.
  const Options options;
  std::string read_buffer = std::string(256 * 1024, '\0');
  int epoll() const { return epoll_; }
  SSL_CTX* context() const { return context_; }
  Payload& payload() { return payload_; }
  Mask mask();
  void opened(Client& client);
  void echoed(Client& client, Clock::time_point since);
  void closed(Client& client);

 private:
  enum class Kind { opening, closed_loop, open_loop, handshakes, draining };

  void turn(Clock::time_point until);
  template <typename Step>
  double run_for(double seconds, std::size_t least, Step step);
  void measure(double seconds, double cpu_ns);
  template <typename Step>
  void measure_messages(double warmup, double seconds, const std::vector<int>& watched, Step step);
  void drain();
  bool start(Client& client);
  bool begin();
  void begin_handshakes(std::size_t at_a_time);
  void begin_messages(std::size_t size, std::size_t in_flight);
  void start_next();

  SSL_CTX* context_ = nullptr;
  int epoll_ = -1;
  Payload payload_{Shape::text, Payload::smallest};
  std::uint64_t random_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  Kind kind_ = Kind::opening;
  bool measuring_ = false;
  std::size_t started_ = 0;
  std::size_t under_way_ = 0;
  std::uint64_t to_begin_ = UINT64_MAX;
  std::uint64_t done_ = 0;
  std::uint64_t resumed_ = 0;
  std::vector<std::uint32_t> latencies_;
};

}  // namespace sallyport::bench
