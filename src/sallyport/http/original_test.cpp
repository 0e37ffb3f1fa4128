#include "sallyport/http/original.h"

#include <doctest/doctest.h>

#include "sallyport/http/testing.h"

using namespace sallyport;
using namespace sallyport::http;
using http::testing::read_request;

namespace {

Request asked(const std::string& fields, const std::string& line = "GET /check HTTP/1.1",
              const std::string& host = "auth.internal") {
  auto read = read_request(line + "\r\nHost: " + host + "\r\n" + fields + "\r\n", {}, Scheme::http);
  REQUIRE(read.ok());
  return std::move(read.value->request);
}

const std::string nginx =
    "X-Original-Method: GET\r\nX-Original-Host: chat.example.com\r\nX-Original-URI: /ws?room=7\r\n"
    "X-Original-Proto: https\r\nX-Forwarded-For: 192.0.2.7\r\n";
const std::string traefik =
    "X-Forwarded-Method: GET\r\nX-Forwarded-Host: chat.example.com\r\nX-Forwarded-Uri: /ws?room=7\r\n"
    "X-Forwarded-Proto: wss\r\nX-Forwarded-For: 192.0.2.7\r\n";
const std::string envoy = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.7\r\n";

std::string without(std::string fields, const std::string& name) {
  const auto at = fields.find(name + ":");
  REQUIRE(at != std::string::npos);
  return fields.erase(at, fields.find("\r\n", at) + 2 - at);
}

std::string verdict(const Request& request, const OriginalRules& rules) {
  const auto read = read_original(request, rules);
  return read.ok() ? "ok" : std::string(row(read.error().reason).name);
}

}  // namespace

TEST_CASE("original: each form tells the same request") {
  struct Row {
    OriginalRules rules;
    Request request;
  };
  const std::string more = "Origin: https://app.example.com\r\nCookie: sid=1\r\nX-Tenant: a\r\n";
  const Row rows[] = {
      {{OriginalForm::x_original}, asked(nginx + more)},
      {{OriginalForm::x_original},
       asked("X-Original-Method: GET\r\nX-Original-URL: https://chat.example.com/ws?room=7\r\n"
             "X-Forwarded-For: 192.0.2.7\r\n" +
             more)},
      {{OriginalForm::x_forwarded}, asked(traefik + more)},
      {{OriginalForm::path, "/check"}, asked(envoy + more, "GET /check/ws?room=7 HTTP/1.1", "chat.example.com")},
      {{OriginalForm::path}, asked(envoy + more, "GET /ws?room=7 HTTP/1.1", "chat.example.com:443")},
  };
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.rules.form));
    const auto read = read_original(row.request, row.rules);
    REQUIRE_MESSAGE(read.ok(), read.error().detail);
    CHECK(read->request.host() == "chat.example.com");
    CHECK(!read->request.authority().port);
    CHECK(read->request.path() == "/ws");
    CHECK(read->request.query().text() == "room=7");
    CHECK(read->request.scheme() == Scheme::https);
    CHECK(read->request.headers().find("origin") == "https://app.example.com");
    CHECK(read->request.headers().find("x-tenant") == "a");
    CHECK(read->request.cookies().find("sid").value() == "1");
    CHECK(read->client_address == "192.0.2.7");
    for (const char* gone : {"x-original-method", "x-original-uri", "x-forwarded-for", "x-forwarded-proto"})
      CHECK(read->request.headers().count(gone) == 0);
  }
}

TEST_CASE("original: what the proxy must say is required, once") {
  const OriginalRules original{OriginalForm::x_original};
  for (const char* name :
       {"X-Original-Method", "X-Original-Host", "X-Original-URI", "X-Original-Proto", "X-Forwarded-For"}) {
    CAPTURE(name);
    CHECK(verdict(asked(without(nginx, name)), original) == "http.malformed");
  }
  const OriginalRules forwarded{OriginalForm::x_forwarded};
  for (const char* name :
       {"X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Proto", "X-Forwarded-For"}) {
    CAPTURE(name);
    CHECK(verdict(asked(without(traefik, name)), forwarded) == "http.malformed");
  }
  const OriginalRules path{OriginalForm::path, "/check"};
  for (const char* name : {"X-Forwarded-Proto", "X-Forwarded-For"}) {
    CAPTURE(name);
    CHECK(verdict(asked(without(envoy, name), "GET /check/ws HTTP/1.1"), path) == "http.malformed");
  }
  CHECK(verdict(asked(nginx + "X-Original-URI: /admin\r\n"), original) == "http.malformed");
  CHECK(verdict(asked(traefik + "X-Forwarded-Host: other.example.com\r\n"), forwarded) == "http.malformed");
}

