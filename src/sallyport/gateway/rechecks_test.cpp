#include "sallyport/gateway/rechecks.h"

#include <doctest/doctest.h>

#include "sallyport/gateway/shard.h"
#include "sallyport/gateway/testing.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using gateway::testing::proven;

// Answers as the test wants when it is asked again, and counts how often it was.
class Asked final : public auth::Authenticator {
 public:
  std::string_view mechanism() const override { return "scripted"; }
  net::Task<auth::Verdict> authenticate(const auth::Evidence&, auth::Here&, net::Deadline) const override {
    co_return auth::Verdict::not_mine();
  }
  net::Task<std::vector<auth::Verdict>> recheck(std::vector<auth::Identity> present, auth::Here&,
                                                net::Deadline) const override {
    batches.push_back(present.size());
    std::vector<auth::Verdict> verdicts;
    for (auth::Identity& one : present) {
      verdicts.push_back(answer ? answer(std::move(one)) : auth::Verdict::accept(std::move(one)));
    }
    co_return verdicts;
  }
  void add_to(http::Strip&) const override {}

  std::function<auth::Verdict(auth::Identity)> answer;
  mutable std::vector<std::size_t> batches;
};

struct Scene {
  Scene() {
    RouteSettings settings = testing::route_settings();
    settings.recheck = {10s, 30s};
    route = testing::make_route(settings, {asked});
    snapshot = std::make_shared<Snapshot>(Snapshot{{}, Routes({route}), {}, {}, {}, {}, {}});
    shard = std::make_unique<Shard>(shared, backend, snapshot);
    shard->rechecks().start();
    turn();
  }
  struct Live {
    explicit Live(net::Loop& loop) : waiter(loop) {}
    net::Waiter waiter;
    std::unique_ptr<Session> session;
    std::string verdict() const {
      return waiter.interruption() ? std::string(row(waiter.interruption()->reason).name) : "open";
    }
  };
  std::unique_ptr<Live> admit(std::string id, auth::Proven who) {
    auto live = std::make_unique<Live>(shard->loop());
    live->session =
        shard->sessions
            .admit(std::move(id), testing::identity(std::move(who)), route, "192.0.2.1", clock.wall(), live->waiter, {})
            .value();
    return live;
  }
  std::unique_ptr<Live> admit(std::string id) { return admit(std::move(id), proven("alice", clock.wall())); }
  void turn() {
    for (int i = 0; i < 5; ++i) shard->loop().turn(Duration::zero());
  }
  // One round of asking, whatever its jitter, and no second one.
  void next_round() {
    clock.advance(11s);
    turn();
  }
  static auth::Verdict refuse(Reason reason) { return auth::Verdict::refuse(Error{reason, "told to"}); }

  FakeClock clock;
  testing::TextLog log;
  Shared shared{clock, log, {}, {}, {}};
  store::MemoryBackend backend;
  std::shared_ptr<Asked> asked = std::make_shared<Asked>();
  std::shared_ptr<const Route> route;
  std::shared_ptr<const Snapshot> snapshot;
  std::unique_ptr<Shard> shard;
};

}  // namespace

