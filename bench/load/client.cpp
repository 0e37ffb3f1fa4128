#include "client.h"

#include <arpa/inet.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "die.h"
#include "load.h"

namespace sallyport::bench {

namespace {

constexpr std::string_view websocket_key = "MDEyMzQ1Njc4OWFiY2RlZg==";
const std::string accept_line = "Sec-WebSocket-Accept: " + accept_for(websocket_key);

/// True when `head` has the line `wanted`, the name in any case.
bool has_line(std::string_view head, std::string_view wanted) {
  for (std::size_t at = 0; at + wanted.size() <= head.size(); ++at) {
    if (strncasecmp(head.data() + at, wanted.data(), wanted.size()) == 0) return true;
  }
  return false;
}

}  // namespace

Client::~Client() {
  drop();
  SSL_SESSION_free(session_);
}

void Client::drop() {
  if (ssl_ != nullptr) {
    // OpenSSL forgets the session of a connection that was not closed in an orderly way.
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl_);
  }
  ssl_ = nullptr;
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  state_ = State::unused;
}

void Client::remember(SSL_SESSION* session) {
  SSL_SESSION_free(session_);
  session_ = session;
}

void Client::start(std::string_view token) {
  drop();
  const Options& options = load_.options;
  request_ = "GET " + options.path + " HTTP/1.1\r\nHost: " + options.host +
             "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ";
  request_ += websocket_key;
  request_ += "\r\n";
  if (!options.origin.empty()) request_ += "Origin: " + options.origin + "\r\n";
  if (!token.empty()) request_.append("Authorization: Bearer ").append(token) += "\r\n";
  request_ += "\r\n";
  in_.clear();
  out_.clear();
  since_.clear();
  sent_ = received_ = 0;
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) die(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  inet_pton(AF_INET, options.address.c_str(), &address.sin_addr);
  state_ = State::connecting;
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 && errno != EINPROGRESS) return lost();
  epoll_event event{.events = EPOLLOUT, .data = {.ptr = this}};
  epoll_ctl(load_.epoll(), EPOLL_CTL_ADD, fd_, &event);
  wanted_ = EPOLLOUT;
}

void Client::lost() {
  constexpr const char* at[] = {"unused", "connecting",   "in the TLS handshake", "before the answer",
                                "in use", "while closing"};
  die(std::string("connection ended ") + at[static_cast<int>(state_)] + ": " + in_.substr(0, 500));
}

void Client::want(std::uint32_t events) {
  if (events == wanted_) return;
  wanted_ = events;
  epoll_event event{.events = events, .data = {.ptr = this}};
  epoll_ctl(load_.epoll(), EPOLL_CTL_MOD, fd_, &event);
}

void Client::on_event(std::uint32_t events) {
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) lost();
    if (load_.options.tls) {
      state_ = State::handshaking;
      ssl_ = SSL_new(load_.context());
      SSL_set_app_data(ssl_, this);
      SSL_set_fd(ssl_, fd_);
      SSL_set_tlsext_host_name(ssl_, load_.options.host.c_str());
      if (load_.options.resume && session_ != nullptr) SSL_set_session(ssl_, session_);
      SSL_set_connect_state(ssl_);
    } else {
      return send_upgrade();
    }
  }
  if (state_ == State::handshaking) return handshake();
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) advance();
}

void Client::handshake() {
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    resumed_ = SSL_session_reused(ssl_) == 1;
    return send_upgrade();
  }
  const int error = SSL_get_error(ssl_, result);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return want(EPOLLIN);
  if (error == SSL_ERROR_WANT_WRITE) return want(EPOLLOUT);
  lost();
}

void Client::send_upgrade() {
  state_ = State::upgrading;
  out_ = request_;
  std::string().swap(request_);
  flush();
}

void Client::advance() {
  std::string& buffer = load_.read_buffer;
  for (;;) {
    const long got = read_some(buffer.data(), buffer.size());
    if (got < 0) break;
    if (got == 0) {
      if (state_ != State::closing) lost();
      drop();
      load_.closed(*this);
      return;
    }
    const std::string_view input(buffer.data(), static_cast<std::size_t>(got));
    if (state_ == State::upgrading) {
      in_ += input;
      take_upgrade();
    } else {
      take_frames(input);
    }
    if (state_ != State::upgrading && state_ != State::open && state_ != State::closing) return;
    // A short read from a plain socket is the last one; TLS may hold more.
    if (ssl_ == nullptr ? input.size() < buffer.size() : SSL_has_pending(ssl_) == 0) break;
  }
  flush();
}

