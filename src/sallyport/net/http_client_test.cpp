#include "sallyport/net/http_client.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "sallyport/net/loopback.h"
#include "sallyport/net/test_certificates.h"

using namespace sallyport;
using namespace sallyport::net;
using net::testing::keep;
using net::testing::Loopback;
using net::testing::TestCertificates;
using net::testing::wait_for;

namespace {

template <class T>
bool refused(const Result<T>& result, Reason reason) {
  return !result.ok() && result.error().reason == reason;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string answer(const std::string& status, const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         fields + "\r\n" + body;
}

// A server that gives one answer, whatever it is asked, and closes.
class Server {
 public:
  Server(Loop& loop, std::string reply) : loop_(loop), at_(loop), reply_(std::move(reply)) {}

  void secure(std::shared_ptr<const ServerTls> tls) { tls_ = std::move(tls); }
  std::string url(const std::string& path = "/keys") const {
    return (tls_ ? "https://" : "http://") + at_.endpoint().text() + path;
  }
  const std::string& asked() const { return asked_; }
  int connections() const { return connections_; }

  Task<void> serve() {
    for (;;) {
      Waiter waiter(loop_);
      const Deadline deadline{loop_.now() + std::chrono::hours(1), Reason::http_timeout};
      Result<Fd> accepted = co_await at_.accept(waiter, deadline);
      if (!accepted.ok()) co_return;
      ++connections_;
      co_await converse(waiter, std::move(accepted).value(), deadline);
    }
  }

 private:
  Task<void> converse(Waiter& waiter, Fd fd, Deadline deadline) {
    std::unique_ptr<Stream> stream;
    if (tls_) {
      auto secured = std::make_unique<TlsStream>(loop_, std::move(fd), tls_);
      secured->attach(waiter.wake(), Waiter::readable, Waiter::writable);
      const Result<void> shaken = co_await handshake(waiter, *secured, deadline);
      if (!shaken.ok()) co_return;
      stream = std::move(secured);
    } else {
      stream = std::make_unique<PlainStream>(loop_, std::move(fd));
      stream->attach(waiter.wake(), Waiter::readable, Waiter::writable);
    }
    asked_.clear();
    std::array<Byte, 4096> buffer;
    while (!complete()) {
      const auto count = co_await waiter.read_some(*stream, buffer, deadline);
      if (!count.ok()) co_return;
      asked_ += text_of(Bytes(buffer).first(*count));
    }
    // An empty answer is none: the connection stays open until the client leaves.
    if (!reply_.empty()) {
      const auto written = co_await waiter.write_all(*stream, bytes_of(reply_), deadline);
      if (written.ok()) stream->finish();
    }
    for (;;) {
      const auto count = co_await waiter.read_some(*stream, buffer, deadline);
      if (!count.ok()) co_return;
    }
  }

  bool complete() const {
    const std::size_t end = asked_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::size_t field = asked_.find("Content-Length: ");
    const std::size_t body = field == std::string::npos ? 0 : std::stoul(asked_.substr(field + 16));
    return asked_.size() >= end + 4 + body;
  }

  Loop& loop_;
  Loopback at_;
  std::string reply_;
  std::shared_ptr<const ServerTls> tls_;
  std::string asked_;
  int connections_ = 0;
};

struct Scene {
  explicit Scene(std::string reply) : server(loop, std::move(reply)) {
    ::setenv("no_proxy", "127.0.0.1", 1);
    loop.spawn(server.serve());
  }
  Deadline soon() const { return {loop.now() + std::chrono::seconds(10), Reason::auth_timeout}; }
  Result<HttpResponse> fetch(HttpRequest request) { return wait_for(loop, client.fetch(std::move(request), soon())); }
  Result<HttpResponse> fetch() { return fetch({.url = server.url()}); }

  SystemClock clock;
  Loop loop{clock};
  Server server;
  HttpClient client{loop};
};

}  // namespace

TEST_CASE("http client: an answer comes with status, type and body") {
  Scene scene(answer("200 OK", "{\"keys\":[]}", "Content-Type: application/json\r\nCache-Control: max-age=60\r\n"));
  const auto result = scene.fetch();
  REQUIRE_MESSAGE(result.ok(), result.error().detail);
  CHECK(result->status == 200);
  CHECK(result->content_type == "application/json");
  CHECK(result->cache_control == "max-age=60");
  CHECK(result->body == "{\"keys\":[]}");
  CHECK(scene.server.asked().starts_with("GET /keys HTTP/1.1\r\n"));
}

TEST_CASE("http client: method, header fields and body are sent as given") {
  Scene scene(answer("200 OK", ""));
  const std::string body("token=a&\0b", 10);
  const auto result = scene.fetch({.method = "POST",
                                   .url = scene.server.url("/introspect?x=1"),
                                   .headers = {{"X-One", "1"}, {"Accept", "a/b"}},
                                   .body = body});
  REQUIRE_MESSAGE(result.ok(), result.error().detail);
  const std::string& asked = scene.server.asked();
  CHECK(asked.starts_with("POST /introspect?x=1 HTTP/1.1\r\n"));
  CHECK(contains(asked, "\r\nX-One: 1\r\n"));
  CHECK(contains(asked, "\r\nAccept: a/b\r\n"));
  CHECK(asked.ends_with("\r\n\r\n" + body));
}

TEST_CASE("http client: any status is a value, and a redirect is not followed") {
  for (const char* status : {"404 Not Found", "500 Oops", "302 Found"}) {
    CAPTURE(status);
    Scene scene(answer(status, "words", "Location: /elsewhere\r\n"));
    const auto result = scene.fetch();
    REQUIRE_MESSAGE(result.ok(), result.error().detail);
    CHECK(result->status == std::stoi(status));
    CHECK(result->body == "words");
    CHECK(scene.server.connections() == 1);
  }
}

TEST_CASE("http client: a body may be as long as the limit and no longer, however its length is told") {
  const std::string body(1000, 'x');
  for (const bool chunked : {false, true}) {
    CAPTURE(chunked);
    Scene scene(chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + body + "\r\n0\r\n\r\n"
                        : answer("200 OK", body));
    const auto fits = scene.fetch({.url = scene.server.url(), .max_body = 1000});
    REQUIRE_MESSAGE(fits.ok(), fits.error().detail);
    CHECK(fits->body == body);
    CHECK(refused(scene.fetch({.url = scene.server.url(), .max_body = 999}), Reason::upstream_unavailable));
  }
}

TEST_CASE("http client: a body that ends early is no answer") {
  Scene scene("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
  CHECK(refused(scene.fetch(), Reason::upstream_unavailable));
}

TEST_CASE("http client: bytes that are no HTTP are no answer") {
  Scene scene("SSH-2.0-OpenSSH_9.2\r\n");
  CHECK(refused(scene.fetch(), Reason::upstream_unavailable));
}

TEST_CASE("http client: a port where nobody listens is upstream.unavailable, with the address") {
  Scene scene("");
  std::string url;
  {
    const Server gone(scene.loop, "");
    url = gone.url();
  }
  const auto result = scene.fetch({.url = url});
  REQUIRE(refused(result, Reason::upstream_unavailable));
  CHECK(contains(result.error().detail, url));
}

TEST_CASE("http client: schemes other than http are refused") {
  Scene scene("");
  for (const char* url :
       {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "", "http://", "127.0.0.1:1:1"}) {
    CAPTURE(url);
    CHECK(refused(scene.fetch({.url = url}), Reason::upstream_unavailable));
  }
}

TEST_CASE("http client: a server that does not answer runs into the deadline") {
  FakeClock clock;
  Loop loop(clock);
  Server server(loop, "");
  loop.spawn(server.serve());
  HttpClient client(loop);
  std::optional<Result<HttpResponse>> result;
  loop.spawn(
      keep(client.fetch({.url = server.url()}, {loop.now() + std::chrono::seconds(5), Reason::auth_timeout}), result));
  while (server.asked().empty()) loop.turn(std::chrono::seconds(10));
  CHECK_FALSE(result);
  clock.advance(std::chrono::seconds(5));
  loop.turn(Duration::zero());
  loop.turn(Duration::zero());
  REQUIRE(result);
  CHECK(refused(*result, Reason::auth_timeout));
}

TEST_CASE("http client: a deadline that has passed already is told as such") {
  Scene scene("");
  const auto result =
      wait_for(scene.loop, scene.client.fetch({.url = scene.server.url()}, {scene.loop.now(), Reason::auth_timeout}));
  CHECK(refused(result, Reason::auth_timeout));
}

TEST_CASE("http client: a fetch may be destroyed in the middle, the next one works") {
  Scene scene("");
  {
    std::optional<Task<Result<HttpResponse>>> fetch(scene.client.fetch({.url = scene.server.url()}, scene.soon()));
    fetch->await_suspend(std::noop_coroutine()).resume();
    while (scene.server.asked().empty()) scene.loop.turn(std::chrono::seconds(10));
  }
  Server other(scene.loop, answer("200 OK", "fine"));
  scene.loop.spawn(other.serve());
  const auto result = scene.fetch({.url = other.url()});
  REQUIRE_MESSAGE(result.ok(), result.error().detail);
  CHECK(result->body == "fine");
}

TEST_CASE("http client: many fetches at once each get their own answer") {
  const SystemClock clock;
  ::setenv("no_proxy", "127.0.0.1", 1);
  Loop loop(clock);
  HttpClient client(loop);
  std::vector<std::unique_ptr<Server>> servers;
  std::vector<std::optional<Result<HttpResponse>>> results(20);
  for (std::size_t i = 0; i < results.size(); ++i) {
    servers.push_back(std::make_unique<Server>(loop, answer("200 OK", std::to_string(i))));
    loop.spawn(servers.back()->serve());
    loop.spawn(keep(
        client.fetch({.url = servers.back()->url()}, {loop.now() + std::chrono::seconds(10), Reason::auth_timeout}),
        results[i]));
  }
  while (loop.live_tasks() > servers.size()) loop.turn(std::chrono::seconds(10));
  for (std::size_t i = 0; i < results.size(); ++i) {
    REQUIRE(results[i]);
    REQUIRE_MESSAGE(results[i]->ok(), results[i]->error().detail);
    CHECK((*results[i])->body == std::to_string(i));
  }
}

TEST_CASE("http client: TLS is verified, authority and name") {
  TestCertificates certificates;
  const TestCertificates stranger("Unknown Authority");
  Scene scene(answer("200 OK", "fine"));
  scene.server.secure(ServerTls::load({certificates.issue("IP:127.0.0.1")}).value());
  const auto known = scene.fetch({.url = scene.server.url(), .ca_file = certificates.authority_file()});
  REQUIRE_MESSAGE(known.ok(), known.error().detail);
  CHECK(known->body == "fine");
  CHECK(refused(scene.fetch({.url = scene.server.url(), .ca_file = stranger.authority_file()}),
                Reason::upstream_unavailable));
  CHECK(refused(scene.fetch({.url = scene.server.url()}), Reason::upstream_unavailable));
  CHECK(refused(scene.fetch({.url = scene.server.url(), .ca_file = "/nowhere.pem"}), Reason::upstream_unavailable));
  scene.server.secure(ServerTls::load({certificates.issue("IP:127.0.0.2,DNS:localhost")}).value());
  CHECK(refused(scene.fetch({.url = scene.server.url(), .ca_file = certificates.authority_file()}),
                Reason::upstream_unavailable));
}
