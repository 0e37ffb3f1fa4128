#include "sallyport/auth/anonymous/anonymous.h"

#include "sallyport/auth/authenticator_contract.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::AuthenticatorContract;
using testing::name_of;
using testing::Scene;
using testing::with_bearer;
using testing::with_in_band;

TEST_CASE("anonymous: the contract") {
  FakeClock clock;
  AuthenticatorContract contract;
  contract.authenticator = make_authenticator(AnonymousConfig{}, {});
  contract.bad = {with_bearer("x"), with_in_band("x"), {"Sec-WebSocket-Protocol: bearer.x\r\n"}};
  contract.without = AuthenticatorContract::WithoutCredential::accepted;
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("anonymous: who and until when") {
  FakeClock clock;
  Scene scene(clock);
  const auto authenticator = make_authenticator(AnonymousConfig{"guest", 60s}, {});
  const Verdict verdict = scene.judge(*authenticator, {});
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "anonymous");
  CHECK(proven.subject == "guest");
  CHECK(proven.expires_at == clock.wall() + 60s);
  CHECK(proven.token_hash.empty());
}

TEST_CASE("anonymous: an unclaimed token closes the door") {
  FakeClock clock;
  Scene scene(clock);
  const std::vector<TokenSource> watched = {{TokenPlace::cookie, "at"}, {TokenPlace::query, "token"}};
  const auto authenticator = make_authenticator(AnonymousConfig{}, watched);
  CHECK(name_of(scene.judge(*authenticator, {})) == "accept");
  CHECK(name_of(scene.judge(*authenticator, {"Authorization: Basic YTpi\r\n"})) == "accept");
  CHECK(name_of(scene.judge(*authenticator, with_bearer("spt_x"))) == "credential.invalid");
  CHECK(name_of(scene.judge(*authenticator, {"", "/ws?token=x"})) == "credential.invalid");
  CHECK(name_of(scene.judge(*authenticator, {"", "/ws?other=x"})) == "accept");
  CHECK(name_of(scene.judge(*authenticator, {"Cookie: at=x\r\n", "/ws", http::OriginProof::allowed})) ==
        "credential.invalid");
  CHECK(name_of(scene.judge(*authenticator, {"Cookie: at=x\r\n"})) == "origin.missing");
  CHECK(name_of(scene.judge(*authenticator, {"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"})) ==
        "credential.ambiguous");
}

TEST_CASE("anonymous: configuration") {
  const auto read = [](std::string_view text) { return config::read(anonymous_schema(), text, "test.yaml", {}); };
  CHECK(read("{}").ok());
  CHECK(read("{}").config.lifetime == 1h);
  CHECK(read("{ subject: guest, lifetime: 10m }").config.subject == "guest");
  CHECK(read("lifetime: 24h").ok());
  CHECK(!read("lifetime: 25h").ok());
  CHECK(!read("lifetime: 0s").ok());
  CHECK(!read("subject: \"\"").ok());
  CHECK(!read("subject: \" guest\"").ok());
  CHECK(anonymous_plug().name == "dangerous_anonymous");
}

}  // namespace
}  // namespace sallyport::auth
