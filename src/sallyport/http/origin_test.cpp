#include "sallyport/http/origin.h"

#include <doctest/doctest.h>

#include <vector>

namespace sallyport::http {
namespace {

const Authority own = parse_authority("gw.example.test").value();

OriginPolicy policy(std::vector<std::string> patterns) {
  auto out = make_origin_policy(patterns);
  REQUIRE(out.ok());
  return std::move(out).value();
}

std::string verdict(const OriginPolicy& policy, const Headers& headers, const Authority& host = own) {
  const auto out = policy.check(headers, host);
  if (!out.ok()) return std::string(row(out.error().reason).name);
  return *out == OriginProof::allowed ? "allowed" : "absent";
}
std::string verdict(const OriginPolicy& policy, std::string_view origin) {
  return verdict(policy, Headers{{"Origin", origin}});
}

TEST_CASE("an exact origin is that origin and nothing like it") {
  const OriginPolicy app = policy({"https://app.example.com"});
  CHECK(verdict(app, "https://app.example.com") == "allowed");
  CHECK(verdict(app, "https://app.example.com:443") == "allowed");
  CHECK(verdict(app, "HTTPS://App.Example.COM") == "allowed");
  for (const char* origin : {"http://app.example.com",
                             "https://app.example.com:444",
                             "https://app.example.com:80",
                             "https://app.example.com.",
                             "https://app.example.com/",
                             "https://app.example.com?",
                             "https://app.example.com#",
                             "https://user@app.example.com",
                             "https://app.example.com@evil.test",
                             "https://app.example.com:443@evil.test",
                             "https://evil-app.example.com",
                             "https://x.app.example.com",
                             "https://example.com",
                             "https://appxexample.com",
                             "https://app.example.com.evil.test",
                             "https://app.example.com, https://evil.test",
                             "https://app.example.com https://evil.test",
                             "https://app.example.\xd1\x81om",
                             "https:app.example.com",
                             "https:/app.example.com",
                             "https:\\\\app.example.com",
                             "//app.example.com",
                             "app.example.com",
                             "wss://app.example.com",
                             "file://",
                             "null",
                             "NULL",
                             "",
                             "*",
                             "https://*.example.com",
                             "https://app%2eexample.com",
                             "https://app.example.com:",
                             "https://app.example.com:0443",
                             "https://[::1]"}) {
    CAPTURE(origin);
    CHECK(verdict(app, origin) == "origin.not_allowed");
  }
}

TEST_CASE("a wildcard is one or more labels below, never the domain and never a look-alike") {
  const OriginPolicy below = policy({"https://*.example.com"});
  CHECK(verdict(below, "https://a.example.com") == "allowed");
  CHECK(verdict(below, "https://a.b.example.com") == "allowed");
  CHECK(verdict(below, "https://xn--bcher-kva.example.com:443") == "allowed");
  for (const char* origin : {"https://example.com", "https://.example.com", "https://evilexample.com",
                             "https://a.example.com.evil.test", "https://a.example.com:8443", "http://a.example.com",
                             "https://a.example.org", "https://*.example.com", "https://-.example.com"}) {
    CAPTURE(origin);
    CHECK(verdict(below, origin) == "origin.not_allowed");
  }
  const OriginPolicy port = policy({"https://*.example.com:8443"});
  CHECK(verdict(port, "https://a.example.com:8443") == "allowed");
  CHECK(verdict(port, "https://a.example.com") == "origin.not_allowed");
}

TEST_CASE("null, addresses and schemes of applications count only when they are listed") {
  CHECK(verdict(policy({"null"}), "null") == "allowed");
  CHECK(verdict(policy({"null"}), "https://a.test") == "origin.not_allowed");
  CHECK(verdict(policy({"http://127.0.0.1:8080", "https://[::1]"}), "http://127.0.0.1:8080") == "allowed");
  CHECK(verdict(policy({"http://127.0.0.1:8080", "https://[::1]"}), "https://[0:0::1]") == "allowed");
  CHECK(verdict(policy({"http://127.0.0.1:8080"}), "http://127.0.0.1") == "origin.not_allowed");
  CHECK(verdict(policy({"http://127.0.0.1:8080"}), "http://2130706433:8080") == "origin.not_allowed");
  CHECK(verdict(policy({"chrome-extension://abcdefghijklmnop"}), "chrome-extension://abcdefghijklmnop") == "allowed");
  CHECK(verdict(policy({"capacitor://localhost"}), "capacitor://localhost") == "allowed");
  CHECK(verdict(policy({"capacitor://localhost"}), "capacitor://localhost:80") == "origin.not_allowed");
}

TEST_CASE("no list allows nothing") {
  CHECK(verdict(OriginPolicy(), "https://gw.example.test") == "origin.not_allowed");
  CHECK(verdict(OriginPolicy(), "null") == "origin.not_allowed");
  CHECK(verdict(OriginPolicy(), Headers{}) == "absent");
}

TEST_CASE("an absent Origin is no browser's") {
  const OriginPolicy app = policy({"https://app.example.com"});
  CHECK(verdict(app, Headers{}) == "absent");
  CHECK(verdict(app, Headers{{"Sec-Fetcher", "x"}}) == "absent");
  CHECK(verdict(app, Headers{{"Sec-Fetch-Site", "same-origin"}}) == "origin.missing");
  CHECK(verdict(app, Headers{{"sec-fetch-mode", "websocket"}}) == "origin.missing");
}

TEST_CASE("two lines of either witness are refused") {
  const OriginPolicy app = policy({"https://app.example.com"});
  CHECK(verdict(app, Headers{{"Origin", "https://app.example.com"}, {"origin", "https://app.example.com"}}) ==
        "origin.not_allowed");
  CHECK(verdict(app, Headers{{"Origin", "https://app.example.com"},
                             {"Sec-Fetch-Site", "cross-site"},
                             {"Sec-Fetch-Site", "cross-site"}}) == "origin.not_allowed");
}

TEST_CASE("Sec-Fetch-Site must not contradict the Origin") {
  const OriginPolicy both = policy({"https://app.example.com", "https://gw.example.test", "http://gw.example.test",
                                    "null", "https://gw.example.test:8443"});
  const auto says = [&](std::string_view origin, std::string_view site, std::string_view host = "gw.example.test") {
    return verdict(both, Headers{{"Origin", origin}, {"Sec-Fetch-Site", site}}, parse_authority(host).value());
  };
  CHECK(says("https://gw.example.test", "same-origin") == "allowed");
  CHECK(says("https://gw.example.test:8443", "same-origin", "gw.example.test:8443") == "allowed");
  CHECK(says("https://app.example.com", "cross-site") == "allowed");
  CHECK(says("https://app.example.com", "same-site") == "allowed");
  CHECK(says("https://app.example.com", "none") == "allowed");
  CHECK(says("http://gw.example.test", "cross-site") == "allowed");
  CHECK(says("https://gw.example.test:8443", "same-site") == "allowed");
  CHECK(says("null", "cross-site") == "allowed");

  CHECK(says("https://app.example.com", "same-origin") == "origin.not_allowed");
  CHECK(says("https://gw.example.test:8443", "same-origin") == "origin.not_allowed");
  CHECK(says("https://gw.example.test", "same-origin", "gw.example.test:8443") == "origin.not_allowed");
  CHECK(says("https://gw.example.test", "cross-site") == "origin.not_allowed");
  CHECK(says("https://gw.example.test", "same-site") == "origin.not_allowed");
  CHECK(says("null", "same-origin") == "origin.not_allowed");
  CHECK(says("https://app.example.com", "Cross-Site") == "origin.not_allowed");
  CHECK(says("https://app.example.com", "") == "origin.not_allowed");
}

TEST_CASE("patterns that would allow too much are refused, and say why") {
  const auto says = [](std::string_view pattern, std::string_view part) {
    const auto out = parse_origin_pattern(pattern);
    REQUIRE(!out.ok());
    CHECK(out.error().reason == Reason::config_invalid);
    CAPTURE(out.error().detail);
    CHECK(out.error().detail.find(part) != std::string::npos);
  };
  says("", "empty");
  says("*", "every site");
  says("https://*", "whole labels");
  says("https://*.", "host is empty");
  says("https://*.com", "top-level");
  says("https://*.localhost", "top-level");
  says("https://*example.com", "whole labels");
  says("https://a.*.example.com", "whole labels");
  says("https://*.*.example.com", "whole labels");
  says("*://a.test", "whole labels");
  says("https://*.1.2.3.4", "address");
  says("https://*.[::1]", "address");
  says("app.example.com", "no scheme");
  says("https://app.example.com/", "final slash");
  says("https://app.example.com/x", "path");
  says("https://u@app.example.com", "user");
  says(
      "https://b\xc3\xbc"
      "cher.test",
      "no host name");
  says("https://a.test:0", "port");
  const std::string patterns[] = {"https://a.test", "*"};
  CHECK(make_origin_policy(patterns).error().reason == Reason::config_invalid);
}

}  // namespace
}  // namespace sallyport::http
