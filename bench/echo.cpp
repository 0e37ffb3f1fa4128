// What does the backend say? The same again: a plain WebSocket server on one thread that returns every message, so that
// what is measured in front of it is the proxy. usage: bench_echo        prints the port it listens on at 127.0.0.1,
// then runs until its standard input closes
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <strings.h>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "wire.h"

namespace {

using namespace sallyport::bench;

struct Connection {
  explicit Connection(int socket) : fd(socket) {}
  ~Connection() { close(fd); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd;
  bool upgraded = false;
  bool ending = false;  // closes when `out` is empty
  bool wants_write = false;
  std::string request;
  std::string in;  // an incomplete frame
  std::string out;
};

class Echo {
 public:
  int run();

 private:
  void accept_all();
  bool serve(Connection& connection);
  bool upgrade(Connection& connection, std::string_view& input);
  bool answer(Connection& connection, std::string_view input);
  bool flush(Connection& connection);

  int listener_ = -1;
  int epoll_ = -1;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::string read_ = std::string(256 * 1024, '\0');
};

void Echo::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connections_[fd] = std::make_unique<Connection>(fd);
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
}

/// Reads once and answers; false when the connection is over.
bool Echo::serve(Connection& connection) {
  const ssize_t got = recv(connection.fd, read_.data(), read_.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  std::string_view input(read_.data(), static_cast<std::size_t>(got));
  if (!connection.upgraded && !upgrade(connection, input)) return !connection.ending;
  return answer(connection, input) && flush(connection);
}

/// Answers the upgrade once it is complete and leaves in `input` what follows it.
bool Echo::upgrade(Connection& connection, std::string_view& input) {
  connection.request += input;
  const std::size_t end = connection.request.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = connection.request.substr(0, end + 2);
  input = input.substr(input.size() - (connection.request.size() - end - 4));
  std::string().swap(connection.request);
  constexpr std::string_view name = "\r\nsec-websocket-key:";
  for (std::size_t at = 0; at + name.size() < head.size(); ++at) {
    if (strncasecmp(head.data() + at, name.data(), name.size()) != 0) continue;
    at = head.find_first_not_of(' ', at + name.size());
    const std::string key = head.substr(at, head.find("\r\n", at) - at);
    connection.out +=
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
        accept_for(key) + "\r\n\r\n";
    connection.upgraded = true;
    return true;
  }
  connection.ending = true;  // a health probe, or nonsense
  return false;
}

bool Echo::answer(Connection& connection, std::string_view input) {
  const bool joined = !connection.in.empty();
  if (joined) {
    connection.in += input;
    input = connection.in;
  }
  std::size_t at = 0;
  Frame frame;
  Read read = Read::part;
  while ((read = read_frame(input.substr(at), frame)) == Read::whole) {
    if (!frame.masked) return false;
    const std::string_view payload = input.substr(at + frame.header, frame.payload);
    at += frame.size();
    if (frame.opcode == Opcode::pong) continue;
    append_frame(connection.out, frame.opcode == Opcode::ping ? Opcode::pong : frame.opcode, payload);
    apply_mask(connection.out.data() + connection.out.size() - payload.size(), payload.size(), frame.mask);
    connection.ending = frame.opcode == Opcode::close;
  }
  if (read == Read::malformed) return false;
  if (joined) {
    connection.in.erase(0, at);
    if (connection.in.empty()) std::string().swap(connection.in);
  } else if (at < input.size()) {
    connection.in.reserve(frame.size());
    connection.in = input.substr(at);
  }
  return true;
}

bool Echo::flush(Connection& connection) {
  std::size_t at = 0;
  while (at < connection.out.size()) {
    const ssize_t sent = send(connection.fd, connection.out.data() + at, connection.out.size() - at, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent > 0) at += static_cast<std::size_t>(sent);
  }
  const bool whole = at == connection.out.size();
  if (whole && connection.out.capacity() > 4096) {
    std::string().swap(connection.out);
  } else {
    connection.out.erase(0, at);
  }
  if (whole == connection.wants_write) {
    connection.wants_write = !whole;
    // While the peer does not read, nothing is read from it either.
    epoll_event event{.events = whole ? EPOLLIN : EPOLLOUT, .data = {.fd = connection.fd}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }
  return !(whole && connection.ending);
}

int Echo::run() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 4096) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("bench_echo");
    return 1;
  }
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);

  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : {listener_, STDIN_FILENO}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  std::vector<epoll_event> events(512);
  for (;;) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == STDIN_FILENO) return 0;
      if (event.data.fd == listener_) {
        accept_all();
        continue;
      }
      Connection& connection = *connections_.at(event.data.fd);
      const bool alive = (event.events & EPOLLOUT) != 0 ? flush(connection) : serve(connection);
      if (!alive) connections_.erase(event.data.fd);
    }
  }
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  return Echo().run();
}
