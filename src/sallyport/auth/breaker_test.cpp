#include "sallyport/auth/breaker.h"

#include <doctest/doctest.h>

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;

struct Trying {
  Breaker breaker{{3, 1s, 4s}};
  Instant now{1h};

  bool may_ask() { return breaker.ask(now).ok(); }
  void fail() { breaker.ask(now).value().failed(now); }
  void succeed() { breaker.ask(now).value().succeeded(); }
};

TEST_CASE("breaker: opens after so many failures in a row, and no sooner") {
  Trying trying;
  trying.fail();
  trying.fail();
  trying.succeed();
  trying.fail();
  trying.fail();
  CHECK(trying.breaker.state(trying.now) == Breaker::State::closed);
  CHECK(trying.may_ask());
  trying.fail();
  CHECK(trying.breaker.state(trying.now) == Breaker::State::open);
  const auto refused = trying.breaker.ask(trying.now);
  REQUIRE(!refused.ok());
  CHECK(refused.error().reason == Reason::auth_unavailable);
}

TEST_CASE("breaker: half open, one alone may try") {
  Trying trying;
  for (int i = 0; i < 3; ++i) trying.fail();
  trying.now += 999ms;
  CHECK(!trying.may_ask());
  trying.now += 1ms;
  CHECK(trying.breaker.state(trying.now) == Breaker::State::half_open);
  auto trial = trying.breaker.ask(trying.now);
  REQUIRE(trial.ok());
  CHECK(!trying.may_ask());
  SUBCASE("its success closes") {
    trial->succeeded();
    CHECK(trying.breaker.state(trying.now) == Breaker::State::closed);
    trying.fail();
    CHECK(trying.may_ask());
  }
  SUBCASE("its failure opens again") {
    trial->failed(trying.now);
    CHECK(trying.breaker.state(trying.now) == Breaker::State::open);
  }
  SUBCASE("one that is dropped leaves the trial to the next") {
    {
      const Breaker::Leave dropped = std::move(trial).value();
    }
    CHECK(trying.may_ask());
  }
}

TEST_CASE("breaker: the pause doubles up to its longest and starts anew after a success") {
  Trying trying;
  for (int i = 0; i < 3; ++i) trying.fail();
  for (const Duration pause : {1s, 2s, 4s, 4s}) {
    CAPTURE(pause.count());
    trying.now += pause - 1ms;
    CHECK(!trying.may_ask());
    trying.now += 1ms;
    trying.fail();
  }
  trying.now += 4s;
  trying.succeed();
  for (int i = 0; i < 3; ++i) trying.fail();
  trying.now += 1s;
  CHECK(trying.may_ask());
}

TEST_CASE("breaker: an answer that comes late to a question from before it opened closes it") {
  Trying trying;
  auto early = trying.breaker.ask(trying.now);
  REQUIRE(early.ok());
  for (int i = 0; i < 3; ++i) trying.fail();
  CHECK(!trying.may_ask());
  early->succeeded();
  CHECK(trying.may_ask());
}

}  // namespace
}  // namespace sallyport::auth
