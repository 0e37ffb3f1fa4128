#include "sallyport/http/forward.h"

#include <doctest/doctest.h>

#include "sallyport/http/testing.h"

namespace sallyport::http {
namespace {

using testing::read_upgrade;
using testing::upgrade_text;

const std::string key = "AQIDBAUGBwgJCgsMDQ4PEA==";

Upgrade upgrade(std::string_view target, std::string_view more, std::string_view host = "gw.example.test") {
  auto out = read_upgrade(upgrade_text(target, more, host));
  CAPTURE(out.verdict());
  REQUIRE(out.ok());
  return std::move(*out.value);
}

// What our own parser makes of the request for the backend.
Request forwarded(const Upgrade& from, const ForwardOptions& options) {
  auto made = make_upstream_request(from, options);
  REQUIRE(made.ok());
  auto read = read_upgrade(made->text, {}, Scheme::http);
  CAPTURE(made->text);
  CAPTURE(read.verdict());
  REQUIRE(read.ok());
  CHECK(read.value->key() == key);
  CHECK(read.value->subprotocols() == made->subprotocols);
  return read.value->request();
}

TEST_CASE("extensions are offered as the gateway says, never as the client did") {
  const Upgrade from = upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9, x\r\n");
  CHECK(forwarded(from, {.key = key}).headers().count("sec-websocket-extensions") == 0);
  const Request out = forwarded(from, {.key = key, .deflate = {offer_deflate({.window_bits = 11})}});
  CHECK(out.headers().count("sec-websocket-extensions") == 1);
  CHECK(out.headers().find("sec-websocket-extensions") ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=11");
}

TEST_CASE("the backend gets what was routed on, with our own handshake") {
  const Request out =
      forwarded(upgrade("/%77s/%c3%bc?a=%41",
                        "X-App: 1\r\nOrigin: https://b.test\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
                        "GW.example.test.:443"),
                {.key = key, .client_address = "192.0.2.1"});
  CHECK(out.path() == "/ws/%C3%BC");
  CHECK(out.query().text() == "a=%41");
  CHECK(out.headers().find("host") == "gw.example.test");
  CHECK(out.headers().find("x-app") == "1");
  CHECK(out.headers().find("origin") == "https://b.test");
  CHECK(out.headers().count("sec-websocket-extensions") == 0);
  CHECK(out.headers().find("x-forwarded-for") == "192.0.2.1");
  CHECK(out.headers().find("x-forwarded-proto") == "https");
  CHECK(out.headers().find("x-forwarded-host") == "gw.example.test");
  CHECK(out.headers().find("forwarded") == "for=192.0.2.1;host=\"gw.example.test\";proto=https");
}

TEST_CASE("host and path may be the backend's own") {
  const Request out = forwarded(upgrade("/ws?a=1", ""), {.key = key,
                                                         .host = HostField::replaced,
                                                         .upstream_host = "app:9000",
                                                         .path = "/socket",
                                                         .client_address = "2001:db8::1",
                                                         .client_scheme = Scheme::http});
  CHECK(out.headers().find("host") == "app:9000");
  CHECK(out.path() == "/socket");
  CHECK(out.query().text() == "a=1");
  CHECK(out.headers().find("x-forwarded-host") == "gw.example.test");
  CHECK(out.headers().find("forwarded") == "for=\"[2001:db8::1]\";host=\"gw.example.test\";proto=http");
}

TEST_CASE("what a client says about itself is not believed") {
  const Request out = forwarded(
      upgrade(
          "/",
          "X-Sallyport-Subject: root\r\nx-sallyport-identity: x\r\nX.Sallyport.Subject: root\r\nX-Forwarded-For: "
          "127.0.0.1\r\n"
          "X-Forwarded-User: root\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Auth-User: root\r\n"
          "X-Auth-Roles: root\r\nRemote-User: root\r\nX-Original-URL: /admin\r\nX-My-Id: root\r\nX.My-Id: root\r\n"),
      {.key = key,
       .client_address = "192.0.2.1",
       .added = Headers{{"X-My-Id", "alice"}, {"X-Sallyport-Subject", "alice"}}});
  CHECK(out.headers().find_all("x-my-id") == std::vector<std::string_view>{"alice"});
  CHECK(out.headers().find_all("x-sallyport-subject") == std::vector<std::string_view>{"alice"});
  CHECK(out.headers().find_all("x-forwarded-for") == std::vector<std::string_view>{"192.0.2.1"});
  CHECK(out.headers().count("forwarded") == 1);
  for (const Field field : out.headers()) {
    CHECK(field.value.find("root") == std::string_view::npos);
    CHECK(field.value.find("127.0.0.1") == std::string_view::npos);
    CHECK(field.value.find("admin") == std::string_view::npos);
  }
}

TEST_CASE("Connection removes the client's own fields, never ours") {
  const Request out =
      forwarded(upgrade("/",
                        "X-Hop: 1\r\nX-Stay: 1\r\nCookie: a=1\r\nConnection: X-Hop, Cookie, X-Sallyport-Subject, "
                        "X-Forwarded-For, Host\r\n"
                        "Keep-Alive: 5\r\nTE: trailers\r\nExpect: 100-continue\r\nProxy-Authorization: Basic "
                        "eA==\r\nHTTP2-Settings: x\r\n"),
                {.key = key, .client_address = "192.0.2.1", .added = Headers{{"X-Sallyport-Subject", "alice"}}});
  for (const char* name : {"x-hop", "cookie", "keep-alive", "te", "expect", "proxy-authorization", "http2-settings"})
    CHECK(out.headers().count(name) == 0);
  for (const char* name : {"x-stay", "x-sallyport-subject", "x-forwarded-for", "host"})
    CHECK(out.headers().count(name) == 1);
  CHECK(out.headers().find_all("connection") == std::vector<std::string_view>{"Upgrade"});
}

TEST_CASE("credentials are stripped wherever they were") {
  const ForwardOptions options{.key = key,
                               .strip = {.headers = {"Authorization"},
                                         .cookies = {"sid"},
                                         .parameters = {"token"},
                                         .subprotocols = {"sallyport.v1"},
                                         .subprotocol_prefixes = {"bearer."}}};
  const Request out =
      forwarded(upgrade("/ws?a=1&tok%65n=hunter2&b=2",
                        "Authorization: Bearer hunter2\r\nCookie: a=1; sid=hunter2\r\nCookie: b=2\r\n"
                        "Sec-WebSocket-Protocol: sallyport.v1, chat, bearer.hunter2, Bearer.hunter2\r\n"),
                options);
  CHECK(out.query().text() == "a=1&b=2");
  CHECK(out.headers().find_all("cookie") == std::vector<std::string_view>{"a=1; b=2"});
  CHECK(out.headers().find("sec-websocket-protocol") == "chat");
  CHECK(out.headers().count("authorization") == 0);
  CHECK(make_upstream_request(
            upgrade("/ws?token=hunter2", "Cookie: sid=hunter2\r\nSec-WebSocket-Protocol: bearer.hunter2\r\n"), options)
            ->text.find("hunter2") == std::string::npos);

  const Request kept = forwarded(
      upgrade("/ws?token=x", "Authorization: Bearer x\r\nCookie: sid=x\r\nSec-WebSocket-Protocol: bearer.x\r\n"),
      {.key = key});
  CHECK(kept.query().text() == "token=x");
  CHECK(kept.headers().find("authorization") == "Bearer x");
  CHECK(kept.headers().find("cookie") == "sid=x");
  CHECK(kept.headers().find("sec-websocket-protocol") == "bearer.x");
}

TEST_CASE("a name that is written here cannot be added") {
  for (const char* name : {"X-Sallyport-Subject", "X_User", "X-Forwarded-User", "Authorization"}) {
    CHECK(check_added_name(name).ok());
  }
  for (const char* name : {"", "X A", "Host", "Connection", "Content-Length", "Transfer_Encoding", "Sec-WebSocket-Key",
                           "X-Forwarded-For", "forwarded", "Cookie"}) {
    CAPTURE(name);
    REQUIRE(!check_added_name(name).ok());
    CHECK(check_added_name(name).error().reason == Reason::config_invalid);
  }
}

TEST_CASE("a value that would break the head is a bug, not a request") {
  const Upgrade from = upgrade("/", "");
  const auto fails = [&](const ForwardOptions& options) {
    const auto out = make_upstream_request(from, options);
    return !out.ok() && out.error().reason == Reason::internal_bug;
  };
  CHECK(!fails({.key = key, .added = Headers{{"X-A", "J\xc3\xbcrgen"}}}));
  CHECK(fails({.key = key, .added = Headers{{"X-A", "a\r\nX-B: c"}}}));
  CHECK(fails({.key = key, .added = Headers{{"X-A", std::string_view("a\0b", 3)}}}));
  CHECK(fails({.key = key, .added = Headers{{"X A", "b"}}}));
  CHECK(fails({.key = key, .added = Headers{{"Host", "b"}}}));
  CHECK(fails({.key = key, .client_address = "1.2.3.4\r\nX-B: c"}));
  CHECK(fails({.key = key, .host = HostField::replaced, .upstream_host = "a\r\nb"}));
  CHECK(fails({.key = key, .path = "/a b"}));
  CHECK(fails({.key = "short"}));
}

}  // namespace
}  // namespace sallyport::http