void Client::take_upgrade() {
  const std::size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos) return;
  const std::string head = in_.substr(0, end + 2);
  const std::string& status = load_.options.status;
  if (!head.starts_with("HTTP/1.1 " + status + " ")) die("another answer: " + head);
  if (status != "101") {
    drop();
    return load_.closed(*this);
  }
  if (!has_line(head, accept_line)) die("no upgrade: " + head);
  const std::string rest = in_.substr(end + 4);
  std::string().swap(in_);
  state_ = State::open;
  load_.opened(*this);
  if (!rest.empty()) take_frames(rest);
}

void Client::take_frames(std::string_view input) {
  const bool joined = !in_.empty();
  if (joined) {
    in_ += input;
    input = in_;
  }
  std::size_t at = 0;
  Frame frame;
  Read read = Read::part;
  while ((read = read_frame(input.substr(at), frame)) == Read::whole) {
    if (frame.masked) die("a server that masks");
    const std::string_view payload = input.substr(at + frame.header, frame.payload);
    at += frame.size();
    take(frame, payload);
    if (state_ != State::open && state_ != State::closing) return;
  }
  if (read == Read::malformed) die("a frame that is none");
  if (joined) {
    in_.erase(0, at);
    if (in_.empty()) std::string().swap(in_);
  } else if (at < input.size()) {
    in_.reserve(frame.size());
    in_ = input.substr(at);
  }
}

void Client::take(const Frame& frame, std::string_view payload) {
  switch (frame.opcode) {
    case Opcode::text: {
      if (payload != load_.payload().numbered(index_ << 40 | received_++)) die("another payload came back");
      const Clock::time_point since = since_.front();
      since_.pop_front();
      return load_.echoed(*this, since);
    }
    case Opcode::ping:
      append_masked(out_, Opcode::pong, payload, load_.mask());
      return;
    case Opcode::close:
      if (state_ != State::closing)
        die("closed in use: " + std::string(payload.substr(std::min<std::size_t>(2, payload.size()))));
      drop();
      return load_.closed(*this);
    default:
      die("an unexpected frame");
  }
}

void Client::send(Clock::time_point since) {
  append_masked(out_, Opcode::text, load_.payload().numbered(index_ << 40 | sent_++), load_.mask());
  since_.push_back(since);
  flush();
}

void Client::close() {
  append_masked(out_, Opcode::close, "\x03\xe8", load_.mask());
  flush();
  state_ = State::closing;
}

void Client::flush() {
  std::size_t at = 0;
  while (at < out_.size()) {
    const long sent = write_some(std::string_view(out_).substr(at));
    if (sent < 0) break;
    at += static_cast<std::size_t>(sent);
  }
  out_.erase(0, at);
  want(out_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

long Client::read_some(char* into, std::size_t size) {
  if (ssl_ == nullptr) {
    const ssize_t got = recv(fd_, into, size, 0);
    return got < 0 && errno != EAGAIN ? 0 : got;
  }
  const int got = SSL_read(ssl_, into, static_cast<int>(size));
  if (got > 0) return got;
  const int error = SSL_get_error(ssl_, got);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

long Client::write_some(std::string_view from) {
  if (ssl_ == nullptr) {
    const ssize_t sent = ::send(fd_, from.data(), from.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) lost();
    return sent;
  }
  const int sent = SSL_write(ssl_, from.data(), static_cast<int>(from.size()));
  if (sent > 0) return sent;
  const int error = SSL_get_error(ssl_, sent);
  ERR_clear_error();
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) lost();
  return -1;
}

void Client::watch_end() {
  const int on = 1;
  setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
  want(EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
}

std::uint64_t Client::arrival() const {
  char byte = 0;
  alignas(cmsghdr) std::array<char, 256> about;
  iovec piece{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = about.data();
  message.msg_controllen = about.size();
  timespec when{};
  clock_gettime(CLOCK_REALTIME, &when);
  if (recvmsg(fd_, &message, MSG_PEEK) > 0) {
    for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
      if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
        std::memcpy(&when, CMSG_DATA(each), sizeof(when));
      }
    }
  }
  return static_cast<std::uint64_t>(when.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(when.tv_nsec);
}

unsigned Client::read_end() {
  std::string& buffer = load_.read_buffer;
  Frame frame;
  for (;;) {
    const long got = read_some(buffer.data(), buffer.size());
    if (got <= 0) return 0;
    in_.append(buffer.data(), static_cast<std::size_t>(got));
    while (read_frame(in_, frame) == Read::whole) {
      const std::string payload = in_.substr(frame.header, frame.payload);
      in_.erase(0, frame.size());
      if (frame.opcode != Opcode::close) continue;
      if (payload.size() < 2) return 1005;
      append_masked(out_, Opcode::close, payload.substr(0, 2), load_.mask());
      flush();
      return static_cast<unsigned char>(payload[0]) * 256U + static_cast<unsigned char>(payload[1]);
    }
  }
}

}  // namespace sallyport::bench