TEST_CASE("original: the fields of another form say nothing") {
  // A client behind Traefik writes what nginx would write.
  const auto read = read_original(asked(traefik + "X-Original-URI: /public\r\nX-Original-Host: other.example.com\r\n"),
                                  {OriginalForm::x_forwarded});
  REQUIRE(read.ok());
  CHECK(read->request.path() == "/ws");
  CHECK(read->request.headers().count("x-original-uri") == 0);
  // One behind nginx writes the one that nginx did not, and makes it ambiguous for itself.
  const OriginalRules original{OriginalForm::x_original};
  CHECK(verdict(asked(nginx + "X-Original-URL: https://chat.example.com/public\r\n"), original) == "http.malformed");
}

TEST_CASE("original: the client is the last that the proxy named") {
  const OriginalRules rules{OriginalForm::x_original};
  const auto read = read_original(asked("X-Forwarded-For: 10.0.0.1, 203.0.113.9\r\n" + nginx), rules);
  REQUIRE(read.ok());
  CHECK(read->client_address == "192.0.2.7");
  // Where the proxy has a field for it.
  const OriginalRules alone{.form = OriginalForm::x_original, .client_field = "X-Client-Address"};
  const auto named = read_original(asked("X-Client-Address: 198.51.100.1\r\n" + nginx), alone);
  REQUIRE(named.ok());
  CHECK(named->client_address == "198.51.100.1");
  CHECK(named->request.headers().count("x-client-address") == 0);
  CHECK(verdict(asked(nginx), alone) == "http.malformed");
}

TEST_CASE("original: as strict as a request that came by itself") {
  const OriginalRules rules{OriginalForm::x_original};
  const auto with = [&](const std::string& name, const std::string& value) {
    return verdict(asked(without(nginx, name) + name + ": " + value + "\r\n"), rules);
  };
  CHECK(with("X-Original-URI", "/ws") == "ok");
  CHECK(with("X-Original-URI", "/ws/../admin") == "http.malformed");
  CHECK(with("X-Original-URI", "/ws%2fadmin") == "http.malformed");
  CHECK(with("X-Original-URI", "//ws") == "http.malformed");
  CHECK(with("X-Original-URI", "ws") == "http.malformed");
  CHECK(with("X-Original-URI", "http://other.example.com/ws") == "http.malformed");
  CHECK(with("X-Original-URI", "/a HTTP/1.1") == "http.malformed");
  CHECK(with("X-Original-Host", "chat.example.com:8443") == "ok");
  CHECK(with("X-Original-Host", "a b") == "http.malformed");
  CHECK(with("X-Original-Proto", "gopher") == "http.malformed");
  CHECK(with("X-Original-Method", "POST") == "http.method_not_allowed");
  CHECK(with("X-Original-Method", "G ET") == "http.malformed");
}

TEST_CASE("original: the prefix is a whole part of the path") {
  const OriginalRules rules{OriginalForm::path, "/check"};
  CHECK(verdict(asked(envoy, "GET /check/ws HTTP/1.1"), rules) == "ok");
  CHECK(verdict(asked(envoy, "GET /checkws HTTP/1.1"), rules) == "http.malformed");
  CHECK(verdict(asked(envoy, "GET /check HTTP/1.1"), rules) == "http.malformed");
  CHECK(verdict(asked(envoy, "GET /other/ws HTTP/1.1"), rules) == "http.malformed");
  CHECK(verdict(asked(envoy, "POST /check/ws HTTP/1.1"), rules) == "http.method_not_allowed");
}

TEST_CASE("original: the proxy's secret does not get into the request") {
  const auto read = read_original(asked(nginx + "X-Sallyport-Authorize: secret\r\n"),
                                  {.form = OriginalForm::x_original, .secret_field = "X-Sallyport-Authorize"});
  REQUIRE(read.ok());
  CHECK(read->request.headers().count("x-sallyport-authorize") == 0);
}
