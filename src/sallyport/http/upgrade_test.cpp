#include "sallyport/http/upgrade.h"

#include <doctest/doctest.h>

#include "sallyport/http/testing.h"

namespace sallyport::http {
namespace {

using testing::read_upgrade;

const std::string good =
    "GET /ws HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
    "dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";

std::string changed(std::string_view from, std::string_view to) {
  std::string out = good;
  const auto at = out.find(from);
  REQUIRE(at != std::string::npos);
  return out.replace(at, from.size(), to);
}
std::string_view verdict(const std::string& text) { return read_upgrade(text).verdict(); }

TEST_CASE("what a valid upgrade holds") {
  const auto out =
      read_upgrade(changed("\r\n\r\n",
                           "\r\nOrigin: https://b.test\r\nCookie: sid=1\r\nSec-Fetch-Site: "
                           "cross-site\r\nSec-WebSocket-Protocol: chat, bearer.x\r\n"
                           "Sec-WebSocket-Protocol: v2\r\nSec-WebSocket-Extensions: permessage-deflate;;;\r\n\r\n"));
  REQUIRE(out.ok());
  const Upgrade copy = *out.value;
  CHECK(copy.host() == "a.test");
  CHECK(copy.path() == "/ws");
  CHECK(copy.key() == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(copy.origin() == "https://b.test");
  CHECK(copy.sec_fetch_site() == "cross-site");
  CHECK(copy.cookies().find("sid").value() == "1");
  CHECK(copy.subprotocols() == std::vector<std::string>{"chat", "bearer.x", "v2"});
  CHECK(copy.extensions_offer().front() == "permessage-deflate;;;");
}

TEST_CASE("the accept key of RFC 6455 §1.3") {
  CHECK(accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("method") {
  CHECK(verdict(good) == "ok");
  CHECK(verdict(changed("GET", "get")) == "http.method_not_allowed");
  CHECK(verdict(changed("GET", "HEAD")) == "http.method_not_allowed");
  CHECK(verdict(changed("GET", "POST")) == "http.method_not_allowed");
}

TEST_CASE("Upgrade, Connection and version") {
  CHECK(verdict(changed("Upgrade: websocket", "Upgrade: h2c, , WebSocket")) == "ok");
  CHECK(verdict(changed("Upgrade: websocket", "Upgrade: HTTP/2.0")) == "http.upgrade_required");
  CHECK(verdict(changed("Upgrade: websocket\r\n", "")) == "http.upgrade_required");
  CHECK(verdict(changed("Upgrade: websocket", "Upgrade: web socket")) == "http.malformed");
  CHECK(verdict(changed("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade")) == "ok");
  CHECK(verdict(changed("Connection: Upgrade", "Connection: keep-alive")) == "http.upgrade_required");
  CHECK(verdict(changed("Connection: Upgrade", "Connection: upgrade x")) == "http.malformed");
  for (const char* version : {"12", "+13", "013", "13, 8", "13,13", "", "4294967309"}) {
    CHECK(verdict(changed("Version: 13", "Version: " + std::string(version))) == "http.upgrade_required");
  }
  CHECK(verdict(changed("Sec-WebSocket-Version: 13\r\n", "")) == "http.upgrade_required");
  CHECK(verdict(changed("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13")) == "http.upgrade_required");
}

TEST_CASE("key") {
  for (const char* key : {"AAAA", "dGhlIHNhbXBsZSBub25jZQ==x", "!!!!IHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR==",
                          "dGhlIHNhbXBsZSBub25jZQ", "", "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25j-Q=="}) {
    CAPTURE(key);
    CHECK(verdict(changed("dGhlIHNhbXBsZSBub25jZQ==", key)) == "http.malformed");
  }
  CHECK(verdict(changed("dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEA==")) == "ok");
  CHECK(verdict(changed("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")) == "http.malformed");
  CHECK(verdict(changed("Sec-WebSocket-Key:", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key:")) ==
        "http.malformed");
}

TEST_CASE("subprotocols") {
  const auto offer = [](const std::string& value) {
    return verdict(changed("\r\n\r\n", "\r\nSec-WebSocket-Protocol: " + value + "\r\n\r\n"));
  };
  CHECK(offer("chat") == "ok");
  CHECK(offer("chat, Chat") == "ok");
  for (const char* value : {"", "chat,", ",chat", "chat chat", "\"chat\"", "chat, chat", "a/b"}) {
    CAPTURE(value);
    CHECK(offer(value) == "http.malformed");
  }
  std::string many = "p0";
  for (int i = 1; i < 64; ++i) many += ",p" + std::to_string(i);
  CHECK(offer(many) == "ok");
  CHECK(offer(many + ",p64") == "http.malformed");
}

TEST_CASE("an upgrade has no body") {
  CHECK(verdict(changed("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n")) == "ok");
  CHECK(read_upgrade(changed("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n"), {.body_bytes = 10}).verdict() ==
        "http.malformed");
}

std::string_view connect_verdict(std::string_view method, std::string_view protocol,
                                 std::initializer_list<Field> more) {
  Headers fields{{":method", method}, {":scheme", "https"}, {":authority", "a.test"}, {":path", "/ws"}};
  if (!protocol.empty()) fields.add(":protocol", protocol);
  for (const Field field : more) fields.add(field.name, field.value);
  auto request = parse_request_fields(fields);
  if (!request.ok()) return row(request.error().reason).name;
  const auto out = parse_upgrade(std::move(request).value());
  return out.ok() ? "ok" : row(out.error().reason).name;
}

TEST_CASE("extended CONNECT") {
  const Field version{"sec-websocket-version", "13"};
  CHECK(connect_verdict("CONNECT", "websocket", {version, {"sec-websocket-protocol", "chat, v2"}}) == "ok");
  CHECK(connect_verdict("CONNECT", "WebSocket", {version}) == "http.unsupported");
  CHECK(connect_verdict("CONNECT", "connect-udp", {version}) == "http.unsupported");
  CHECK(connect_verdict("GET", "", {version}) == "http.upgrade_required");
  CHECK(connect_verdict("POST", "", {version}) == "http.method_not_allowed");
  CHECK(connect_verdict("CONNECT", "websocket", {}) == "http.upgrade_required");
  CHECK(connect_verdict("CONNECT", "websocket", {version, version}) == "http.upgrade_required");
  CHECK(connect_verdict("CONNECT", "websocket", {{"sec-websocket-version", "8"}}) == "http.upgrade_required");
  CHECK(connect_verdict("CONNECT", "websocket", {version, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}}) ==
        "http.malformed");
  CHECK(connect_verdict("CONNECT", "websocket", {version, {"sec-websocket-protocol", "chat, chat"}}) ==
        "http.malformed");
}

}  // namespace
}  // namespace sallyport::http
