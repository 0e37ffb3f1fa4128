#include "sallyport/http/url.h"

#include <doctest/doctest.h>

namespace sallyport::http {
namespace {

TEST_CASE("upstream URLs") {
  const UpstreamUrl plain = parse_upstream_url("ws://127.0.0.1:9000/").value();
  CHECK(plain.kind == UpstreamUrl::Kind::tcp);
  CHECK(plain.authority.text() == "127.0.0.1:9000");
  CHECK(plain.path == "/");
  CHECK(plain.host_text() == "127.0.0.1:9000");
  const UpstreamUrl tls = parse_upstream_url("WSS://B.test/a%62").value();
  CHECK(tls.kind == UpstreamUrl::Kind::tls);
  CHECK(tls.authority.port == 443);
  CHECK(tls.host_text() == "b.test");
  CHECK(tls.path == "/ab");
  CHECK(parse_upstream_url("ws://b.test").value().path.empty());
  CHECK(parse_upstream_url("ws://b.test").value().authority.port == 80);
  CHECK(parse_upstream_url("ws://[::1]:9").value().host_text() == "[::1]:9");
  const UpstreamUrl local = parse_upstream_url("unix:/run/app.sock:/ws").value();
  CHECK(local.kind == UpstreamUrl::Kind::unix_socket);
  CHECK(local.socket_path == "/run/app.sock");
  CHECK(local.path == "/ws");
  CHECK(local.host_text() == "localhost");
  CHECK(parse_upstream_url("unix:/run/app.sock").value().path.empty());
}

TEST_CASE("upstream URLs that are refused say how to write them") {
  const auto says = [](std::string_view text, std::string_view part) {
    auto out = parse_upstream_url(text);
    REQUIRE(!out.ok());
    CHECK(out.error().reason == Reason::config_invalid);
    CAPTURE(out.error().detail);
    CHECK(out.error().detail.find(part) != std::string::npos);
  };
  says("127.0.0.1:9000", "no scheme");
  says("http://a.test", "write `ws`");
  says("tcp://a.test", "unknown scheme");
  says("ws://", "host is empty");
  says("ws://a.test:0", "port");
  says("ws://u:hunter2@a.test", "password");
  CHECK(parse_upstream_url("ws://u:hunter2@a.test").error().detail.find("hunter2") == std::string::npos);
  says("ws://a.test/?x=1", "query");
  says("ws://a.test/#x", "fragment");
  says("ws://a.test/../x", "path");
  says("unix:", "no socket");
  says("unix:app.sock", "absolute path");
  says("unix:///run/app.sock", "no socket");
  says("unix:/run/app.sock:ws", "path");
  says("unix:/" + std::string(107, 'a'), "107");
}

TEST_CASE("document URLs") {
  const HttpUrl url = parse_http_url("https://ID.example.com/.well-known/jwks.json?v=1").value();
  CHECK(url.scheme == Scheme::https);
  CHECK(url.authority.port == 443);
  CHECK(url.target == "/.well-known/jwks.json?v=1");
  CHECK(url.text() == "https://id.example.com/.well-known/jwks.json?v=1");
  CHECK(parse_http_url("http://a.test:8080").value().text() == "http://a.test:8080/");
  for (const char* text : {"a.test/x", "ws://a.test/", "https:///x", "https://a.test/a b", "https://a.test/?a=%",
                           "https://u@a.test/", "https://a.test/#x"}) {
    CAPTURE(text);
    REQUIRE(!parse_http_url(text).ok());
    CHECK(parse_http_url(text).error().reason == Reason::config_invalid);
  }
}

}  // namespace
}  // namespace sallyport::http
