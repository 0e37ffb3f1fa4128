#include "sallyport/gateway/proof.h"

#include <doctest/doctest.h>

#include "sallyport/gateway/testing.h"

namespace sallyport::gateway {
namespace {

const http::Strip places{{"Authorization"}, {"sid"}, {"token"}, {}, {"bearer."}};

std::string shown(std::string_view fields, std::string_view target = "/ws",
                  std::optional<std::string_view> in_band = {}) {
  const http::Upgrade upgrade =
      http::testing::read_upgrade(http::testing::upgrade_text(std::string(target), std::string(fields))).value.value();
  const auth::Peer peer{};
  auth::Evidence evidence{&upgrade.request(), http::OriginProof::absent, peer, in_band};
  evidence.subprotocols = upgrade.subprotocols();
  return presented(evidence, places);
}

TEST_CASE("proof: nothing presented") {
  CHECK(shown("").empty());
  CHECK(shown("X-Other: 1\r\nCookie: other=1\r\nSec-WebSocket-Protocol: chat\r\n", "/ws?other=1").empty());
}

TEST_CASE("proof: what is presented is told apart, wherever it travels") {
  const std::string values[] = {shown("Authorization: Bearer a\r\n"),
                                shown("Authorization: Bearer b\r\n"),
                                shown("Cookie: sid=a\r\n"),
                                shown("Cookie: sid=b; other=x\r\n"),
                                shown("", "/ws?token=c"),
                                shown("", "/ws?x=1&to%6ben=d"),
                                shown("Sec-WebSocket-Protocol: chat, Bearer.e\r\n"),
                                shown("Cookie: sid=a\r\nAuthorization: Bearer a\r\n"),
                                shown("", "/ws", "token in band")};
  for (const std::string& one : values) {
    CHECK(!one.empty());
    CHECK(std::ranges::count(values, one) == 1);
  }
  CHECK(shown("Authorization: Bearer a\r\nX-Other: 1\r\n", "/ws?x=2") == values[0]);
  CHECK(shown("Authorization: Bearer a\r\n", "/ws", "token in band") == values[8]);
}

TEST_CASE("route: addresses") {
  const auto refused = [](std::vector<std::string> allow, std::vector<std::string> deny, const char* from) {
    RouteSettings settings = testing::route_settings();
    settings.addresses = {std::move(allow), std::move(deny)};
    const auto result = testing::make_route(settings)->check_address(net::Endpoint::parse_ip(from, 1).value());
    CHECK((result.ok() || result.error().reason == Reason::address_not_allowed));
    return !result.ok();
  };
  CHECK(!refused({}, {}, "192.0.2.1"));
  CHECK(!refused({"192.0.2.0/24"}, {}, "192.0.2.1"));
  CHECK(!refused({"192.0.2.0/24"}, {}, "::ffff:192.0.2.1"));
  CHECK(refused({"192.0.2.0/24"}, {}, "198.51.100.1"));
  CHECK(refused({"192.0.2.0/24"}, {}, "2001:db8::1"));
  CHECK(refused({}, {"192.0.2.0/24"}, "::ffff:192.0.2.1"));
  CHECK(!refused({}, {"192.0.2.0/24"}, "2001:db8::1"));
  CHECK(refused({"192.0.2.0/24"}, {"192.0.2.1"}, "192.0.2.1"));
  CHECK(!refused({"192.0.2.0/24"}, {"192.0.2.1"}, "192.0.2.2"));
}

}  // namespace
}  // namespace sallyport::gateway