TEST_SUITE("rechecks") {
  TEST_CASE("all of a route are asked about together, once in its time") {
    Scene scene;
    const auto one = scene.admit("c1");
    const auto two = scene.admit("c2", proven("bob", scene.clock.wall()));
    scene.clock.advance(8900ms);
    scene.turn();
    CHECK(scene.asked->batches.empty());
    scene.clock.advance(2100ms);
    scene.turn();
    CHECK(scene.asked->batches == std::vector<std::size_t>{2});
    scene.next_round();
    CHECK(scene.asked->batches == std::vector<std::size_t>{2, 2});
    CHECK(one->verdict() == "open");
    CHECK(scene.shard->metrics.rechecks.held.value() == 4);
  }

  TEST_CASE("a bug in one turn does not end the asking") {
    Scene scene;
    const auto live = scene.admit("c1");
    scene.asked->answer = [](const auth::Identity&) -> auth::Verdict { throw_bug("by intention"); };
    scene.next_round();
    CHECK(scene.shard->metrics.bugs.value() == 1);
    CHECK(live->verdict() == "open");
    scene.asked->answer = [](const auth::Identity&) { return Scene::refuse(Reason::credential_revoked); };
    scene.next_round();
    CHECK(live->verdict() == "credential.revoked");
  }

  TEST_CASE("a no ends the connection and no other") {
    Scene scene;
    const auto alice = scene.admit("c1");
    const auto bob = scene.admit("c2", proven("bob", scene.clock.wall()));
    scene.asked->answer = [](auth::Identity identity) {
      if (identity->subject == "alice") return Scene::refuse(Reason::credential_revoked);
      return auth::Verdict::accept(std::move(identity));
    };
    scene.next_round();
    CHECK(alice->verdict() == "credential.revoked");
    CHECK(bob->verdict() == "open");
    CHECK(scene.shard->metrics.rechecks.refused.value() == 1);
  }

  TEST_CASE("another identity is taken over") {
    Scene scene;
    const auto live = scene.admit("c1");
    scene.asked->answer = [](const auth::Identity& identity) {
      auth::Proven later = *identity;
      later.expires_at += 1h;
      later.session_id = "new";
      return auth::Verdict::accept(std::move(later));
    };
    scene.next_round();
    CHECK(live->session->identity()->expires_at == scene.clock.wall() + 10min - 11s + 1h);
    CHECK(live->verdict() == "open");
    CHECK(scene.shard->metrics.rechecks.changed.value() == 1);
    store::Revocation revocation;
    revocation.handle = store::Handle::session_id;
    revocation.value = "new";
    CHECK(scene.shard->sessions.close_covered(revocation, Error{Reason::credential_revoked, ""}) == 1);
  }

  TEST_CASE("another subject ends it") {
    Scene scene;
    const auto live = scene.admit("c1");
    scene.asked->answer = [&](const auth::Identity&) {
      return auth::Verdict::accept(proven("mallory", scene.clock.wall()));
    };
    scene.next_round();
    CHECK(live->verdict() == "credential.other_subject");
  }

  TEST_CASE("a source that is out of reach is tolerated for so long") {
    Scene scene;
    const auto live = scene.admit("c1");
    scene.asked->answer = [](const auth::Identity&) { return Scene::refuse(Reason::auth_unavailable); };
    for (int round = 0; round < 3; ++round) scene.next_round();
    CHECK(live->verdict() == "open");
    SUBCASE("and back: the time begins anew") {
      scene.asked->answer = nullptr;
      scene.next_round();
      scene.asked->answer = [](const auth::Identity&) { return Scene::refuse(Reason::auth_unavailable); };
      for (int round = 0; round < 3; ++round) scene.next_round();
      CHECK(live->verdict() == "open");
    }
    SUBCASE("and not longer") {
      scene.next_round();
      CHECK(live->verdict() == "auth.unavailable");
    }
  }

  TEST_CASE("who renewed meanwhile is not judged by what was asked before") {
    Scene scene;
    const auto live = scene.admit("c1");
    scene.asked->answer = [&](const auth::Identity& identity) {
      REQUIRE(live->session->renew(testing::identity(proven("alice", scene.clock.wall()))).ok());
      CHECK(!live->session->identity().is(identity));
      return Scene::refuse(Reason::credential_revoked);
    };
    scene.next_round();
    CHECK(live->verdict() == "open");
  }

  TEST_CASE("a watch names whom to ask about at once") {
    Scene scene;
    auth::Proven watched = proven("alice", scene.clock.wall());
    watched.watch_key = "session-1";
    const auto named = scene.admit("c1", watched);
    const auto other = scene.admit("c2");
    scene.asked->answer = [](const auth::Identity&) { return Scene::refuse(Reason::credential_revoked); };
    scene.shard->rechecks().ask("scripted", "session-2");
    scene.shard->rechecks().ask("another", "session-1");
    scene.turn();
    CHECK(scene.asked->batches.empty());
    scene.shard->rechecks().ask("scripted", "session-1");
    scene.turn();
    CHECK(named->verdict() == "credential.revoked");
    CHECK(other->verdict() == "open");
    // One that has missed something asks about all of its mechanism.
    scene.shard->rechecks().ask("scripted", "");
    scene.turn();
    CHECK(other->verdict() == "credential.revoked");
  }

  TEST_CASE("the part of an identity is watched like the whole") {
    Scene scene;
    auth::Proven device = proven("device", scene.clock.wall());
    device.mechanism = "mtls";
    device.watch_key = "serial-1";
    auth::Proven both = proven("alice", scene.clock.wall());
    both.parts = {testing::identity(proven("alice", scene.clock.wall())), testing::identity(device)};
    const auto live = scene.admit("c1", both);
    scene.asked->answer = [](const auth::Identity&) { return Scene::refuse(Reason::credential_revoked); };
    scene.shard->rechecks().ask("mtls", "serial-1");
    scene.turn();
    CHECK(live->verdict() == "credential.revoked");
  }
}

}  // namespace sallyport::gateway
