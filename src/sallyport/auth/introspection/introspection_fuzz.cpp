// Does whatever an introspection endpoint answers either prove somebody who is fit to be an Identity, or nobody for a reason that is listed?

#include <cstdint>
#include <string_view>

#include "sallyport/auth/introspection/answer.h"
#include "sallyport/auth/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::auth;
  const WallTime now = from_unix_seconds(1'419'350'300);
  AnswerPolicy policy;
  policy.token_types = {"", "Bearer"};
  policy.source = "https://id.example.com/introspect";
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto read = read_answer(body, policy, now);
  if (read.ok()) {
    SALLYPORT_CHECK(!read->subject.empty() && is_clean(read->subject));
    SALLYPORT_CHECK(is_clean(read->tenant) && is_clean(read->session_id) && is_clean(read->issuer));
    for (const std::string& scope : read->scopes) SALLYPORT_CHECK(is_clean(scope));
    for (const std::string& one : read->roles) SALLYPORT_CHECK(is_clean(one));
    SALLYPORT_CHECK(read->expires_at > now);
    (void)Verdict::accept(*read);
    return 0;
  }
  const Reason reason = read.error().reason;
  SALLYPORT_CHECK(reason == Reason::auth_unavailable || reason == Reason::credential_invalid ||
                  reason == Reason::credential_expired);
  return 0;
}
