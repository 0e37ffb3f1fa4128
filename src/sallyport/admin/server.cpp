#include "sallyport/admin/server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "sallyport/admin/endpoint.h"
#include "sallyport/admin/guard.h"
#include "sallyport/http/request.h"
#include "sallyport/http/response.h"
#include "sallyport/net/tls.h"

namespace sallyport::admin {
namespace {

constexpr int backlog = 128;
constexpr std::size_t most_connections = 64;
constexpr std::size_t body_limit = 64 * 1024;
constexpr std::size_t linger_bytes = 256 * 1024;
constexpr auto request_timeout = std::chrono::seconds(10);
constexpr auto answer_timeout = std::chrono::seconds(10);
constexpr auto linger_timeout = std::chrono::seconds(2);
constexpr auto pause_when_out_of_descriptors = std::chrono::milliseconds(100);

/// One of the connections that may be open at a time.
class Place {
 public:
  explicit Place(std::shared_ptr<std::size_t> taken) : taken_(std::move(taken)) { ++*taken_; }
  Place(Place&&) = default;
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (taken_) --*taken_;
  }

 private:
  std::shared_ptr<std::size_t> taken_;
};

class Connection {
 public:
  Connection(gateway::Gateway& gateway, net::Fd fd, net::Endpoint from)
      : gateway_(gateway),
        loop_(gateway.control()),
        snapshot_(gateway.snapshot()),
        from_(std::move(from)),
        waiter_(loop_) {
    if (snapshot_->admin_tls) {
      auto stream = std::make_unique<net::TlsStream>(loop_, std::move(fd), snapshot_->admin_tls);
      tls_ = stream.get();
      stream_ = std::move(stream);
    } else {
      stream_ = std::make_unique<net::PlainStream>(loop_, std::move(fd));
    }
    stream_->attach(waiter_.wake(), net::Waiter::readable, net::Waiter::writable);
  }

  net::Task<void> serve() {
    Answer answer = make_answer(Error{Reason::internal_bug, ""});
    try {
      const Result<void> secured = co_await secure();
      if (!secured.ok()) co_return;
      Result<Answer> judged = co_await judge();
      if (!judged.ok() && judged.error().reason == Reason::peer_gone) co_return;
      answer = judged.ok() ? *std::move(judged) : make_answer(judged.error());
      report(answer, judged);
    } catch (const std::exception& bug) {
      Event(gateway_.shared().log, loop_.wall(), Level::error, "internal.bug").text("detail", bug.what());
    }
    co_await send(answer);
  }

 private:
  net::Task<Result<void>> secure() {
    if (!tls_) co_return Result<void>();
    co_return co_await net::handshake(waiter_, *tls_, deadline(request_timeout, Reason::tls_failed));
  }

  // guard > route > token > body > handler
  net::Task<Result<Answer>> judge() {
    const net::Deadline by = deadline(request_timeout, Reason::http_timeout);
    CO_TRY_OK(co_await read_head(by));
    CO_TRY_OK(check_no_page(*request_));
    CO_TRY(Match match, match_endpoint(request_->method(), request_->path()));
    if (match.endpoint->access == Access::operators) CO_TRY_OK(check_operator(*request_, snapshot_->admin_token));
    if (!request_->query().empty()) co_return Error{Reason::request_invalid, "no query is understood here"};
    Call call;
    call.parameter = std::move(match.parameter);
    CO_TRY(call.body, co_await read_body(*match.endpoint, by));
    co_return co_await match.endpoint->handle(gateway_, std::move(call));
  }

  net::Task<Result<void>> read_head(net::Deadline by) {
    http::Limits limits;
    limits.body_bytes = body_limit;
    http::HeadProgress progress;
    const http::Scheme scheme = tls_ ? http::Scheme::https : http::Scheme::http;
    for (;;) {
      CO_TRY_OK(co_await read_more(by));
      CO_TRY(auto parsed, http::parse_request_head(bytes_of(received_), progress, scheme, limits));
      if (!parsed) continue;
      received_.erase(0, parsed->consumed);
      request_ = std::move(parsed->request);
      co_return Result<void>();
    }
  }

  net::Task<Result<json::Value>> read_body(const Endpoint& endpoint, net::Deadline by) {
    const std::size_t length = request_->content_length().value_or(0);
    if (endpoint.body == Body::none) {
      if (length != 0) co_return Error{Reason::request_invalid, "no body is understood here"};
      co_return json::Value();
    }
    const std::optional<std::string_view> type = request_->headers().find("Content-Type");
    if (!type || type->substr(0, type->find(';')) != "application/json") {
      co_return Error{Reason::request_invalid, "Content-Type: application/json expected"};
    }
    while (received_.size() < length) CO_TRY_OK(co_await read_more(by));
    co_return json::parse(std::string_view(received_).substr(0, length));
  }

