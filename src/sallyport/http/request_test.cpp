#include "sallyport/http/request.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "sallyport/http/testing.h"

namespace sallyport::http {
namespace {

using testing::read_request;

std::string verdict(std::string_view text, const Limits& limits = {}, Scheme scheme = Scheme::https) {
  const std::string whole(read_request(text, limits, scheme).verdict());
  // However it is cut, the verdict stays.
  CHECK(read_request(text, limits, scheme, 1).verdict() == whole);
  CHECK(read_request(text, limits, scheme, 7).verdict() == whole);
  return whole;
}

std::string get(std::string_view target, std::string_view host = "a.test") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}
std::string with(std::string_view lines) { return "GET / HTTP/1.1\r\nHost: a.test\r\n" + std::string(lines) + "\r\n"; }

TEST_CASE("a request is read whole, with what follows left alone") {
  const std::string text =
      "POST /a/b?x=1 HTTP/1.1\r\nHost: A.Test:8443\r\nX-One:  1 \r\nx-one:\t2\t\r\nContent-Length: 5\r\n\r\nhello";
  auto out = read_request(text, {.body_bytes = 5});
  REQUIRE(out.ok());
  CHECK(out.value->consumed == text.size() - 5);
  const Request& request = out.value->request;
  CHECK(request.method() == "POST");
  CHECK(request.path() == "/a/b");
  CHECK(request.query().text() == "x=1");
  CHECK(request.host() == "a.test");
  CHECK(request.authority().text() == "a.test:8443");
  CHECK(request.content_length() == 5);
  CHECK(request.headers().count("X-ONE") == 2);
  CHECK(request.headers().find("x-One") == "1");
  CHECK(request.headers().find_all("x-one")[1] == "2");
  const Request copy = request;
  CHECK(copy.headers().find("x-one") == "1");
}

TEST_CASE("an incomplete request is no verdict") {
  const std::string text = get("/");
  for (std::size_t size = 0; size < text.size(); ++size) CHECK(read_request(text.substr(0, size)).incomplete());
}

TEST_CASE("a start that can become no request is refused at once") {
  CHECK(read_request("\x16").verdict() == "http.malformed");
  CHECK(read_request("\r").verdict() == "http.malformed");
  CHECK(read_request(std::string(32, 'A')).incomplete());
  CHECK(read_request(std::string(33, 'A')).verdict() == "http.malformed");
  CHECK(read_request("GET / HTTP/2.0\r\n").verdict() == "http.unsupported");
  CHECK(read_request("GET /../ HTTP/1.1\r\n").verdict() == "http.malformed");
}

TEST_CASE("what was refused stays refused") {
  for (const char* start : {"\x16", "G@", "GET / HTTP/1.0\r\n", "GET / HTTP/1.1\r\nA b", "GET / HTTP/1.1\r\nA: b\n",
                            "GET / HTTP/1.1\r\n b"}) {
    const std::string text = std::string(start) + "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    HeadProgress progress;
    const auto once = parse_request_head(bytes_of(start), progress, Scheme::https);
    REQUIRE(!once.ok());
    const auto again = parse_request_head(bytes_of(text), progress, Scheme::https);
    CHECK(!again.ok());
  }
}

TEST_CASE("request line") {
  CHECK(verdict(get("/")) == "ok");
  for (const char* line : {"GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", "GET / HTTP/1.1 ", "G@T / HTTP/1.1",
                           " GET / HTTP/1.1", "GET /", "GET / ", "GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/1",
                           "GET / HTTP/1.1\t", "GET / ICE/1.0", "GET /a\tb HTTP/1.1", "GET /\x7f HTTP/1.1",
                           "GET /\xce\xb4 HTTP/1.1", "GET HTTP/1.1", "GET * HTTP/1.1", "CONNECT a.test:443 HTTP/1.1"}) {
    CAPTURE(line);
    CHECK(verdict(std::string(line) + "\r\nHost: a.test\r\n\r\n") == "http.malformed");
  }
  for (const char* version : {"HTTP/1.0", "HTTP/0.9", "HTTP/2.0"}) {
    CHECK(verdict(std::string("GET / ") + version + "\r\nHost: a.test\r\n\r\n") == "http.unsupported");
  }
}

TEST_CASE("lines end in CRLF, never in one of the two") {
  CHECK(verdict("GET / HTTP/1.1\nHost: a.test\r\n\r\n") == "http.malformed");
  CHECK(verdict("GET / HTTP/1.1\rHost: a.test\r\n\r\n") == "http.malformed");
  CHECK(verdict(with("A: b\nC: d\r\n")) == "http.malformed");
  CHECK(verdict(with("A: b\rC: d\r\n")) == "http.malformed");
  CHECK(verdict("GET / HTTP/1.1\r\nHost: a.test\r\n\n") == "http.malformed");
  CHECK(verdict("GET / HTTP/1.1\r\nHost: a.test\r\n\rX") == "http.malformed");
}

TEST_CASE("field lines") {
  CHECK(verdict(with("X-A:b\r\n")) == "ok");
  CHECK(verdict(with("X-A:\r\n")) == "ok");
  CHECK(verdict(with("X-A: D\xc3\xbcsseldorf\r\n")) == "ok");
  CHECK(verdict(with("X-A : b\r\n")) == "http.malformed");
  CHECK(verdict(with("X-A\r\n")) == "http.malformed");
  CHECK(verdict(with(": b\r\n")) == "http.malformed");
  CHECK(verdict(with("X@A: b\r\n")) == "http.malformed");
  CHECK(verdict(with("X-A: b\r\n c\r\n")) == "http.malformed");
  CHECK(verdict(with("X-A: b\r\n\tc\r\n")) == "http.malformed");
  CHECK(verdict(with(std::string_view("X-A: b\0c\r\n", 10))) == "http.malformed");
  CHECK(verdict(with("X-A: b\x7f\r\n")) == "http.malformed");
  CHECK(verdict(with("X-Sallyport-Subject: b\r\n")) == "ok");
  CHECK(verdict(with("X_Sallyport_Subject: b\r\n")) == "http.malformed");
}

TEST_CASE("limits, each at its edge") {
  const std::string text = get("/abcdef");
  CHECK(verdict(text, {.head_bytes = text.size()}) == "ok");
  CHECK(verdict(text, {.head_bytes = text.size() - 1}) == "http.headers_too_large");
  CHECK(verdict(text, {.head_bytes = 5}) == "http.headers_too_large");
  CHECK(verdict(text, {.target_bytes = 7}) == "ok");
  CHECK(verdict(text, {.target_bytes = 6}) == "http.headers_too_large");
  CHECK(verdict(with("A: 1\r\n"), {.header_count = 2}) == "ok");
  CHECK(verdict(with("A: 1\r\n"), {.header_count = 1}) == "http.headers_too_large");
  CHECK(verdict(with("A: " + std::string(70000, 'x') + "\r\n")) == "http.headers_too_large");
}

TEST_CASE("Host") {
  const auto host = [](std::string_view text, Scheme scheme) {
    auto out = read_request(get("/", text), {}, scheme);
    return out.ok() ? out.value->request.authority().text() : std::string(out.verdict());
  };
  CHECK(host("GW.Example.Test", Scheme::https) == "gw.example.test");
  CHECK(host("gw.example.test.", Scheme::https) == "gw.example.test");
  CHECK(host("gw.example.test.:443", Scheme::https) == "gw.example.test");
  CHECK(host("gw.example.test:443", Scheme::http) == "gw.example.test:443");
  CHECK(host("gw.example.test:80", Scheme::http) == "gw.example.test");
  CHECK(host("[2001:DB8:0::1]:443", Scheme::https) == "[2001:db8::1]");
  CHECK(host("127.0.0.1:8080", Scheme::http) == "127.0.0.1:8080");
  CHECK(verdict("GET / HTTP/1.1\r\n\r\n") == "http.malformed");
  CHECK(verdict(get("/", "")) == "http.malformed");
  CHECK(verdict(with("Host: a.test\r\n")) == "http.malformed");
}

TEST_CASE("absolute-form is for the Host or for nobody") {
  CHECK(verdict(get("https://a.test/x")) == "ok");
  CHECK(read_request(get("wss://A.test:443?q=1")).value->request.path() == "/");
  CHECK(read_request(get("wss://A.test:443?q=1")).value->request.query().text() == "q=1");
  CHECK(verdict(get("http://a.test/x"), {}, Scheme::http) == "ok");
  CHECK(verdict(get("http://a.test/x"), {}, Scheme::https) == "http.malformed");
  CHECK(verdict(get("https://b.test/x")) == "http.malformed");
  CHECK(verdict(get("https://a.test:444/x")) == "http.malformed");
  CHECK(verdict(get("https://u@a.test/x")) == "http.malformed");
  CHECK(verdict(get("ftp://a.test/x")) == "http.malformed");
}

TEST_CASE("bodies: a length within the limit and nothing else") {
  const Limits ten{.body_bytes = 10};
  CHECK(verdict(with("Content-Length: 10\r\n"), ten) == "ok");
  CHECK(verdict(with("Content-Length: 11\r\n"), ten) == "message.too_big");
  CHECK(verdict(with("Content-Length: 0\r\n")) == "ok");
  for (const char* text :
       {"", "+5", "-5", "05", "00", "5,5", "5 5", "0x5", "5;", "99999999999999999999", "9999999999999999999"}) {
    CAPTURE(text);
    CHECK(verdict(with("Content-Length: " + std::string(text) + "\r\n"), ten) == "http.malformed");
  }
  CHECK(verdict(with("Content-Length: 5\r\nContent-Length: 5\r\n"), ten) == "http.malformed");
  for (const char* text : {"chunked", "identity", "", "xchunked"}) {
    CHECK(verdict(with("Transfer-Encoding: " + std::string(text) + "\r\n"), ten) == "http.unsupported");
  }
}

std::vector<Field> connect_fields() {
  return {{":method", "CONNECT"},       {":protocol", "websocket"}, {":scheme", "https"},
          {":authority", "A.test:443"}, {":path", "/ws?q=1"},       {"origin", "https://b.test"}};
}
std::string_view fields_verdict(const std::vector<Field>& fields, const Limits& limits = {}) {
  Headers headers;
  for (const Field field : fields) headers.add(field.name, field.value);
  const auto out = parse_request_fields(headers, limits);
  return out.ok() ? "ok" : row(out.error().reason).name;
}
std::string_view with_field(Field more) {
  std::vector<Field> fields = connect_fields();
  fields.push_back(more);
  return fields_verdict(fields);
}
std::string_view with_pseudo(std::string_view name, std::optional<std::string_view> value) {
  std::vector<Field> fields = connect_fields();
  const auto at = std::find_if(fields.begin(), fields.end(), [&](Field field) { return field.name == name; });
  if (value) {
    at->value = *value;
  } else {
    fields.erase(at);
  }
  return fields_verdict(fields);
}

TEST_CASE("the fields of an HTTP/2 request") {
  Headers headers;
  for (const Field field : connect_fields()) headers.add(field.name, field.value);
  const auto out = parse_request_fields(headers);
  REQUIRE(out.ok());
  CHECK(out->version() == Version::http2);
  CHECK(out->protocol() == Protocol::websocket);
  CHECK(out->method() == "CONNECT");
  CHECK(out->scheme() == Scheme::https);
  CHECK(out->authority().text() == "a.test");
  CHECK(out->path() == "/ws");
  CHECK(out->query().text() == "q=1");
  CHECK(out->headers().size() == 1);
}

TEST_CASE("pseudo-header fields of HTTP/2: the five, once each, before all others") {
  for (const char* name : {":method", ":scheme", ":authority", ":path"}) {
    CAPTURE(name);
    CHECK(with_pseudo(name, std::nullopt) == "http.malformed");
    std::vector<Field> twice = connect_fields();
    twice.insert(twice.begin(), *std::find_if(twice.begin(), twice.end(), [&](Field f) { return f.name == name; }));
    CHECK(fields_verdict(twice) == "http.malformed");
  }
  CHECK(with_field({":path", "/late"}) == "http.malformed");
  CHECK(with_field({":status", "200"}) == "http.malformed");
  CHECK(with_pseudo(":method", "GET") == "http.malformed");
  CHECK(with_pseudo(":method", "CON NECT") == "http.malformed");
  CHECK(with_pseudo(":protocol", std::nullopt) == "http.method_not_allowed");
  CHECK(with_pseudo(":protocol", "connect-udp") == "ok");
  CHECK(with_pseudo(":protocol", "web socket") == "http.malformed");
  CHECK(with_pseudo(":scheme", "http") == "http.malformed");
  CHECK(with_pseudo(":scheme", "HTTPS") == "http.malformed");
  CHECK(with_pseudo(":authority", "") == "http.malformed");
  CHECK(with_pseudo(":authority", "user@a.test") == "http.malformed");
  for (const char* path : {"", "*", "ws", "/a/../b", "/a b", "/a\r\nb", "/%2e%2e/"}) {
    CAPTURE(path);
    CHECK(with_pseudo(":path", path) == "http.malformed");
  }
}

TEST_CASE("other fields of HTTP/2") {
  for (const char* name : {"X-Upper", "", "a b", "a\nb", "x_y", "connection", "keep-alive", "proxy-connection",
                           "transfer-encoding", "upgrade", "http2-settings"}) {
    CAPTURE(name);
    CHECK(with_field({name, "a"}) == "http.malformed");
  }
  for (const char* value : {"a\r\nb: c", " a", "a ", "a\x7f"}) {
    CAPTURE(value);
    CHECK(with_field({"x-a", value}) == "http.malformed");
  }
  CHECK(with_field({"x-a", ""}) == "ok");
  CHECK(with_field({"te", "trailers"}) == "ok");
  CHECK(with_field({"te", "gzip"}) == "http.malformed");
  CHECK(with_field({"host", "a.test"}) == "ok");
  CHECK(with_field({"host", "a.test:443"}) == "ok");
  CHECK(with_field({"host", "b.test"}) == "http.malformed");
  CHECK(with_field({"content-length", "0"}) == "ok");
  CHECK(with_field({"content-length", "1"}) == "message.too_big");
  CHECK(with_field({"content-length", "+1"}) == "http.malformed");
  std::vector<Field> hosts = connect_fields();
  hosts.insert(hosts.end(), 2, Field{"host", "a.test"});
  CHECK(fields_verdict(hosts) == "http.malformed");
}

TEST_CASE("how much an HTTP/2 request may hold") {
  const std::vector<Field> fields = connect_fields();
  std::size_t size = 0;
  for (const Field field : fields) size += field.name.size() + field.value.size() + 32;
  CHECK(fields_verdict(fields, {.head_bytes = size}) == "ok");
  CHECK(fields_verdict(fields, {.head_bytes = size - 1}) == "http.headers_too_large");
  CHECK(fields_verdict(fields, {.header_count = 6}) == "ok");
  CHECK(fields_verdict(fields, {.header_count = 5}) == "http.headers_too_large");
  CHECK(fields_verdict(fields, {.target_bytes = 7}) == "ok");
  CHECK(fields_verdict(fields, {.target_bytes = 6}) == "http.headers_too_large");
}

}  // namespace
}  // namespace sallyport::http
