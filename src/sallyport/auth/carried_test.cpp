#include "sallyport/auth/carried.h"

#include <doctest/doctest.h>

#include "sallyport/base/json.h"

namespace sallyport::auth {
namespace {

Proven everything() {
  Proven proven;
  proven.mechanism = "jwt";
  proven.subject = "alice \"the\" caf\xc3\xa9";
  proven.issuer = "https://id.example";
  proven.tenant = "acme";
  proven.session_id = "session-1";
  proven.token_id = "token-1";
  proven.token_hash = "00ff";
  proven.scopes = {"chat.read", "chat.write"};
  proven.roles = {"member"};
  proven.amr = {"pwd", "otp"};
  proven.acr = "urn:gold";
  proven.authenticated_at = from_unix_seconds(1'799'999'000);
  proven.issued_at = WallTime(std::chrono::milliseconds(1'799'999'100'123));
  proven.expires_at = from_unix_seconds(1'800'000'600);
  proven.claims = json::Object{{"device", "d-1"}, {"rooms", json::Array{"a", "b"}}};
  proven.watch_key = "watched";
  return proven;
}

bool same(const Proven& a, const Proven& b) {
  return a.mechanism == b.mechanism && a.subject == b.subject && a.issuer == b.issuer && a.tenant == b.tenant &&
         a.session_id == b.session_id && a.token_id == b.token_id && a.token_hash == b.token_hash &&
         a.scopes == b.scopes && a.roles == b.roles && a.amr == b.amr && a.acr == b.acr &&
         a.authenticated_at == b.authenticated_at && a.issued_at == b.issued_at && a.expires_at == b.expires_at &&
         json::dump(a.claims) == json::dump(b.claims) && a.watch_key == b.watch_key;
}

TEST_CASE("carried: what goes in comes out") {
  CHECK(same(parse_carried(carried_text(everything())).value(), everything()));
  Proven least;
  least.mechanism = "jwt";
  least.subject = "alice";
  least.expires_at = from_unix_seconds(1);
  CHECK(same(parse_carried(carried_text(least)).value(), least));
}

TEST_CASE("carried: what was not written here is refused") {
  for (const char* text : {
           "",
           "[]",
           "{}",
           "{",
           R"({"mechanism":"jwt","subject":"alice"})",
           R"({"mechanism":"jwt","expires_at":1})",
           R"({"subject":"alice","expires_at":1})",
           R"({"mechanism":"jwt","subject":"","expires_at":1})",
           R"({"mechanism":"jwt","subject":"alice\r\nX-Admin: 1","expires_at":1})",
           R"({"mechanism":"jwt","subject":7,"expires_at":1})",
           R"({"mechanism":"jwt","subject":"alice","expires_at":"1"})",
           R"({"mechanism":"jwt","subject":"alice","expires_at":1,"scopes":"a"})",
           R"({"mechanism":"jwt","subject":"alice","expires_at":1,"roles":[1]})",
           R"({"mechanism":"jwt","subject":"alice","expires_at":1,"amr":["a\n"]})",
           R"({"mechanism":"jwt","subject":"alice","expires_at":1,"issued_at":"x"})",
           R"({"mechanism":"jwt","subject":"alice","expires_at":1,"claims":[]})",
       }) {
    INFO(text);
    const auto read = parse_carried(text);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().reason == Reason::credential_invalid);
  }
  CHECK(parse_carried(R"({"mechanism":"jwt","subject":"alice","expires_at":1})").ok());
}

}  // namespace
}  // namespace sallyport::auth
