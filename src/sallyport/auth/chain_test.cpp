#include <doctest/doctest.h>

#include "sallyport/auth/anonymous/anonymous.h"
#include "sallyport/auth/claims.h"
#include "sallyport/auth/jwt/jwt.h"
#include "sallyport/auth/jwt/testing.h"
#include "sallyport/auth/opaque/opaque.h"
#include "sallyport/auth/opaque/opaque_token.h"
#include "sallyport/auth/testing.h"
#include "sallyport/auth/within.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::Handshake;
using testing::name_of;
using testing::Scene;
using testing::TokenMaker;
using testing::with_bearer;
using testing::with_in_band;

const std::vector<TokenSource> usual = {
    {TokenPlace::header, {}}, {TokenPlace::subprotocol, {}}, {TokenPlace::cookie, "at"}};

struct Route {
  Route() : scene(clock) {
    jwt = std::make_shared<JwtAuthenticator>(testing::make_issuer(maker, scene.loop), usual);
    opaque = std::make_shared<OpaqueAuthenticator>(usual);
    anonymous = make_authenticator(AnonymousConfig{}, usual);
  }
  std::string issue(std::string subject, std::string id) {
    const MintedToken minted = mint_token(random);
    store::TokenRow row;
    row.hash = minted.hash;
    row.id = std::move(id);
    row.subject = std::move(subject);
    row.issued_at = clock.wall();
    row.expires_at = clock.wall() + 1h;
    SALLYPORT_CHECK(scene.run(scene.store->put_token(row)).ok());
    return std::string(minted.token.reveal());
  }
  std::string judge(const Chain& chain, const Handshake& handshake) {
    return std::string(name_of(scene.judge(chain, handshake)));
  }

  FakeClock clock;
  Scene scene;
  crypto::FakeRandom random;
  TokenMaker maker;
  std::shared_ptr<const Authenticator> jwt;
  std::shared_ptr<const Authenticator> opaque;
  std::shared_ptr<const Authenticator> anonymous;
};

TEST_CASE("chain: the first mechanism whose credential is presented decides") {
  Route route;
  const Chain chain({route.jwt, route.opaque, route.anonymous});
  const auto mechanism = [&](const Handshake& handshake) {
    const auto identity = route.scene.judge(chain, handshake);
    return identity ? (*identity)->mechanism : std::string(name_of(identity));
  };
  CHECK(mechanism(with_bearer(route.maker.token(route.clock.wall()))) == "jwt");
  CHECK(mechanism(with_bearer(route.issue("alice", "1"))) == "opaque");
  CHECK(mechanism({}) == "anonymous");
}

TEST_CASE("chain: nothing presented") {
  Route route;
  CHECK(route.judge(Chain({route.jwt, route.opaque}), {}) == "credential.missing");
  CHECK(route.judge(Chain({}), {}) == "credential.missing");
  CHECK(route.judge(Chain({}), with_bearer("x")) == "credential.missing");
}

TEST_CASE("chain: a bad credential never slides to a weaker mechanism") {
  Route route;
  for (const Chain& chain :
       {Chain({route.jwt, route.opaque, route.anonymous}), Chain({route.opaque, route.jwt, route.anonymous})}) {
    CHECK(route.judge(chain, with_bearer(route.maker.token(route.clock.wall() - 2h))) == "credential.expired");
    CHECK(route.judge(chain, with_bearer(TokenMaker().token(route.clock.wall()))) == "credential.invalid");
    CHECK(route.judge(chain, with_bearer("spt_unknown")) == "credential.invalid");
    CHECK(route.judge(chain, with_bearer("")) == "credential.invalid");
    CHECK(route.judge(chain, {"Cookie: at=x\r\n"}) == "origin.missing");
    CHECK(route.judge(chain, {"Authorization: Bearer a\r\nSec-WebSocket-Protocol: bearer.b\r\n"}) ==
          "credential.ambiguous");
  }
  // Not even one that no mechanism of the route takes.
  CHECK(route.judge(Chain({route.jwt, route.anonymous}), with_bearer(route.issue("alice", "1"))) ==
        "credential.invalid");
  CHECK(route.judge(Chain({route.opaque, route.anonymous}), with_bearer(route.maker.token(route.clock.wall()))) ==
        "credential.invalid");
}

