#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sallyport/net/stream.h"

struct sockaddr;

namespace sallyport::net {

/// Owns a descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// An IPv4 or IPv6 address with its port, or the path of a unix socket. A value.
class Endpoint {
 public:
  Endpoint() = default;
  static Endpoint from(const sockaddr* address, std::size_t length);
  /// `host` is an IP literal without brackets. Errors: `config.invalid`.
  static Result<Endpoint> parse_ip(std::string_view host, std::uint16_t port);
  /// Errors: `config.invalid` when the path does not fit a socket address or holds a NUL.
  static Result<Endpoint> unix_socket(std::string_view path);

  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(storage_.data()); }
  std::size_t length() const { return storage_.size(); }
  int family() const;
  std::uint16_t port() const;
  bool is_loopback() const;
  /// The address alone: `192.0.2.1`, `2001:db8::1`; an IPv4-mapped one as IPv4; `unix` for a unix socket.
  std::string ip() const;
  /// What one customer usually holds: the IPv4 address, or the IPv6 /64 (`2001:db8:1:2::/64`).
  std::string network() const;
  /// `192.0.2.1:443`, `[2001:db8::1]:443`, `unix:/run/x.sock`.
  std::string text() const;

 private:
  std::string storage_;
};

/// Raises bits on a Wake for one descriptor; the part that all socket streams share.
class Readiness final : public IoHandler {
 public:
  /// From the start reports what can be read, or, of a socket that is being connected, that it takes bytes.
  enum class First : std::uint8_t { readable, writable };
  Readiness(Loop& loop, int fd, First first = First::readable);
  ~Readiness() override;
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  void attach(Wake& wake, std::uint32_t readable, std::uint32_t writable);
  void pause_reading();
  void resume_reading();
  /// Asks for one report that the socket takes bytes again.
  void want_write();
  /// Says that a write waits for something to read; both bits are then raised together.
  void write_needs_input() { tied_ = true; }
  /// Says that a read waits for room to write; until there is some, readability is not reported, which the kernel would otherwise
  /// do on every turn.
  void read_needs_room();
  /// Raises the readable bit again without the kernel: there is something to read that it does not know of.
  void remind() {
    if (wake_) wake_->raise(readable_);
  }
  void on_io(std::uint32_t epoll_events) override;

 private:
  void update();
  void set_interest(std::uint32_t interest);

  Loop& loop_;
  int fd_;
  Wake* wake_ = nullptr;
  std::uint32_t readable_ = 0;
  std::uint32_t writable_ = 0;
  std::uint32_t interest_;
  bool paused_ = false;
  bool wants_write_ = false;
  bool needs_room_ = false;
  bool hung_up_ = false;
  bool tied_ = false;
};

/// A stream on a socket; what TLS does not change.
class SocketStream : public Stream {
 public:
  void attach(Wake& wake, std::uint32_t readable, std::uint32_t writable) override {
    readiness_.attach(wake, readable, writable);
  }
  void pause_reading() override { readiness_.pause_reading(); }
  void resume_reading() override { readiness_.resume_reading(); }

  /// What stands before all else, in front of TLS too: shows what is there without taking it, and takes it. Only before the first
  /// read, write or TLS handshake.
  IoResult peek(MutableBytes into);
  /// `count` bytes that peek() has shown.
  void skip(std::size_t count);

 protected:
  SocketStream(Loop& loop, Fd fd) : fd_(std::move(fd)), readiness_(loop, fd_.get()) {}
  Fd fd_;
  Readiness readiness_;
};

/// A TCP or unix socket without TLS.
class PlainStream final : public SocketStream {
 public:
  PlainStream(Loop& loop, Fd fd) : SocketStream(loop, std::move(fd)) {}
  IoResult read(MutableBytes into) override;
  IoResult write(Bytes from) override;
  void finish() override;
};

/// Connects without blocking. The descriptor is ready to be made a stream.
/// Errors: `upstream.unavailable`, `server.overloaded` when this process has no descriptor left, `deadline.late`, the waiter's
/// interruption.
Task<Result<Fd>> connect(Waiter& waiter, const Endpoint& to, Deadline deadline);

/// A socket bound and listening, with SO_REUSEPORT so that each loop has its own.
/// Errors: `config.invalid` with the system's message.
Result<Fd> listen_on(const Endpoint& at, int backlog);

/// Looks `host` up (an IP literal needs no look-up). Blocks: call it on a Worker.
/// Errors: `upstream.unavailable`.
Result<std::vector<Endpoint>> resolve(const std::string& host, std::uint16_t port);

}  // namespace sallyport::net
