#include "sallyport/admin/guard.h"

#include <doctest/doctest.h>

#include <string>

namespace sallyport::admin {
namespace {

http::Request request_of(const std::string& fields, http::Scheme scheme = http::Scheme::http) {
  const std::string text = "GET /v1/connections HTTP/1.1\r\n" + fields + "\r\n";
  http::HeadProgress progress;
  auto parsed = http::parse_request_head(bytes_of(text), progress, scheme);
  REQUIRE(parsed.ok());
  REQUIRE(parsed->has_value());
  return std::move((*parsed)->request);
}

Reason reason_of(const Result<void>& result) {
  REQUIRE(!result.ok());
  return result.error().reason;
}

const std::string local = "Host: 127.0.0.1:9443\r\n";
const Secret token(std::string("0123456789abcdef"));

}  // namespace

TEST_CASE("programs on an address or localhost may ask") {
  for (const char* host : {"127.0.0.1:9443", "[::1]:9443", "10.0.0.7", "localhost:9443", "LOCALHOST"}) {
    CAPTURE(host);
    CHECK(check_no_page(request_of("Host: " + std::string(host) + "\r\n")).ok());
  }
  CHECK(check_no_page(request_of(local + "Sec-Fetch-Site: none\r\n")).ok());
}

TEST_CASE("web pages may not") {
  for (const char* field : {"Origin: https://evil.example", "Origin: null", "Origin: http://127.0.0.1:9443",
                            "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-site"}) {
    CAPTURE(field);
    CHECK(reason_of(check_no_page(request_of(local + field + "\r\n"))) == Reason::origin_not_allowed);
  }
}

TEST_CASE("a name that somebody else could own is refused where no certificate vouches for it") {
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "sallyport.internal:9443"}) {
    CAPTURE(host);
    const std::string field = "Host: " + std::string(host) + "\r\n";
    CHECK(reason_of(check_no_page(request_of(field))) == Reason::origin_not_allowed);
    CHECK(check_no_page(request_of(field, http::Scheme::https)).ok());
  }
}

TEST_CASE("an operator presents the token") {
  CHECK(check_operator(request_of(local + "Authorization: Bearer 0123456789abcdef\r\n"), token).ok());
  CHECK(check_operator(request_of(local + "Authorization: bearer 0123456789abcdef\r\n"), token).ok());
}

TEST_CASE("nobody else is one") {
  for (const char* field : {"", "Authorization: \r\n", "Authorization: Bearer\r\n",
                            "Authorization: Bearer 0123456789abcdeg\r\n", "Authorization: Bearer 0123456789abcde\r\n",
                            "Authorization: Bearer 0123456789abcdef0\r\n", "Authorization: Basic 0123456789abcdef\r\n",
                            "Authorization: 0123456789abcdef\r\n", "Authorization: Bearer  0123456789abcdef\r\n",
                            "Authorization: Bearer 0123456789abcdef\r\nAuthorization: Bearer 0123456789abcdef\r\n",
                            "X-Authorization: Bearer 0123456789abcdef\r\n"}) {
    CAPTURE(field);
    CHECK(reason_of(check_operator(request_of(local + field), token)) == Reason::admin_unauthorized);
  }
}

TEST_CASE("an empty token lets nobody in") {
  CHECK(reason_of(check_operator(request_of(local + "Authorization: Bearer \r\n"), Secret())) ==
        Reason::admin_unauthorized);
  CHECK(reason_of(check_operator(request_of(local + "Authorization: Bearer x\r\n"), Secret())) ==
        Reason::admin_unauthorized);
}

}  // namespace sallyport::admin