TEST_CASE("chain: a store that is down ends it") {
  Route route;
  const std::string token = route.issue("alice", "1");
  route.scene.store = std::make_unique<testing::BrokenStore>(route.scene.loop, testing::BrokenStore::Way::down);
  CHECK(route.judge(Chain({route.jwt, route.opaque, route.anonymous}), with_bearer(token)) == "store.unavailable");
}

TEST_CASE("chain: renewal is by the same mechanism, for the same subject of the same issuer") {
  Route route;
  const Chain chain({route.jwt, route.opaque, route.anonymous});
  const auto renew = [&](const Identity& present, const std::string& token) {
    return std::string(name_of(route.scene.renew(chain, present, with_in_band(token))));
  };
  const WallTime now = route.clock.wall();

  SUBCASE("jwt") {
    const Identity present = route.scene.judge(chain, with_bearer(route.maker.token(now))).value();
    route.clock.advance(60s);
    const auto fresh = route.scene.renew(chain, present, with_in_band(route.maker.token(route.clock.wall())));
    REQUIRE(fresh.ok());
    CHECK((*fresh)->expires_at == present->expires_at + 60s);
    CHECK(renew(present, route.maker.token(now, {{"sub", "mallory"}})) == "credential.other_subject");
    CHECK(renew(present, route.maker.token(now - 2h)) == "credential.expired");
    CHECK(renew(present, TokenMaker().token(now)) == "credential.invalid");
    CHECK(renew(present, route.issue("alice", "1")) == "credential.invalid");
    CHECK(renew(present, "") == "credential.invalid");
  }
  SUBCASE("jwt of another issuer") {
    TokenMaker other;
    const testing::TemporaryFile file(other.jwks());
    IssuerConfig config = testing::issuer_config(file.path());
    config.issuer = "https://other.example.com";
    const auto partner = std::make_shared<JwtAuthenticator>(
        make_issuer(config, config::empty_environment(), route.scene.loop).value(), usual);
    const std::string theirs = other.token(now, {{"iss", "https://other.example.com"}});
    const Identity present = route.scene.judge(chain, with_bearer(route.maker.token(now))).value();
    CHECK(std::string(name_of(route.scene.renew(Chain({partner}), present, with_in_band(theirs)))) ==
          "credential.other_subject");
  }
  SUBCASE("opaque") {
    const Identity present = route.scene.judge(chain, with_bearer(route.issue("alice", "1"))).value();
    CHECK(renew(present, route.issue("alice", "2")) == "accept");
    CHECK(renew(present, route.issue("mallory", "3")) == "credential.other_subject");
    CHECK(renew(present, route.maker.token(now)) == "credential.invalid");
  }
  SUBCASE("anonymous stays anonymous") {
    const Identity present = route.scene.judge(chain, {}).value();
    CHECK(renew(present, route.issue("anonymous", "1")) == "credential.invalid");
    CHECK(renew(present, route.maker.token(now, {{"sub", "anonymous"}})) == "credential.invalid");
  }
  SUBCASE("the mechanism is gone from the route") {
    const Identity present = route.scene.judge(chain, with_bearer(route.maker.token(now))).value();
    CHECK(std::string(name_of(route.scene.renew(Chain({route.opaque}), present,
                                                with_in_band(route.maker.token(now))))) == "credential.invalid");
  }
}

TEST_CASE("chain: what all of its mechanisms take is stripped, once") {
  Route route;
  const http::Strip strip = Chain({route.jwt, route.opaque, route.anonymous}).strip();
  CHECK(strip.headers == std::vector<std::string>{"Authorization", "DPoP"});
  CHECK(strip.cookies == std::vector<std::string>{"at"});
  CHECK(strip.subprotocol_prefixes == std::vector<std::string>{"bearer.", "dpop."});
}

