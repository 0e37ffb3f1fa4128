#include "sallyport/http/response.h"

#include <doctest/doctest.h>

#include <vector>

#include "sallyport/http/upgrade.h"

namespace sallyport::http {
namespace {

std::string refusal_text(Reason reason, const RefusalOptions& options = {}) {
  return response_text(make_refusal(reason, options));
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_CASE("a response closes and counts its body") {
  CHECK(response_text({200, Headers{{"Content-Type", "text/plain"}}, "hi"}) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
  CHECK(response_text({204, {}, ""}) == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  CHECK_THROWS_AS(response_text({200, Headers{{"X-A", "b\r\nX-B: c"}}, ""}), BugError);
  CHECK_THROWS_AS(response_text({200, Headers{{"X A", "b"}}, ""}), BugError);
}

TEST_CASE("every reason has a refusal with its own status") {
  for (const ReasonRow& reason : reason_table) {
    const std::string text = refusal_text(reason.reason);
    CAPTURE(text);
    CHECK(text.rfind("HTTP/1.1 " + std::to_string(reason.http_status) + " ", 0) == 0);
    CHECK(!has(text, std::to_string(reason.http_status) + " \r\n"));
    CHECK(has(text, "\r\nConnection: close"));
    CHECK(has(text, "WWW-Authenticate: Bearer realm=\"sallyport\"") == (reason.http_status == 401));
    CHECK(has(text, "Retry-After: 1\r\n") == (reason.http_status == 429 || reason.http_status == 503));
    CHECK(has(text, "Allow: GET\r\n") == (reason.http_status == 405));
    CHECK(has(text, "Sec-WebSocket-Version: 13\r\n") == (reason.http_status == 426));
    if (reason.http_status != 401) CHECK(has(text, reason.told));
  }
}

TEST_CASE("nobody learns what was wrong with a credential") {
  const std::string invalid = refusal_text(Reason::credential_invalid);
  for (const Reason reason :
       {Reason::credential_expired, Reason::credential_revoked, Reason::credential_other_subject}) {
    CHECK(refusal_text(reason) == invalid);
  }
  CHECK(has(invalid, "error=\"invalid_token\""));
  CHECK(!has(refusal_text(Reason::credential_missing), "error=\""));
}

TEST_CASE("what a refusal may add") {
  CHECK(has(refusal_text(Reason::limit_pending, {.retry_after = std::chrono::seconds(30)}), "Retry-After: 30\r\n"));
  CHECK(has(refusal_text(Reason::http_method_not_allowed, {.allow = "GET, POST"}), "Allow: GET, POST\r\n"));
  CHECK(has(refusal_text(Reason::route_not_found, {.fields = Headers{{"X-A", "b"}}}), "X-A: b\r\n"));
}

TEST_CASE("the 101") {
  CHECK(make_switching("abc=", std::nullopt) ==
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        "abc=\r\n\r\n");
  CHECK(has(make_switching("abc=", "chat"), "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"));
  CHECK(has(make_switching("abc=", std::nullopt, DeflateParameters{.server_max_window_bits = 10}),
            "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n"));
  CHECK_THROWS_AS(make_switching("abc=", "a b"), BugError);
}

const std::string accept = accept_key("dGhlIHNhbXBsZSBub25jZQ==");
const std::vector<std::string> subprotocols = {"chat", "v2"};
const std::vector<DeflateParameters> no_offers;
const Offered offered{subprotocols, no_offers};
const std::string good = make_switching(accept, std::nullopt);

struct Answer {
  std::string verdict;
  Switching value;
  std::string detail;
};

Answer read(std::string_view text, std::size_t step) {
  HeadProgress progress;
  for (std::size_t size = std::min(step, text.size());; size = std::min(size + step, text.size())) {
    auto out = parse_switching(bytes_of(text.substr(0, size)), progress, accept, offered);
    if (!out.ok()) return {std::string(row(out.error().reason).name), {}, out.error().detail};
    if (out->has_value()) return {"ok", **out, ""};
    if (size == text.size()) return {"incomplete", {}, ""};
  }
}
std::string verdict(std::string_view text) {
  const std::string whole = read(text, text.size() + 1).verdict;
  CHECK(read(text, 1).verdict == whole);
  return whole;
}
std::string changed(std::string_view from, std::string_view to) {
  std::string out = good;
  const auto at = out.find(from);
  REQUIRE(at != std::string::npos);
  return out.replace(at, from.size(), to);
}
std::string with(std::string_view lines) { return changed("\r\n\r\n", "\r\n" + std::string(lines) + "\r\n"); }

TEST_CASE("only the right 101 opens the tunnel") {
  CHECK(verdict(good) == "ok");
  CHECK(read(good + "\x81", 1).value.consumed == good.size());
  CHECK(verdict(changed("Upgrade: websocket", "Upgrade: WebSocket")) == "ok");
  CHECK(verdict(changed("Connection: Upgrade", "Connection: keep-alive, upgrade")) == "ok");
  CHECK(verdict(changed("101 Switching Protocols", "101")) == "ok");
  CHECK(verdict(with("Content-Length: 0\r\nServer: x_y\r\n")) == "ok");
  CHECK(verdict(with("Sec-WebSocket-Protocol: v2\r\n")) == "ok");
  CHECK(read(with("Sec-WebSocket-Protocol: v2\r\n"), 3).value.subprotocol == "v2");
  for (std::size_t size = 0; size < good.size(); ++size) CHECK(read(good.substr(0, size), 500).verdict == "incomplete");
}

TEST_CASE("a 101 agrees to no more compression than was offered") {
  const std::vector<DeflateParameters> offers = {offer_deflate({.window_bits = 12})};
  const auto answer = [&](std::string_view line, std::span<const DeflateParameters> to) {
    HeadProgress progress;
    return parse_switching(bytes_of(with(line)), progress, accept, {subprotocols, to});
  };
  const std::string line =
      "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits=12\r\n";
  const auto agreed = answer(line, offers);
  REQUIRE(agreed.ok());
  REQUIRE((*agreed)->deflate.has_value());
  CHECK((*agreed)->deflate->client_max_window_bits == 12);
  CHECK(answer(line, no_offers).error().reason == Reason::upstream_protocol);
  CHECK(!(*answer("", offers))->deflate.has_value());
}

TEST_CASE("another status is a refusal, and nothing but its number gets out") {
  for (const char* status :
       {"200 OK", "403 secret words", "100 Continue", "102 Processing", "301 Moved", "500", "999 x"}) {
    CAPTURE(status);
    CHECK(verdict(changed("101 Switching Protocols", status)) == "upstream.refused");
  }
  const Answer answer = read("HTTP/1.1 403 secret words\r\n", 500);
  CHECK(answer.verdict == "upstream.refused");
  CHECK(answer.detail.find("403") != std::string::npos);
  CHECK(answer.detail.find("secret") == std::string::npos);
}

TEST_CASE("an answer that was refused stays refused") {
  const std::string text = changed("101", "200");
  HeadProgress progress;
  CHECK(!parse_switching(bytes_of(text.substr(0, 40)), progress, accept, offered).ok());
  CHECK(!parse_switching(bytes_of(text), progress, accept, offered).ok());
}

TEST_CASE("anything else is a protocol error") {
  for (const std::string& text : {changed("HTTP/1.1", "HTTP/1.0"),
                                  changed("HTTP/1.1", "HTTP/2"),
                                  changed("HTTP/1.1 101", "HTTP/1.1  101"),
                                  changed("101 ", "1010 "),
                                  changed("101 ", "10 "),
                                  changed("Upgrade: websocket", "Upgrade: h2c"),
                                  changed("Upgrade: websocket\r\n", ""),
                                  changed("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket"),
                                  changed("Connection: Upgrade", "Connection: close"),
                                  changed("Connection: Upgrade\r\n", ""),
                                  changed(accept, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                                  changed(accept, ""),
                                  changed(accept, accept + "x"),
                                  changed("Sec-WebSocket-Accept: " + accept + "\r\n", ""),
                                  with("Sec-WebSocket-Accept: " + accept + "\r\n"),
                                  with("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
                                  with("Sec-WebSocket-Protocol: other\r\n"),
                                  with("Sec-WebSocket-Protocol: chat, v2\r\n"),
                                  with("Sec-WebSocket-Protocol:\r\n"),
                                  with("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n"),
                                  with("Sec-WebSocket-Protocol: CHAT\r\n"),
                                  with("Transfer-Encoding: chunked\r\n"),
                                  with("Content-Length: 5\r\n"),
                                  with(" folded\r\n"),
                                  with("X : y\r\n"),
                                  with("X: y\nZ: a\r\n"),
                                  with("X: " + std::string(20000, 'x') + "\r\n"),
                                  std::string("\x15\x03\x01"),
                                  std::string("HTTP/1.1 101 x\n")}) {
    CAPTURE(text);
    CHECK(verdict(text) == "upstream.protocol");
  }
}

}  // namespace
}  // namespace sallyport::http
