#include "sallyport/net/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace sallyport::net {
namespace {

std::string errno_text() { return std::strerror(errno); }

void set_option(int fd, int level, int name) {
  const int on = 1;
  ::setsockopt(fd, level, name, &on, sizeof on);
}

IoResult from_errno() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {IoStatus::would_block};
  return {IoStatus::failed};
}

bool is_connected(const Fd& fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return ::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

in_addr mapped_v4(const in6_addr& address) {
  in_addr v4;
  std::memcpy(&v4, address.s6_addr + 12, 4);
  return v4;
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Endpoint Endpoint::from(const sockaddr* address, std::size_t length) {
  Endpoint endpoint;
  endpoint.storage_.assign(reinterpret_cast<const char*>(address), length);
  return endpoint;
}

Result<Endpoint> Endpoint::parse_ip(std::string_view host, std::uint16_t port) {
  const std::string text(host);
  // inet_pton() would stop at a NUL and take what is before it.
  if (host.find('\0') != std::string_view::npos)
    return Error{Reason::config_invalid, "'" + text + "' is not an IP address"};
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return from(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return from(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  }
  return Error{Reason::config_invalid, "'" + text + "' is not an IP address"};
}

Result<Endpoint> Endpoint::unix_socket(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{Reason::config_invalid,
                 "the path of a unix socket takes 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes"};
  }
  if (path.find('\0') != std::string_view::npos) {
    return Error{Reason::config_invalid, "the path of a unix socket holds no NUL"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return from(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int Endpoint::family() const { return storage_.empty() ? AF_UNSPEC : address()->sa_family; }

std::uint16_t Endpoint::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(address())->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(address())->sin6_port);
  return 0;
}

bool Endpoint::is_loopback() const {
  if (family() == AF_UNIX) return true;
  if (family() == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(address())->sin_addr.s_addr) >> 24) == 127;
  }
  if (family() == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address())->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) return (ntohl(mapped_v4(v6).s_addr) >> 24) == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6);
  }
  return false;
}

std::string Endpoint::ip() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address())->sin_addr, text, sizeof text);
  } else if (family() == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address())->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
      const in_addr v4 = mapped_v4(v6);
      ::inet_ntop(AF_INET, &v4, text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &v6, text, sizeof text);
    }
  } else {
    return "unix";
  }
  return text;
}

std::string Endpoint::network() const {
  if (family() != AF_INET6) return ip();
  in6_addr v6 = reinterpret_cast<const sockaddr_in6*>(address())->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return ip();
  std::memset(v6.s6_addr + 8, 0, 8);
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET6, &v6, text, sizeof text);
  return std::string(text) + "/64";
}

std::string Endpoint::text() const {
  if (family() == AF_UNIX) return std::string("unix:") + reinterpret_cast<const sockaddr_un*>(address())->sun_path;
  const std::string host = ip();
  const bool bracketed = host.find(':') != std::string::npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port());
}

Readiness::Readiness(Loop& loop, int fd, First first)
    : loop_(loop),
      fd_(fd),
      interest_(first == First::readable ? EPOLLIN : EPOLLOUT),
      paused_(first == First::writable),
      wants_write_(first == First::writable) {
  loop_.add(fd_, interest_, *this);
}

Readiness::~Readiness() {
  if (!hung_up_) loop_.remove(fd_);
}

void Readiness::attach(Wake& wake, std::uint32_t readable, std::uint32_t writable) {
  wake_ = &wake;
  readable_ = readable;
  writable_ = writable;
  if (hung_up_) wake_->raise(readable_ | writable_);
}

// What is paused stays in the kernel's list until there is something to report: most pauses end before that, and cost nothing then.
void Readiness::update() {
  const std::uint32_t reading = needs_room_ ? 0U : paused_ ? interest_ & EPOLLIN : std::uint32_t{EPOLLIN};
  set_interest(reading | (wants_write_ ? std::uint32_t{EPOLLOUT} : 0U));
}

void Readiness::set_interest(std::uint32_t interest) {
  if (interest == interest_) return;
  interest_ = interest;
  if (!hung_up_) loop_.modify(fd_, interest_, *this);
}

void Readiness::pause_reading() { paused_ = true; }

void Readiness::resume_reading() {
  paused_ = false;
  update();
  if (hung_up_ && wake_) wake_->raise(readable_);
}

void Readiness::want_write() {
  wants_write_ = true;
  update();
  if (hung_up_ && wake_) wake_->raise(writable_);
}

void Readiness::read_needs_room() {
  needs_room_ = true;
  want_write();
}

