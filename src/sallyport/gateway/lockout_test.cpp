#include "sallyport/gateway/lockout.h"

#include <doctest/doctest.h>

#include <string>

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;

const LockoutSettings usual{.failures = 3, .failures_per_ip = 10, .first = 1s, .longest = 60s};

struct Door {
  Lockout lockout;
  Instant now{1h};

  bool open_for(const Lockout::Attempt& attempt) { return !lockout.ask(attempt, usual, now); }
  std::optional<Lockout::Sentence> fail(const Lockout::Attempt& attempt,
                                        Lockout::Failure failure = Lockout::Failure::guessed) {
    return lockout.note_failure(attempt, failure, usual, now);
  }
  Duration wait_of(const Lockout::Attempt& attempt) {
    const auto sentence = lockout.ask(attempt, usual, now);
    return sentence ? sentence->wait : Duration::zero();
  }
};

const Lockout::Attempt alice{"192.0.2.1", "alice", "alice's token"};
const Lockout::Attempt bob{"192.0.2.1", "bob", "bob's token"};
const Lockout::Attempt alice_elsewhere{"198.51.100.9", "alice", "alice's token"};

TEST_CASE("lockout: the third failure locks, and each one after it twice as long, up to the longest") {
  Door door;
  CHECK(door.open_for(alice));
  CHECK(!door.fail(alice));
  CHECK(!door.fail(alice));
  CHECK(door.open_for(alice));
  Duration expected = 1s;
  for (int i = 0; i < 12; ++i) {
    const auto sentence = door.fail(alice);
    REQUIRE(sentence);
    CHECK(sentence->wait == std::min<Duration>(expected, 60s));
    CHECK(door.wait_of(alice) == sentence->wait);
    door.now += sentence->wait - 1ms;
    CHECK(!door.open_for(alice));
    door.now += 1ms;
    CHECK(door.open_for(alice));
    expected *= 2;
    if (i == 5) door.lockout.note_success(bob, door.now);  // of no concern
  }
}

TEST_CASE("lockout: a failure that another loop saw a moment later is no wait") {
  Door door;
  door.fail(alice);
  door.now -= 5ms;
  CHECK(door.open_for(alice));
}

TEST_CASE("lockout: success ends it, quiet ends it") {
  Door door;
  for (int i = 0; i < 2; ++i) door.fail(alice);
  door.lockout.note_success(alice, door.now);
  CHECK(!door.fail(alice));
  CHECK(!door.fail(alice));
  CHECK(door.fail(alice));
  door.now += 1s + 60s + 1ms;
  CHECK(!door.fail(alice));
}

TEST_CASE("lockout: a claim locks nobody out from another network, and no neighbour") {
  Door door;
  for (int i = 0; i < 5; ++i) door.fail(alice);
  CHECK(!door.open_for(alice));
  CHECK(door.open_for(alice_elsewhere));
  CHECK(door.open_for(bob));
}

TEST_CASE("lockout: a network that guesses waits as a whole, but for who has proved the very same credential there") {
  Door door;
  door.lockout.note_success(bob, door.now);
  for (int i = 0; i < 10; ++i) {
    const std::string guess = "guess " + std::to_string(i);
    door.fail({alice.network, guess, guess});
  }
  const auto sentence = door.lockout.ask(alice, usual, door.now);
  REQUIRE(sentence);
  CHECK(sentence->what == Lockout::Locked::network);
  CHECK(door.open_for(bob));
  CHECK(!door.open_for({bob.network, "bob", "another token"}));
  CHECK(door.open_for(alice_elsewhere));
  door.now += 25h;
  CHECK(door.open_for(alice));
}

TEST_CASE("lockout: credentials that were good once lock their claimants only") {
  Door door;
  for (int i = 0; i < 100; ++i) {
    const std::string colleague = "colleague " + std::to_string(i);
    door.fail({alice.network, colleague, colleague}, Lockout::Failure::outlived);
  }
  CHECK(door.open_for(alice));
  for (int i = 0; i < 3; ++i) door.fail(alice, Lockout::Failure::outlived);
  CHECK(!door.open_for(alice));
}

TEST_CASE("lockout: a credential that was proved and then fails is no longer known") {
  Door door;
  door.lockout.note_success(bob, door.now);
  door.fail(bob, Lockout::Failure::outlived);
  for (int i = 0; i < 10; ++i) door.fail({bob.network, std::to_string(i), std::to_string(i)});
  CHECK(!door.open_for(bob));
}

TEST_CASE("lockout: a million strangers take no more room, and those who fail go on being locked") {
  Door door;
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = std::to_string(i);
    door.fail({name, name, name});
    door.now += 1us;
  }
  for (int i = 0; i < 3; ++i) door.fail(alice);
  CHECK(!door.open_for(alice));
  CHECK(door.open_for(alice_elsewhere));
}

}  // namespace
}  // namespace sallyport::gateway