// Says what it was told to say, of whatever it is asked.
class Told final : public Authenticator {
 public:
  Told(std::string mechanism, Verdict verdict) : mechanism_(std::move(mechanism)), verdict_(std::move(verdict)) {}
  std::string_view mechanism() const override { return mechanism_; }
  net::Task<Verdict> authenticate(const Evidence& evidence, Here&, net::Deadline) const override {
    proven_before = evidence.proven ? (*evidence.proven)->mechanism : "";
    co_return verdict_;
  }
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here&, net::Deadline) const override {
    co_return std::vector<Verdict>(present.size(), verdict_);
  }
  void add_to(http::Strip& strip) const override { strip.headers.push_back(mechanism_); }
  mutable std::string proven_before;

 private:
  std::string mechanism_;
  Verdict verdict_;
};

Proven part(std::string mechanism, std::string subject, WallTime expires_at) {
  Proven proven;
  proven.mechanism = std::move(mechanism);
  proven.subject = std::move(subject);
  proven.expires_at = expires_at;
  return proven;
}
std::shared_ptr<const Authenticator> accepting(Proven proven) {
  std::string mechanism = proven.mechanism;
  return std::make_shared<Told>(std::move(mechanism), Verdict::accept(std::move(proven)));
}
std::shared_ptr<const Authenticator> refusing(std::string mechanism, Reason reason) {
  return std::make_shared<Told>(std::move(mechanism), Verdict::refuse(Error{reason, "told to"}));
}
std::shared_ptr<const Authenticator> absent(std::string mechanism) {
  return std::make_shared<Told>(std::move(mechanism), Verdict::not_mine());
}
Chain together(std::vector<std::shared_ptr<const Authenticator>> parts, Requirements requirements = {}) {
  std::vector<Step> steps;
  steps.emplace_back(std::move(parts));
  return Chain(std::move(steps), std::move(requirements));
}

TEST_CASE("chain: all of several mechanisms are one identity") {
  FakeClock clock;
  Scene scene(clock);
  const WallTime now = clock.wall();
  Proven device = part("mtls", "device-7", now + 1h);
  device.amr = {"hwk"};
  device.acr = "gold";
  device.session_id = "serial-7";
  Proven person = part("jwt", "alice", now + 10min);
  person.amr = {"pwd", "hwk"};
  person.scopes = {"chat"};
  person.authenticated_at = now - 5min;
  person.claims = json::Object{{"team", "red"}};

  const auto identity = scene.judge(together({accepting(device), accepting(person)}), {});
  REQUIRE(identity.ok());
  const Proven& whole = **identity;
  CHECK(whole.mechanism == "mtls+jwt");
  CHECK(whole.subject == "device-7");
  CHECK(whole.expires_at == now + 10min);
  CHECK(whole.amr == std::vector<std::string>{"hwk", "pwd"});
  CHECK(whole.acr == "gold");
  CHECK(whole.authenticated_at == now - 5min);
  CHECK(whole.scopes.empty());  // those of the first alone
  CHECK(*find_claim(whole.claims, "/jwt/sub")->string() == "alice");
  CHECK(*find_claim(whole.claims, "/jwt/team")->string() == "red");
  REQUIRE(whole.parts.size() == 2);
  CHECK(whole.parts[1]->subject == "alice");
}

TEST_CASE("chain: a part that is missing or bad refuses the whole") {
  FakeClock clock;
  Scene scene(clock);
  const WallTime until = clock.wall() + 1h;
  const auto good = accepting(part("jwt", "alice", until));
  const auto judged = [&](const Chain& chain) { return std::string(name_of(scene.judge(chain, {}))); };
  CHECK(judged(together({good, absent("totp")})) == "credential.missing");
  CHECK(judged(together({absent("mtls"), good})) == "credential.missing");
  CHECK(judged(together({good, refusing("totp", Reason::credential_replayed)})) == "credential.replayed");
  CHECK(judged(together({refusing("mtls", Reason::credential_expired), good})) == "credential.expired");
  CHECK(judged(together({absent("mtls"), absent("totp")})) == "credential.missing");

  // Where nothing of it was presented the next way is asked; where a part was, it is not.
  std::vector<Step> steps;
  steps.push_back(Step({absent("mtls"), absent("totp")}));
  steps.push_back(Step({good}));
  CHECK(judged(Chain(steps, {})) == "accept");
  steps.front() = Step({accepting(part("mtls", "d", until)), absent("totp")});
  CHECK(judged(Chain(steps, {})) == "credential.missing");
}

