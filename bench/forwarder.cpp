// How little can TLS to a client and plain TCP to a backend cost? The floor that every proxy stands on: takes bytes off one
// and puts them on the other, without knowing what they are. One thread, OpenSSL on the socket, read-ahead, no buffer kept
// for an idle connection. usage: bench_forwarder BACKEND_PORT [PORT[,CERTIFICATE,KEY]]...   (without a certificate: plain)
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t scratch_size = 128 * 1024;

struct Pair;

/// One socket of a pair, or a listener.
struct Side {
  Pair* pair = nullptr;
  SSL_CTX* context = nullptr;  // a listener's
  int fd = -1;
  SSL* ssl = nullptr;
  std::string unsent;
  std::uint32_t wanted = 0;
};

struct Pair {
  Side client;
  Side backend;
  bool shaking = false;
  bool dead = false;
};

class Forwarder {
 public:
  explicit Forwarder(int backend) : backend_(backend) {}
  void listen_at(int port, SSL_CTX* context);
  int run();

 private:
  void accept_all(const Side& listener);
  void on_event(Side& side, std::uint32_t events);
  bool shake(Pair& pair);
  bool dial(Pair& pair);
  bool move(Side& from, Side& to);
  bool push(Side& to, std::string_view bytes);
  bool drain(Side& to);
  void want(Side& side, std::uint32_t events);
  void bury(Pair& pair);

