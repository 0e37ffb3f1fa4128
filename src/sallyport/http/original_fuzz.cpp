// Does every question of a proxy that is understood tell of a request that the strict parser would have taken by itself, with nothing in it
// that the proxy wrote?

#include <cstdint>
#include <string_view>

#include "sallyport/http/original.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::http;
  if (size < 1) return 0;
  OriginalRules rules;
  rules.form = static_cast<OriginalForm>(data[0] % 3);
  if ((data[0] & 4) != 0) rules.prefix = "/check";
  rules.secret_field = "X-Sallyport-Authorize";
  HeadProgress progress;
  const auto asked = parse_request_head(Bytes(data, size).subspan(1), progress, Scheme::http);
  if (!asked.ok() || !*asked) return 0;
  const auto original = read_original((*asked)->request, rules);
  if (!original.ok()) {
    const Reason reason = original.error().reason;
    SALLYPORT_CHECK(reason == Reason::http_malformed || reason == Reason::http_method_not_allowed ||
                    reason == Reason::http_headers_too_large || reason == Reason::http_unsupported ||
                    reason == Reason::message_too_big);
    return 0;
  }
  const Request& request = original->request;
  SALLYPORT_CHECK(request.method() == "GET" && parse_path(request.path()).ok());
  SALLYPORT_CHECK(request.headers().count("host") == 1);
  for (const char* own : {"x-original-uri", "x-original-host", "x-forwarded-for", "x-forwarded-uri",
                          "x-sallyport-authorize", "connection"})
    SALLYPORT_CHECK(request.headers().count(own) == 0);
  SALLYPORT_CHECK(!original->client_address.empty());
  return 0;
}
