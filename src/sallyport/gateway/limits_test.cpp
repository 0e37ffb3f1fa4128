#include "sallyport/gateway/limits.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using Answer = HandshakeRates::Answer;

constexpr Instant start = Instant(1h);

int taken_at(TokenBucket& bucket, Instant now) {
  int taken = 0;
  while (taken < 10'000 && bucket.take(now)) ++taken;
  return taken;
}

}  // namespace

TEST_SUITE("limits") {
  TEST_CASE("a bucket starts full, and fills at its rate and no further") {
    TokenBucket bucket({100, 1s}, start);
    CHECK(taken_at(bucket, start) == 100);
    CHECK(taken_at(bucket, start) == 0);
    CHECK(taken_at(bucket, start + 10ms) == 1);
    CHECK(taken_at(bucket, start + 19ms) == 0);
    CHECK(taken_at(bucket, start + 510ms) == 50);
    CHECK(taken_at(bucket, start + 1h) == 100);
  }

  TEST_CASE("a rate per hour may come at once, but no second time") {
    TokenBucket bucket({5, std::chrono::hours(1)}, start);
    CHECK(taken_at(bucket, start) == 5);
    CHECK(taken_at(bucket, start + 11min) == 0);
    CHECK(taken_at(bucket, start + 12min) == 1);
    CHECK(taken_at(bucket, start + 24h) == 5);
  }

  TEST_CASE("many small steps fill as one large one") {
    TokenBucket bucket({10, 1s}, start);
    CHECK(taken_at(bucket, start) == 10);
    int taken = 0;
    for (Instant now = start; now <= start + 10s; now += 1ms) taken += bucket.take(now) ? 1 : 0;
    CHECK(taken >= 99);
    CHECK(taken <= 100);
  }

  TEST_CASE("a clock of another loop that is a little behind makes nothing out of nothing") {
    TokenBucket bucket({10, 1s}, start);
    CHECK(taken_at(bucket, start) == 10);
    int taken = 0;
    for (int i = 0; i < 1000; ++i) taken += bucket.take(start + (i % 2 == 0 ? 0ms : 50ms)) ? 1 : 0;
    CHECK(taken <= 1);
  }

  TEST_CASE("a place is pending until it is left, once") {
    PendingLimit limit;
    PendingLimit::Place first = limit.enter(2);
    PendingLimit::Place second = limit.enter(2);
    CHECK(first);
    CHECK(second);
    CHECK(!limit.enter(2));
    CHECK(limit.count() == 2);
    second.leave();
    second.leave();
    CHECK(limit.count() == 1);
    {
      PendingLimit::Place third = limit.enter(2);
      PendingLimit::Place moved(std::move(third));
      CHECK(!third);  // NOLINT: what a moved-from place is
      CHECK(moved);
      CHECK(limit.count() == 2);
      PendingLimit::Place assigned;
      assigned = std::move(moved);
      CHECK(limit.count() == 2);
    }
    CHECK(limit.count() == 1);
    CHECK(!limit.enter(0));
    CHECK(limit.count() == 1);
  }

  TEST_CASE("pending places hold over threads") {
    PendingLimit limit;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 10'000; ++k) {
          const PendingLimit::Place place = limit.enter(3);
          if (limit.count() > 3 + 4) std::abort();  // each thread may be in the middle of being refused
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(limit.count() == 0);
  }

  TEST_CASE("a network over its rate is refused, and over twice its rate dropped") {
    HandshakeRates rates;
    const config::Rate rate{3, 1s};
    for (int i = 0; i < 3; ++i) CHECK(rates.ask("a", rate, start) == Answer::allowed);
    for (int i = 0; i < 3; ++i) CHECK(rates.ask("a", rate, start) == Answer::refuse);
    for (int i = 0; i < 3; ++i) CHECK(rates.ask("a", rate, start) == Answer::drop);
    CHECK(rates.ask("b", rate, start) == Answer::allowed);
    CHECK(rates.ask("a", rate, start + 334ms) == Answer::allowed);
    CHECK(rates.ask("a", rate, start + 334ms) == Answer::refuse);
    CHECK(rates.ask("a", rate, start + 334ms) == Answer::drop);
  }

  TEST_CASE("a network is remembered for as long as it is in debt") {
    HandshakeRates rates;
    const config::Rate rate{2, std::chrono::hours(1)};
    for (int i = 0; i < 6; ++i) (void)rates.ask("a", rate, start);
    for (Duration later = 11s; later < 20min; later += 61s) {
      (void)rates.ask("b", rate, start + later);  // sweeps
      CHECK(rates.ask("a", rate, start + later) == Answer::drop);
    }
    CHECK(rates.ask("a", rate, start + 24h) == Answer::allowed);
  }

  TEST_CASE("a new rate holds at once") {
    HandshakeRates rates;
    for (int i = 0; i < 6; ++i) (void)rates.ask("a", {2, 1s}, start);
    CHECK(rates.ask("a", {2, 1s}, start) == Answer::drop);
    CHECK(rates.ask("a", {4, 1s}, start) == Answer::allowed);
  }

  TEST_CASE("whoever has many networks fills the table but not the memory") {
    HandshakeRates rates;
    const config::Rate rate{2, 1s};
    int allowed = 0;
    for (int i = 0; i < 100'000; ++i) allowed += rates.ask(std::to_string(i), rate, start) == Answer::allowed ? 1 : 0;
    CHECK(allowed == 100'000);
    CHECK(rates.ask("5", rate, start) == Answer::allowed);  // whoever is known keeps its own
    CHECK(rates.ask("stranger 1", rate, start) == Answer::allowed);
    CHECK(rates.ask("stranger 2", rate, start) == Answer::allowed);
    CHECK(rates.ask("stranger 3", rate, start) == Answer::refuse);
    CHECK(rates.ask("stranger 4", rate, start) == Answer::refuse);
    CHECK(rates.ask("stranger 5", rate, start) == Answer::drop);
    CHECK(rates.ask("stranger 6", rate, start + 11s) == Answer::allowed);  // the others were forgotten
    for (int i = 0; i < 100; ++i)
      CHECK(rates.ask("newcomer " + std::to_string(i), rate, start + 11s) == Answer::allowed);
  }

  TEST_CASE("a key holds as many connections as it may") {
    ConnectionCounts counts;
    {
      auto first = counts.enter("alice", 2, Reason::limit_connections_identity);
      auto second = counts.enter("alice", 2, Reason::limit_connections_identity);
      CHECK(first.ok());
      CHECK(second.ok());
      const auto third = counts.enter("alice", 2, Reason::limit_connections_identity);
      REQUIRE(!third.ok());
      CHECK(third.error().reason == Reason::limit_connections_identity);
      CHECK(counts.enter("bob", 2, Reason::limit_connections_ip).ok());
      CHECK(counts.keys() == 1);  // bob's is gone with its place
      {
        const ConnectionCounts::Place moved = std::move(second).value();
        CHECK(!counts.enter("alice", 2, Reason::limit_connections_ip).ok());
      }
      CHECK(counts.enter("alice", 2, Reason::limit_connections_ip).ok());
    }
    CHECK(counts.keys() == 0);
  }

  TEST_CASE("what is refused leaves nothing behind") {
    ConnectionCounts counts;
    CHECK(!counts.enter("alice", 0, Reason::limit_connections_ip).ok());
    CHECK(counts.keys() == 0);
  }
}

}  // namespace sallyport::gateway
