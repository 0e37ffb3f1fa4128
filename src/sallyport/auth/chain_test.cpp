#include <doctest/doctest.h>

#include "sallyport/auth/anonymous/anonymous.h"
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
  CHECK(strip.headers == std::vector<std::string>{"Authorization"});
  CHECK(strip.cookies == std::vector<std::string>{"at"});
  CHECK(strip.subprotocol_prefixes == std::vector<std::string>{"bearer."});
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