  net::Task<Result<void>> read_more(net::Deadline by) {
    const std::size_t before = received_.size();
    received_.resize(before + 4096);
    const auto room = MutableBytes(reinterpret_cast<Byte*>(received_.data()), received_.size()).subspan(before);
    const Result<std::size_t> count = co_await waiter_.read_some(*stream_, room, by);
    received_.resize(before + (count.ok() ? *count : 0));
    if (!count.ok()) co_return count.error();
    co_return Result<void>();
  }

  // Who changed something, or tried to get in.
  void report(const Answer& answer, const Result<Answer>& judged) {
    const bool changes = request_ && request_->method() != "GET";
    const bool turned_away = !judged.ok() && (judged.error().reason == Reason::admin_unauthorized ||
                                              judged.error().reason == Reason::origin_not_allowed);
    if (!changes && !turned_away) return;
    Event event(gateway_.shared().log, loop_.wall(), judged.ok() ? Level::info : Level::warning, "admin.request");
    event.text("method", request_->method()).excerpt("path", request_->path()).number("status", answer.status);
    event.text("peer", from_.ip());
    if (!judged.ok()) event.reason(judged.error().reason).excerpt("detail", judged.error().detail);
  }

  net::Task<void> send(const Answer& answer) {
    http::Headers fields{
        {"Content-Type", answer.content_type}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}};
    if (answer.status == row(Reason::admin_unauthorized).http_status) {
      fields.add("WWW-Authenticate", "Bearer realm=\"sallyport-admin\"");
    }
    if (answer.status == row(Reason::http_method_not_allowed).http_status)
      fields.add("Allow", allowed_methods(request_->path()));
    const std::string text = http::response_text({answer.status, fields, answer.body});
    const Result<void> written =
        co_await waiter_.write_all(*stream_, bytes_of(text), deadline(answer_timeout, Reason::peer_too_slow));
    if (!written.ok()) co_return;
    // Closing a socket with unread bytes would reset it and lose the answer.
    stream_->finish();
    const net::Deadline by = deadline(linger_timeout, Reason::peer_too_slow);
    std::array<Byte, 4096> ignored;
    for (std::size_t read = 0; read < linger_bytes;) {
      const Result<std::size_t> count = co_await waiter_.read_some(*stream_, ignored, by);
      if (!count.ok()) break;
      read += *count;
    }
  }

  net::Deadline deadline(Duration after, Reason late) const { return {loop_.clock().now() + after, late}; }

  gateway::Gateway& gateway_;
  net::Loop& loop_;
  std::shared_ptr<const gateway::Snapshot> snapshot_;
  net::Endpoint from_;
  net::Waiter waiter_;
  std::unique_ptr<net::Stream> stream_;
  net::TlsStream* tls_ = nullptr;
  std::string received_;  // behind what was parsed
  std::optional<http::Request> request_;
};

net::Task<void> serve(gateway::Gateway& gateway, net::Fd fd, net::Endpoint from, Place) {
  Connection connection(gateway, std::move(fd), std::move(from));
  co_await connection.serve();
}

net::Task<void> accept_from(gateway::Gateway& gateway, net::Fd listener) {
  net::Loop& loop = gateway.control();
  net::Waiter waiter(loop);
  net::Readiness readiness(loop, listener.get());
  readiness.attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
  const auto taken = std::make_shared<std::size_t>(0);
  for (;;) {
    co_await waiter.wake().next();
    for (;;) {
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      net::Fd fd(
          ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) break;
      if (*taken >= most_connections) continue;
      net::Endpoint from = net::Endpoint::from(reinterpret_cast<sockaddr*>(&address), length);
      loop.spawn(serve(gateway, std::move(fd), std::move(from), Place(taken)));
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED || errno == EINTR) continue;
    readiness.pause_reading();
    co_await loop.sleep_until(loop.now() + pause_when_out_of_descriptors);
    readiness.resume_reading();
  }
}

// Alone, unlike the listeners for clients: with SO_REUSEPORT a second process could take its share of the revocations.
Result<net::Fd> listen_alone(const net::Endpoint& at) {
  net::Fd fd(::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (at.family() == AF_INET6) (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const bool listening = fd && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                         ::bind(fd.get(), at.address(), static_cast<socklen_t>(at.length())) == 0 &&
                         ::listen(fd.get(), backlog) == 0;
  if (!listening)
    return Error{Reason::config_invalid, "admin: cannot listen on " + at.text() + ": " + std::strerror(errno)};
  return fd;
}

}  // namespace

Result<net::Endpoint> start_server(gateway::Gateway& gateway) {
  const auto& settings = gateway.snapshot()->settings.admin;
  SALLYPORT_CHECK(settings.has_value());
  TRY(const net::Endpoint at, net::Endpoint::parse_ip(settings->address.host, settings->address.port));
  TRY(net::Fd fd, listen_alone(at));
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  SALLYPORT_CHECK(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &length) == 0);
  gateway.control().spawn(accept_from(gateway, std::move(fd)));
  return net::Endpoint::from(reinterpret_cast<sockaddr*>(&bound), length);
}

}  // namespace sallyport::admin