TEST_CASE("chain: what another mechanism has proved before is asked about again") {
  FakeClock clock;
  Scene scene(clock);
  const auto ticket_of = [&](const std::string& mechanism) {
    return std::make_shared<Told>("ticket", Verdict::accept(part(mechanism, "alice", clock.wall() + 1h)));
  };
  const auto judged = [&](std::shared_ptr<const Authenticator> source) {
    return std::string(name_of(scene.judge(Chain({ticket_of("session"), std::move(source)}), {})));
  };
  CHECK(judged(accepting(part("session", "alice", clock.wall() + 1h))) == "accept");
  CHECK(judged(refusing("session", Reason::credential_revoked)) == "credential.revoked");
  CHECK(judged(refusing("session", Reason::store_unavailable)) == "store.unavailable");
  CHECK(judged(accepting(part("other", "alice", clock.wall() + 1h))) == "credential.invalid");
  CHECK(name_of(scene.judge(Chain({ticket_of("ticket")}), {})) == "accept");
}

TEST_CASE("chain: a part sees what the first has proved") {
  FakeClock clock;
  Scene scene(clock);
  const auto second = std::make_shared<Told>("totp", Verdict::not_mine());
  (void)scene.judge(together({accepting(part("jwt", "alice", clock.wall() + 1h)), second}), {});
  CHECK(second->proven_before == "jwt");
}

TEST_CASE("chain: requirements hold at the handshake, at a renewal and when asked again") {
  FakeClock clock;
  Scene scene(clock);
  Proven alice = part("told", "alice", clock.wall() + 1h);
  alice.roles = {"member"};
  const auto with = [&](const Proven& proven) {
    std::vector<Step> steps;
    steps.push_back(Step({accepting(proven)}));
    return Chain(std::move(steps), {.roles = {"member"}});
  };
  const Identity present = scene.judge(with(alice), {}).value();
  Proven demoted = alice;
  demoted.roles.clear();
  CHECK(name_of(scene.judge(with(demoted), {})) == "identity.not_allowed");
  CHECK(name_of(scene.renew(with(alice), present, {})) == "accept");
  CHECK(name_of(scene.renew(with(demoted), present, {})) == "identity.not_allowed");
  CHECK(name_of(scene.recheck(with(alice), "told", {present}).front()) == "accept");
  CHECK(name_of(scene.recheck(with(demoted), "told", {present}).front()) == "identity.not_allowed");
}

TEST_CASE("chain: asking again") {
  FakeClock clock;
  Scene scene(clock);
  const WallTime until = clock.wall() + 1h;
  const auto alice = part("told", "alice", until);
  const Chain chain({accepting(alice)});
  const Identity present = scene.judge(chain, {}).value();

  SUBCASE("the same subject, whatever else is new") {
    Proven later = alice;
    later.expires_at = until + 1h;
    const auto results = scene.recheck(Chain({accepting(later)}), "told", {present, present});
    REQUIRE(results.size() == 2);
    REQUIRE(results[1].ok());
    CHECK((*results[1])->expires_at == until + 1h);
  }
  SUBCASE("another subject") {
    CHECK(name_of(scene.recheck(Chain({accepting(part("told", "bob", until))}), "told", {present}).front()) ==
          "credential.other_subject");
  }
  SUBCASE("refused") {
    CHECK(name_of(scene.recheck(Chain({refusing("told", Reason::credential_revoked)}), "told", {present}).front()) ==
          "credential.revoked");
  }
  SUBCASE("not known now") {
    CHECK(name_of(scene.recheck(Chain({refusing("told", Reason::auth_unavailable)}), "told", {present}).front()) ==
          "auth.unavailable");
  }
  SUBCASE("the route does not take it any more") {
    CHECK(name_of(scene.recheck(Chain({accepting(part("other", "alice", until))}), "told", {present}).front()) ==
          "credential.invalid");
  }
  SUBCASE("each part is asked") {
    const auto device = part("mtls", "device", until);
    const Identity both = scene.judge(together({accepting(device), accepting(alice)}), {}).value();
    const auto again = [&](std::shared_ptr<const Authenticator> second) {
      return scene.recheck(together({accepting(device), std::move(second)}), "mtls+told", {both}).front();
    };
    REQUIRE(again(accepting(alice)).ok());
    CHECK((*again(accepting(alice)))->parts.size() == 2);
    CHECK(name_of(again(refusing("told", Reason::credential_revoked))) == "credential.revoked");
  }
}

