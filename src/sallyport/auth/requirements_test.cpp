#include "sallyport/auth/requirements.h"

#include <doctest/doctest.h>

#include "sallyport/auth/testing.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::name_of;

const WallTime now = from_unix_seconds(1'800'000'000);

Proven alice() {
  Proven proven;
  proven.mechanism = "test";
  proven.subject = "alice";
  proven.scopes = {"chat.read", "chat.write"};
  proven.roles = {"member"};
  proven.acr = "gold";
  proven.amr = {"pwd", "otp"};
  proven.authenticated_at = now - 60s;
  proven.expires_at = now + 10min;
  proven.claims =
      json::parse(R"({"department":"ops","level":3,"staff":true,"teams":["red",7],"deep":{"a/b":"x"},"no":null})")
          .value();
  return proven;
}
Result<Identity> judge(const Requirements& requirements, Proven proven = alice()) {
  return requirements.check(Verdict::accept(std::move(proven)).take().value(), now);
}
std::string verdict(const Requirements& requirements, Proven proven = alice()) {
  return std::string(name_of(judge(requirements, std::move(proven))));
}
Requirements claim(std::string name, std::vector<std::string> any_of) {
  Requirements requirements;
  requirements.claims = {{std::move(name), std::move(any_of)}};
  return requirements;
}

TEST_CASE("requirements: none") { CHECK(verdict({}) == "accept"); }

TEST_CASE("requirements: scopes, all of them") {
  CHECK(verdict({.scopes = {"chat.read", "chat.write"}}) == "accept");
  CHECK(verdict({.scopes = {"chat.read", "chat.admin"}}) == "identity.not_allowed");
}

TEST_CASE("requirements: roles, one of them") {
  CHECK(verdict({.roles = {"admin", "member"}}) == "accept");
  CHECK(verdict({.roles = {"admin"}}) == "identity.not_allowed");
}

TEST_CASE("requirements: claims by their value") {
  CHECK(verdict(claim("department", {"dev", "ops"})) == "accept");
  CHECK(verdict(claim("department", {"dev"})) == "identity.not_allowed");
  CHECK(verdict(claim("absent", {"x"})) == "identity.not_allowed");
  CHECK(verdict(claim("level", {"3"})) == "accept");
  CHECK(verdict(claim("level", {"3.0"})) == "identity.not_allowed");
  CHECK(verdict(claim("staff", {"true"})) == "accept");
  CHECK(verdict(claim("teams", {"red"})) == "accept");
  CHECK(verdict(claim("teams", {"7"})) == "accept");
  CHECK(verdict(claim("teams", {"blue"})) == "identity.not_allowed");
  CHECK(verdict(claim("/deep/a~1b", {"x"})) == "accept");
  CHECK(verdict(claim("/teams/0", {"red"})) == "accept");
  CHECK(verdict(claim("deep", {"{\"a/b\":\"x\"}"})) == "identity.not_allowed");
  CHECK(verdict(claim("no", {"null"})) == "identity.not_allowed");
  Proven silent = alice();
  silent.claims = json::Value();
  CHECK(verdict(claim("department", {"ops"}), silent) == "identity.not_allowed");
}

TEST_CASE("requirements: how the person was authenticated can be mended") {
  CHECK(verdict({.acr = {"silver", "gold"}}) == "accept");
  CHECK(verdict({.acr = {"platinum"}}) == "identity.step_up");
  CHECK(verdict({.amr = {"otp"}}) == "accept");
  CHECK(verdict({.amr = {"otp", "hwk"}}) == "identity.step_up");
  CHECK(verdict({.max_age = 60s}) == "identity.step_up");
  CHECK(verdict({.max_age = 61s}) == "accept");
  Proven unknown = alice();
  unknown.authenticated_at.reset();
  CHECK(verdict({.max_age = 1h}, unknown) == "identity.step_up");
  CHECK(verdict({.scopes = {"x"}, .acr = {"platinum"}}) == "identity.not_allowed");
}

TEST_CASE("requirements: max_age ends the identity when it is over") {
  CHECK((*judge({.max_age = 5min}))->expires_at == now + 4min);
  CHECK((*judge({.max_age = 1h}))->expires_at == now + 10min);
}

TEST_CASE("requirements: one subject of all parts") {
  Proven bob = alice();
  bob.subject = "bob";
  Proven both = alice();
  both.parts = {Verdict::accept(alice()).take().value(), Verdict::accept(bob).take().value()};
  CHECK(verdict({}, both) == "accept");
  CHECK(verdict({.same_subject = true}, both) == "identity.not_allowed");
  both.parts.pop_back();
  CHECK(verdict({.same_subject = true}, both) == "accept");
}

TEST_CASE("requirements: which claims are asked for") {
  Requirements requirements;
  requirements.claims = {{"department", {"ops"}}, {"/realm~1access/roles", {"x"}}};
  CHECK(requirements.claim_names() == std::vector<std::string>{"department", "realm/access"});
}

}  // namespace
}  // namespace sallyport::auth
