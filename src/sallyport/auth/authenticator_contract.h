#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "sallyport/auth/testing.h"
#include "sallyport/crypto/random.h"

/// What every authenticator must do, wherever it is kept. Include it in a test of the plug and call check_authenticator_contract().
namespace sallyport::auth::testing {

struct AuthenticatorContract {
  enum class WithoutCredential : std::uint8_t { not_mine, accepted };
  enum class Store : std::uint8_t { needed, not_needed };
  /// `once`: a credential that is used up, so that it is refused with `credential.replayed` from then on.
  enum class Uses : std::uint8_t { many, once };
  /// `from_elsewhere`: a real server is asked, which takes its time.
  enum class Answers : std::uint8_t { at_once, from_elsewhere };

  std::shared_ptr<const Authenticator> authenticator;
  /// Fills the store with what makes `good` good.
  std::function<void(Scene&)> prepare = [](Scene&) {};
  Handshake good;
  /// Credentials of this plug's kind that do not hold; each must be refused for a reason of the credential.
  std::vector<Handshake> bad;
  WithoutCredential without = WithoutCredential::not_mine;
  Store store = Store::not_needed;
  Uses uses = Uses::many;
  Answers answers = Answers::at_once;
  /// Where garbage is put in; tokens by default.
  std::function<Handshake(std::string_view garbage)> present = with_bearer;
};

/// Runs the suite at the time of `clock`, which it moves on.
inline void check_authenticator_contract(const AuthenticatorContract& contract, FakeClock& clock) {
  const Authenticator& authenticator = *contract.authenticator;
  Scene scene(clock);
  contract.prepare(scene);

  INFO("mechanism ", std::string(authenticator.mechanism()));
  CHECK(!authenticator.mechanism().empty());

  SUBCASE("nothing presented") {
    const bool accepts = contract.without == AuthenticatorContract::WithoutCredential::accepted;
    CHECK(name_of(scene.judge(authenticator, {})) == (accepts ? "accept" : "not_mine"));
  }

  SUBCASE("a good credential") {
    const Verdict verdict = scene.judge(authenticator, contract.good);
    REQUIRE(name_of(verdict) == "accept");
    const Identity& identity = *verdict.identity();
    CHECK(identity->mechanism == authenticator.mechanism());
    CHECK(!identity->subject.empty());
    CHECK(identity->expires_at > clock.wall());
  }

  SUBCASE("a good credential is judged the same again, and by another loop") {
    Scene other(clock);
    contract.prepare(other);
    const Verdict first = scene.judge(authenticator, contract.good);
    const Verdict second = scene.judge(authenticator, contract.good);
    const Verdict third = other.judge(authenticator, contract.good);
    REQUIRE(name_of(first) == "accept");
    REQUIRE(name_of(third) == "accept");
    if (contract.uses == AuthenticatorContract::Uses::once) {
      REQUIRE(name_of(second) == "credential.replayed");
      return;
    }
    REQUIRE(name_of(second) == "accept");
    CHECK((*first.identity())->subject == (*second.identity())->subject);
    CHECK((*first.identity())->subject == (*third.identity())->subject);
  }

  SUBCASE("bad credentials are refused, never passed on") {
    for (std::size_t i = 0; i < contract.bad.size(); ++i) {
      INFO("bad credential ", i);
      const Verdict verdict = scene.judge(authenticator, contract.bad[i]);
      REQUIRE(verdict.error());
      const std::string name(name_of(verdict));
      INFO(name);
      CHECK((name.starts_with("credential.") || name == "origin.missing"));
    }
  }

  SUBCASE("garbage is never accepted") {
    crypto::FakeRandom random(7);
    const std::string alphabet = "abcXYZ019-._~+/=, \t\"\\;:{}";
    for (int i = 0; i < 500; ++i) {
      const std::string bytes = random.bytes(1 + static_cast<std::size_t>(i) % 64);
      std::string garbage;
      for (const char byte : bytes) garbage.push_back(alphabet[static_cast<unsigned char>(byte) % alphabet.size()]);
      INFO("garbage ", garbage);
      if (contract.without == AuthenticatorContract::WithoutCredential::not_mine) {
        CHECK(name_of(scene.judge(authenticator, contract.present(garbage))) != "accept");
      }
      CHECK(name_of(scene.judge(authenticator, with_in_band(garbage))) != "accept");
    }
  }

  SUBCASE("a store that is down") {
    scene.store = std::make_unique<BrokenStore>(scene.loop, BrokenStore::Way::down);
    const bool needed = contract.store == AuthenticatorContract::Store::needed;
    CHECK(name_of(scene.judge(authenticator, contract.good)) == (needed ? "store.unavailable" : "accept"));
    for (const Handshake& bad : contract.bad) CHECK(name_of(scene.judge(authenticator, bad)) != "accept");
  }

  SUBCASE("a store that does not answer is waited for until the deadline and no longer") {
    scene.store = std::make_unique<BrokenStore>(scene.loop, BrokenStore::Way::silent);
    auto pending = scene.start(authenticator, contract.good);
    for (int turns = 0; turns < 5; ++turns) scene.loop.turn(Duration::zero());
    const bool needed = contract.store == AuthenticatorContract::Store::needed;
    const bool elsewhere = contract.answers == AuthenticatorContract::Answers::from_elsewhere;
    for (int turns = 0; !needed && elsewhere && !pending.done() && turns < 2000; ++turns)
      scene.loop.turn(std::chrono::milliseconds(5));
    CHECK(pending.done() == !needed);
    clock.advance(Scene::patience);
    CHECK(name_of(pending.wait()) == (needed ? "auth.timeout" : "accept"));
    CHECK(scene.loop.live_tasks() == 0);
  }

  SUBCASE("what it takes from the backend is named once") {
    http::Strip strip;
    authenticator.add_to(strip);
    const http::Strip once = strip;
    authenticator.add_to(strip);
    CHECK(strip.headers == once.headers);
    CHECK(strip.cookies == once.cookies);
    CHECK(strip.parameters == once.parameters);
    CHECK(strip.subprotocols == once.subprotocols);
    CHECK(strip.subprotocol_prefixes == once.subprotocol_prefixes);
  }
}

}  // namespace sallyport::auth::testing