TEST_CASE("chain: a renewal of one part leaves the others as they are") {
  Route route;
  const WallTime now = route.clock.wall();
  const Chain chain = together({route.jwt, accepting(part("mtls", "device", now + 8min))});
  const Identity present = route.scene.judge(chain, with_bearer(route.maker.token(now))).value();
  CHECK(present->expires_at == now + 8min);
  const Chain renewing = together({route.jwt, absent("mtls")});
  const auto fresh = route.scene.renew(renewing, present, with_in_band(route.maker.token(now)));
  REQUIRE(fresh.ok());
  CHECK((*fresh)->parts[1].is(present->parts[1]));
  CHECK(name_of(route.scene.renew(renewing, present, with_in_band(route.maker.token(now, {{"sub", "mallory"}})))) ==
        "credential.other_subject");
  CHECK(name_of(route.scene.renew(together({absent("jwt"), absent("mtls")}), present, with_in_band("x"))) ==
        "credential.invalid");
}

TEST_CASE("verdict: an identity that says too little is a bug") {
  Proven proven;
  proven.mechanism = "test";
  proven.subject = "alice";
  proven.expires_at = from_unix_seconds(1);
  CHECK(Verdict::accept(proven).identity());
  CHECK_THROWS_AS((void)Verdict::accept({.mechanism = "", .subject = "a", .expires_at = from_unix_seconds(1)}),
                  BugError);
  CHECK_THROWS_AS((void)Verdict::accept({.mechanism = "m", .subject = "", .expires_at = from_unix_seconds(1)}),
                  BugError);
  CHECK_THROWS_AS((void)Verdict::accept({.mechanism = "m", .subject = "a"}), BugError);
  CHECK_THROWS_AS((void)Verdict::not_mine().take(), BugError);
}

net::Task<Result<int>> slow(net::Loop& loop, Duration time, bool* destroyed) {
  struct Mark {
    bool* flag;
    ~Mark() { *flag = true; }
  };
  const Mark mark{destroyed};
  co_await loop.sleep_until(loop.now() + time);
  co_return 7;
}

net::Task<Result<int>> throwing() {
  throw_bug("by intention");
  co_return 1;
}

TEST_CASE("within: in time, late, at once, thrown") {
  FakeClock clock;
  Scene scene(clock);
  bool destroyed = false;
  const net::Deadline deadline{clock.now() + 10s, Reason::auth_timeout};

  SUBCASE("in time") {
    testing::Pending<Result<int>> pending(scene.loop, within(scene.loop, slow(scene.loop, 9s, &destroyed), deadline));
    scene.loop.turn(0ms);
    CHECK(!pending.done());
    clock.advance(9s);
    CHECK(pending.wait().value() == 7);
  }
  SUBCASE("late") {
    testing::Pending<Result<int>> pending(scene.loop, within(scene.loop, slow(scene.loop, 11s, &destroyed), deadline));
    scene.loop.turn(0ms);
    clock.advance(10s);
    CHECK(pending.wait().error().reason == Reason::auth_timeout);
    CHECK(destroyed);
  }
  SUBCASE("at once") {
    CHECK(scene.run(within(scene.loop, scene.store->flush(), deadline)).ok());
    destroyed = true;
  }
  SUBCASE("thrown") {
    bool caught = false;
    scene.loop.on_escaped_exception([&](const std::exception_ptr&) { caught = true; });
    const testing::Pending<Result<int>> pending(scene.loop, within(scene.loop, throwing(), deadline));
    scene.loop.turn(0ms);
    CHECK(caught);
    destroyed = true;
  }
  CHECK(destroyed);
  CHECK(scene.loop.live_tasks() == 0);
}

}  // namespace
}  // namespace sallyport::auth