  const int backend_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Side>> listeners_;
  std::vector<Pair*> buried_;  // freed once no event of this turn can mean them
  std::string scratch_ = std::string(scratch_size, '\0');
};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void without_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void Forwarder::listen_at(int port, SSL_CTX* context) {
  auto side = std::make_unique<Side>();
  side->context = context;
  side->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(side->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const sockaddr_in address = loopback(port);
  if (bind(side->fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(side->fd, 4096) != 0) {
    std::perror("bench_forwarder");
    std::exit(1);
  }
  want(*side, EPOLLIN);
  listeners_.push_back(std::move(side));
}

void Forwarder::want(Side& side, std::uint32_t events) {
  if (events == side.wanted) return;
  epoll_event event{.events = events, .data = {.ptr = &side}};
  epoll_ctl(epoll_, side.wanted == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, side.fd, &event);
  side.wanted = events;
}

void Forwarder::accept_all(const Side& listener) {
  for (;;) {
    const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    without_delay(fd);
    auto* pair = new Pair;
    pair->client.pair = pair->backend.pair = pair;
    pair->client.fd = fd;
    if (listener.context == nullptr) {
      if (!dial(*pair)) bury(*pair);
      continue;
    }
    pair->client.ssl = SSL_new(listener.context);
    SSL_set_fd(pair->client.ssl, fd);
    SSL_set_accept_state(pair->client.ssl);
    pair->shaking = true;
    want(pair->client, EPOLLIN);
  }
}

bool Forwarder::shake(Pair& pair) {
  const int result = SSL_do_handshake(pair.client.ssl);
  if (result == 1) {
    pair.shaking = false;
    return dial(pair);
  }
  const int error = SSL_get_error(pair.client.ssl, result);
  ERR_clear_error();
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
  want(pair.client, error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT);
  return true;
}

bool Forwarder::dial(Pair& pair) {
  pair.backend.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (pair.backend.fd < 0) return false;
  without_delay(pair.backend.fd);
  const sockaddr_in address = loopback(backend_);
  if (connect(pair.backend.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno != EINPROGRESS) {
    return false;
  }
  want(pair.client, EPOLLIN);
  want(pair.backend, EPOLLIN);
  // What came with the end of the handshake is already inside OpenSSL.
  return pair.client.ssl == nullptr || SSL_has_pending(pair.client.ssl) == 0 || move(pair.client, pair.backend);
}

/// Reads what is there and sends it on; false at the end of either.
bool Forwarder::move(Side& from, Side& to) {
  std::size_t size = 0;
  bool more = true;
  while (more) {
    size = 0;
    if (from.ssl == nullptr) {
      const ssize_t got = recv(from.fd, scratch_.data(), scratch_.size(), 0);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
      size = got < 0 ? 0 : static_cast<std::size_t>(got);
      more = false;
    } else {
      do {
        const int got = SSL_read(from.ssl, scratch_.data() + size, static_cast<int>(scratch_.size() - size));
        if (got <= 0) {
          const int error = SSL_get_error(from.ssl, got);
          ERR_clear_error();
          if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
          more = false;
          break;
        }
        size += static_cast<std::size_t>(got);
        more = SSL_has_pending(from.ssl) == 1;
      } while (more && size < scratch_.size());
    }
    if (!push(to, std::string_view(scratch_).substr(0, size))) return false;
    // While one side does not take, nothing is read from the other.
    if (!to.unsent.empty()) {
      want(from, EPOLLRDHUP);
      return true;
    }
  }
  return true;
}

bool Forwarder::push(Side& to, std::string_view bytes) {
  while (!bytes.empty()) {
    long sent = -1;
    if (to.ssl != nullptr) {
      const int result = SSL_write(to.ssl, bytes.data(), static_cast<int>(bytes.size()));
      if (result <= 0) {
        const int error = SSL_get_error(to.ssl, result);
        ERR_clear_error();
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
      }
      sent = result;
    } else {
      sent = send(to.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) return false;
    }
    if (sent <= 0) {
      to.unsent = bytes;
      want(to, EPOLLIN | EPOLLOUT);
      return true;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Forwarder::drain(Side& to) {
  std::string waiting;
  waiting.swap(to.unsent);
  if (!push(to, waiting)) return false;
  if (!to.unsent.empty()) return true;
  want(to, EPOLLIN);
  Side& from = &to == &to.pair->client ? to.pair->backend : to.pair->client;
  want(from, EPOLLIN);
  // OpenSSL may hold what no event will tell of.
  return from.ssl == nullptr || SSL_has_pending(from.ssl) == 0 || move(from, to);
}

void Forwarder::on_event(Side& side, std::uint32_t events) {
  Pair& pair = *side.pair;
  if (pair.dead) return;
  bool alive = true;
  if (pair.shaking) {
    alive = shake(pair);
  } else {
    if ((events & EPOLLOUT) != 0) alive = drain(side);
    if (alive && (events & EPOLLIN) != 0 && (side.wanted & EPOLLIN) != 0) {
      alive = move(side, &side == &pair.client ? pair.backend : pair.client);
    } else if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) {
      alive = false;
    }
  }
  if (!alive) bury(pair);
}

void Forwarder::bury(Pair& pair) {
  pair.dead = true;
  if (pair.client.ssl != nullptr) {
    if (!pair.shaking) SSL_shutdown(pair.client.ssl);
    ERR_clear_error();
    SSL_free(pair.client.ssl);
  }
  close(pair.client.fd);
  if (pair.backend.fd >= 0) close(pair.backend.fd);
  buried_.push_back(&pair);
}

int Forwarder::run() {
  std::array<epoll_event, 512> events;
  for (;;) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      Side& side = *static_cast<Side*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (side.pair == nullptr) {
        accept_all(side);
      } else {
        on_event(side, events[static_cast<std::size_t>(i)].events);
      }
    }
    for (Pair* pair : buried_) delete pair;
    buried_.clear();
  }
}

SSL_CTX* make_context(const std::string& certificate, const std::string& key) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    ERR_print_errors_fp(stderr);
    std::exit(1);
  }
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  return context;
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  if (count < 3) {
    std::fputs("usage: bench_forwarder BACKEND_PORT [PORT[,CERTIFICATE,KEY]]...\n", stderr);
    return 2;
  }
  Forwarder forwarder(std::atoi(arguments[1]));
  for (int i = 2; i < count; ++i) {
    const std::string words = arguments[i];
    const std::size_t first = words.find(',');
    const std::size_t second = words.find(',', first + 1);
    forwarder.listen_at(std::atoi(arguments[i]),
                        first == std::string::npos
                            ? nullptr
                            : make_context(words.substr(first + 1, second - first - 1), words.substr(second + 1)));
  }
  return forwarder.run();
}
