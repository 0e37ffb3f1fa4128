#include "sallyport/gateway/lobby.h"

#include <doctest/doctest.h>

#include "sallyport/gateway/testing.h"

namespace sallyport::gateway {
namespace {

struct Scene {
  struct Waiting {
    explicit Waiting(net::Loop& loop) : waiter(loop) {}
    net::Waiter waiter;
    std::unique_ptr<Lobby::Guest> guest;
    bool told_to_leave() const { return waiter.interruption().has_value(); }
  };
  std::unique_ptr<Waiting> enter(std::size_t most = 3, std::string route = "chat") {
    auto waiting = std::make_unique<Waiting>(loop);
    waiting->guest = lobby.enter(waiting->waiter, std::move(route), random, most, {});
    return waiting;
  }
  auth::Identity alice() { return testing::identity(testing::proven("alice", clock.wall())); }

  FakeClock clock;
  net::Loop loop{clock};
  crypto::FakeRandom random;
  Lobby lobby;
};

}  // namespace

TEST_SUITE("lobby") {
  TEST_CASE("who has waited the longest makes room, and is told once") {
    Scene scene;
    const auto first = scene.enter();
    auto second = scene.enter();
    const auto third = scene.enter();
    CHECK(scene.lobby.size() == 3);
    const auto fourth = scene.enter();
    CHECK(first->told_to_leave());
    CHECK(first->waiter.interruption()->reason == Reason::limit_waiting);
    CHECK(!second->told_to_leave());
    CHECK(scene.lobby.size() == 3);
    second.reset();  // leaves by itself: there is room
    const auto fifth = scene.enter();
    CHECK(!third->told_to_leave());
    const auto sixth = scene.enter();
    CHECK(third->told_to_leave());
    CHECK(!fourth->told_to_leave());
  }

  TEST_CASE("vouched for by its code, on its route, once") {
    Scene scene;
    const auto guest = scene.enter();
    const auto other = scene.enter();
    CHECK(guest->guest->code() != other->guest->code());
    CHECK(guest->guest->code().size() == 22);
    CHECK(!scene.lobby.vouch("", "chat", scene.alice()));
    CHECK(!scene.lobby.vouch(guest->guest->code() + "x", "chat", scene.alice()));
    CHECK(!scene.lobby.vouch(guest->guest->code(), "admin", scene.alice()));
    CHECK(!guest->guest->identity());
    CHECK(scene.lobby.vouch(guest->guest->code(), "chat", scene.alice()));
    REQUIRE(guest->guest->identity());
    CHECK((*guest->guest->identity())->subject == "alice");
    CHECK(!other->guest->identity());
    CHECK(!scene.lobby.vouch(guest->guest->code(), "chat", scene.alice()));
  }

  TEST_CASE("who is gone, or was told to leave, cannot be vouched for") {
    Scene scene;
    auto guest = scene.enter(1);
    const std::string code = guest->guest->code();
    const auto next = scene.enter(1);
    CHECK(!scene.lobby.vouch(code, "chat", scene.alice()));
    guest.reset();
    CHECK(!scene.lobby.vouch(code, "chat", scene.alice()));
    CHECK(scene.lobby.size() == 1);
  }
}

}  // namespace sallyport::gateway
