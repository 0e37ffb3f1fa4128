// Does whatever a service answers either name somebody who is fit to be an Identity, or let nobody in for a reason that is listed?

#include <cstdint>
#include <string_view>

#include "sallyport/auth/callout/dialect.h"
#include "sallyport/auth/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::auth;
  if (size < 1) return 0;
  const WallTime now = from_unix_seconds(1'800'000'000);
  net::HttpResponse response;
  response.status = 200;
  response.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 4) != 0) response.cache_control.swap(response.body);
  const auto dialect = static_cast<Dialect>(data[0] % 3);
  const auto decided = read_decision(dialect, response, {"https://app.example.com", std::chrono::seconds(60)}, now);
  if (decided.ok()) {
    SALLYPORT_CHECK(!decided->subject.empty() && is_clean(decided->subject));
    SALLYPORT_CHECK(is_clean(decided->tenant) && is_clean(decided->session_id) && is_clean(decided->issuer));
    for (const std::string& scope : decided->scopes) SALLYPORT_CHECK(is_clean(scope));
    for (const std::string& one : decided->roles) SALLYPORT_CHECK(is_clean(one));
    SALLYPORT_CHECK(decided->expires_at > now);
    (void)Verdict::accept(*decided);
    return 0;
  }
  const Reason reason = decided.error().reason;
  SALLYPORT_CHECK(reason == Reason::auth_unavailable || reason == Reason::credential_invalid ||
                  reason == Reason::credential_expired || reason == Reason::credential_revoked ||
                  reason == Reason::identity_not_allowed);
  return 0;
}
