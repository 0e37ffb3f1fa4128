// What a client sends first, all the way to what a backend would get. The verdict must not depend on how the bytes were
// cut, and whatever is forwarded must read, by our own rules, as exactly what was routed on.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sallyport/base/result.h"
#include "sallyport/http/forward.h"
#include "sallyport/http/origin.h"
#include "sallyport/http/testing.h"

using namespace sallyport;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const http::Limits limits{.body_bytes = 1000};
  auto request = http::testing::read_request(text, limits);
  const auto split = http::testing::read_request(text, limits, http::Scheme::https, 1);
  SALLYPORT_CHECK(request.verdict() == split.verdict());
  if (!request.ok()) return 0;
  SALLYPORT_CHECK(request.value->consumed == split.value->consumed && request.value->consumed <= size);
  SALLYPORT_CHECK(http::parse_path(request.value->request.path()).value() == request.value->request.path());
  SALLYPORT_CHECK(http::parse_authority(request.value->request.authority().text()).value() ==
                  request.value->request.authority());

  const auto upgrade = http::parse_upgrade(std::move(request.value->request));
  if (!upgrade.ok()) return 0;
  static const std::string patterns[] = {"https://app.example.com", "https://*.example.com", "null"};
  static const http::OriginPolicy policy = http::make_origin_policy(patterns).value();
  static_cast<void>(policy.check(upgrade->headers(), upgrade->authority()));
  static_cast<void>(upgrade->cookies().find("sid"));
  static_cast<void>(upgrade->query().find("token"));

  const std::string key = "AQIDBAUGBwgJCgsMDQ4PEA==";
  const http::ForwardOptions options{.key = key,
                                     .client_address = "192.0.2.1",
                                     .strip = {.headers = {"Authorization"},
                                               .cookies = {"sid"},
                                               .parameters = {"token"},
                                               .subprotocols = {"sallyport.v1"},
                                               .subprotocol_prefixes = {"bearer."}},
                                     .added = http::Headers{{"X-Sallyport-Subject", "alice"}}};
  const auto made = http::make_upstream_request(*upgrade, options);
  SALLYPORT_CHECK(made.ok());
  const auto again =
      http::testing::read_upgrade(made->text, {.head_bytes = 1 << 20, .header_count = 200}, http::Scheme::https);
  SALLYPORT_CHECK(again.ok());
  SALLYPORT_CHECK(again.value->path() == upgrade->path());
  SALLYPORT_CHECK(again.value->authority() == upgrade->authority());
  SALLYPORT_CHECK(again.value->query().text() == upgrade->query().without_parameters(options.strip.parameters));
  SALLYPORT_CHECK(again.value->subprotocols() == made->subprotocols);
  SALLYPORT_CHECK(again.value->headers().find_all("x-sallyport-subject") == std::vector<std::string_view>{"alice"});
  SALLYPORT_CHECK(again.value->headers().find_all("x-forwarded-for") == std::vector<std::string_view>{"192.0.2.1"});
  SALLYPORT_CHECK(again.value->headers().count("authorization") == 0);
  SALLYPORT_CHECK(!again.value->cookies().find("sid").value().has_value());
  SALLYPORT_CHECK(!again.value->query().find("token").value().has_value());
  return 0;
}