void Readiness::on_io(std::uint32_t epoll_events) {
  std::uint32_t bits = 0;
  if (epoll_events & (EPOLLHUP | EPOLLERR)) {
    // The kernel would repeat this on every turn, wanted or not: what is left is read without its help.
    loop_.remove(fd_);
    hung_up_ = true;
    bits = readable_ | writable_;
  }
  if (epoll_events & EPOLLIN) {
    if (paused_) {
      set_interest(interest_ & ~std::uint32_t{EPOLLIN});
    } else {
      bits |= readable_;
    }
  }
  if (epoll_events & EPOLLOUT) {
    bits |= writable_;
    if (std::exchange(needs_room_, false)) bits |= readable_;
    wants_write_ = false;
    update();
  }
  if (tied_ && bits != 0) {
    bits = readable_ | writable_;
    tied_ = false;
  }
  if (wake_ && bits != 0) wake_->raise(bits);
}

IoResult SocketStream::peek(MutableBytes into) {
  const ssize_t count = ::recv(fd_.get(), into.data(), into.size(), MSG_PEEK);
  if (count > 0) return {IoStatus::ok, static_cast<std::size_t>(count)};
  if (count == 0) return {IoStatus::end};
  return from_errno();
}

void SocketStream::skip(std::size_t count) {
  std::array<Byte, 512> taken;
  while (count > 0) {
    const ssize_t got = ::recv(fd_.get(), taken.data(), std::min(count, taken.size()), 0);
    SALLYPORT_CHECK(got > 0);
    count -= static_cast<std::size_t>(got);
  }
}

IoResult PlainStream::read(MutableBytes into) {
  const ssize_t count = ::recv(fd_.get(), into.data(), into.size(), 0);
  if (count > 0) return {IoStatus::ok, static_cast<std::size_t>(count)};
  if (count == 0) return {IoStatus::end};
  return from_errno();
}

IoResult PlainStream::write(Bytes from) {
  const ssize_t count = ::send(fd_.get(), from.data(), from.size(), MSG_NOSIGNAL);
  if (count > 0) return {IoStatus::ok, static_cast<std::size_t>(count)};
  const IoResult result = from_errno();
  if (result.status == IoStatus::would_block) readiness_.want_write();
  return result;
}

void PlainStream::finish() { ::shutdown(fd_.get(), SHUT_WR); }

Task<Result<Fd>> connect(Waiter& waiter, const Endpoint& to, Deadline deadline) {
  Fd fd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return Error{Reason::server_overloaded, "no descriptor to connect with: " + errno_text()};
  if (to.family() != AF_UNIX) set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  if (::connect(fd.get(), to.address(), static_cast<socklen_t>(to.length())) == 0) co_return fd;
  if (errno != EINPROGRESS) co_return Error{Reason::upstream_unavailable, to.text() + ": " + errno_text()};
  // On this machine the other side has answered before the call was over.
  if (!waiter.interruption() && is_connected(fd)) co_return fd;

  Readiness readiness(waiter.wake().loop(), fd.get(), Readiness::First::writable);
  readiness.attach(waiter.wake(), Waiter::readable, Waiter::writable);
  for (;;) {
    CO_TRY_OK(co_await waiter.wait_for(Waiter::writable, deadline));
    int problem = 0;
    socklen_t size = sizeof problem;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) co_return Error{Reason::upstream_unavailable, to.text() + ": " + std::strerror(problem)};
    // Another stream of the same waiter may have raised the bit: a client that hangs up while its backend is dialled.
    if (is_connected(fd)) co_return fd;
  }
}

Result<Fd> listen_on(const Endpoint& at, int backlog) {
  Fd fd(::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Error{Reason::config_invalid, at.text() + ": socket: " + errno_text()};
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  if (at.family() == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  // Accepted sockets inherit it: messages must not wait for the acknowledgement of the one before.
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  if (::bind(fd.get(), at.address(), static_cast<socklen_t>(at.length())) != 0) {
    return Error{Reason::config_invalid, at.text() + ": bind: " + errno_text()};
  }
  if (::listen(fd.get(), backlog) != 0) return Error{Reason::config_invalid, at.text() + ": listen: " + errno_text()};
  return fd;
}

Result<std::vector<Endpoint>> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return Error{Reason::upstream_unavailable, "cannot resolve '" + host + "': " + ::gai_strerror(code)};
  std::vector<Endpoint> endpoints;
  for (const addrinfo* at = found; at; at = at->ai_next)
    endpoints.push_back(Endpoint::from(at->ai_addr, at->ai_addrlen));
  ::freeaddrinfo(found);
  return endpoints;
}

}  // namespace sallyport::net
