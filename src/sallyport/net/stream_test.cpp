#include "sallyport/net/stream.h"

#include <doctest/doctest.h>

#include <array>

#include "sallyport/net/scripted_stream.h"
#include "sallyport/net/turning.h"

using namespace sallyport;
using namespace sallyport::net;
using net::testing::keep;
using net::testing::wait_for;
using std::chrono::milliseconds;

namespace {

struct Scene {
  Scene() { stream.attach(waiter.wake(), Waiter::readable, Waiter::writable); }
  Deadline in(milliseconds time) const { return {loop.now() + time, Reason::auth_timeout}; }
  Deadline soon() const { return in(milliseconds(10)); }
  void pass(milliseconds time) {
    clock.advance(time);
    loop.turn(Duration::zero());
  }

  FakeClock clock;
  Loop loop{clock};
  Waiter waiter{loop};
  ScriptedStream stream;
};

// Reads until the stream ends; all that came.
Task<Result<std::string>> read_all(Waiter& waiter, Stream& stream, Deadline deadline) {
  std::string all;
  std::array<Byte, 16> buffer;
  for (;;) {
    const Result<std::size_t> count = co_await waiter.read_some(stream, buffer, deadline);
    if (!count.ok()) {
      if (count.error().detail == "stream ended") co_return all;
      co_return count.error();
    }
    all += text_of(Bytes(buffer).first(*count));
  }
}

template <class T>
bool refused(const Result<T>& result, Reason reason) {
  return !result.ok() && result.error().reason == reason;
}

}  // namespace

TEST_CASE("waiter: reads what comes, however it is split") {
  for (const std::size_t split : {1, 2, 3, 7, 1000}) {
    Scene scene;
    scene.stream.split_reads(split).yield("hello, ").block().block().yield("wor").yield("ld").block().end();
    const auto all = wait_for(scene.loop, read_all(scene.waiter, scene.stream, scene.soon()));
    REQUIRE(all.ok());
    CHECK(*all == "hello, world");
  }
}

TEST_CASE("waiter: goes on when bytes come later") {
  Scene scene;
  std::optional<Result<std::string>> result;
  scene.loop.spawn(keep(read_all(scene.waiter, scene.stream, scene.soon()), result));
  for (const char* part : {"a", "b", "c"}) {
    scene.pass(milliseconds(1));
    CHECK_FALSE(result);
    scene.stream.yield(part);
  }
  scene.stream.end();
  scene.pass(milliseconds(1));
  REQUIRE(result);
  CHECK(result->value() == "abc");
}

TEST_CASE("waiter: a stream that ends or fails is peer.gone, in different words") {
  Scene scene;
  std::array<Byte, 4> buffer;
  SUBCASE("ended") { scene.stream.block().end(); }
  SUBCASE("failed") { scene.stream.block().fail(); }
  const auto first = wait_for(scene.loop, scene.waiter.read_some(scene.stream, buffer, scene.soon()));
  CHECK(refused(first, Reason::peer_gone));
  const auto second = wait_for(scene.loop, scene.waiter.read_some(scene.stream, buffer, scene.soon()));
  CHECK(refused(second, Reason::peer_gone));
  CHECK(first.error().detail == second.error().detail);
}

TEST_CASE("waiter: a failure of any operation of an exchange ends it with peer.gone") {
  const auto exchange = [](Waiter& waiter, Stream& stream, Deadline deadline) -> Task<Result<void>> {
    std::array<Byte, 2> buffer;
    for (int i = 0; i < 3; ++i) {
      CO_TRY(const std::size_t count, co_await waiter.read_some(stream, buffer, deadline));
      CO_TRY_OK(co_await waiter.write_all(stream, Bytes(buffer).first(count), deadline));
    }
    co_return Result<void>();
  };
  std::size_t operations = 0;
  for (std::size_t nth = 0; nth <= operations; ++nth) {
    Scene scene;
    scene.stream.yield("ab").block().yield("cd").block().yield("ef").split_writes(1);
    if (nth > 0) scene.stream.fail_at(nth);
    const auto result = wait_for(scene.loop, exchange(scene.waiter, scene.stream, scene.soon()));
    if (nth == 0) {
      REQUIRE(result.ok());
      CHECK(scene.stream.written() == "abcdef");
      operations = scene.stream.operations();
      CHECK(operations == 11);
    } else {
      CHECK(refused(result, Reason::peer_gone));
      CHECK(scene.stream.operations() == nth);
      CHECK(std::string("abcdef").starts_with(scene.stream.written()));
    }
  }
}

TEST_CASE("waiter: a deadline that passes is told by its own reason, not before its time") {
  Scene scene;
  std::array<Byte, 4> buffer;
  std::optional<Result<std::size_t>> result;
  scene.loop.spawn(keep(scene.waiter.read_some(scene.stream, buffer, scene.in(milliseconds(10))), result));
  scene.pass(milliseconds(9));
  CHECK_FALSE(result);
  scene.pass(milliseconds(1));
  REQUIRE(result);
  CHECK(refused(*result, Reason::auth_timeout));

  // The wait that follows has a deadline of its own.
  scene.stream.yield("x");
  CHECK(wait_for(scene.loop, scene.waiter.read_some(scene.stream, buffer, scene.soon())).value() == 1);
}

TEST_CASE("waiter: bytes that trickle do not move the deadline") {
  Scene scene;
  std::optional<Result<std::string>> result;
  scene.loop.spawn(keep(read_all(scene.waiter, scene.stream, scene.in(milliseconds(10))), result));
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(result);
    scene.stream.yield("x");
    scene.loop.turn(Duration::zero());
    scene.pass(milliseconds(1));
  }
  REQUIRE(result);
  CHECK(refused(*result, Reason::auth_timeout));
}

TEST_CASE("waiter: a stream that is readable on every turn and never yields does not outrun the deadline") {
  Scene scene;
  std::array<Byte, 4> buffer;
  std::optional<Result<std::size_t>> result;
  scene.loop.spawn(keep(scene.waiter.read_some(scene.stream, buffer, scene.in(milliseconds(10))), result));
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(result);
    scene.waiter.wake().raise(Waiter::readable);
    scene.pass(milliseconds(1));
  }
  REQUIRE(result);
  CHECK(refused(*result, Reason::auth_timeout));
}

TEST_CASE("waiter: an interruption ends the present wait and every later one, the first stays") {
  Scene scene;
  std::array<Byte, 4> buffer;
  std::optional<Result<std::size_t>> result;
  scene.loop.spawn(keep(scene.waiter.read_some(scene.stream, buffer, scene.soon()), result));
  scene.waiter.interrupt({Reason::server_draining, "bye"});
  scene.waiter.interrupt({Reason::credential_revoked, "too late"});
  CHECK_FALSE(result);
  scene.loop.turn(Duration::zero());
  REQUIRE(result);
  CHECK(refused(*result, Reason::server_draining));
  CHECK(scene.waiter.interruption()->detail == "bye");
  CHECK(refused(wait_for(scene.loop, scene.waiter.wait_for(Waiter::readable, scene.soon())), Reason::server_draining));
}

TEST_CASE("waiter: an interruption that comes before the wait is not lost") {
  Scene scene;
  std::array<Byte, 4> buffer;
  scene.waiter.interrupt({Reason::credential_revoked, ""});
  const auto result = wait_for(scene.loop, scene.waiter.read_some(scene.stream, buffer, scene.soon()));
  CHECK(refused(result, Reason::credential_revoked));
}

TEST_CASE("waiter: writes all, as fast as the peer reads") {
  Scene scene;
  scene.stream.limit_room(3).split_writes(2);
  std::optional<Result<void>> result;
  scene.loop.spawn(keep(scene.waiter.write_all(scene.stream, bytes_of("hello"), scene.soon()), result));
  CHECK(scene.stream.written() == "hel");
  CHECK_FALSE(result);
  scene.stream.make_room(1);
  scene.loop.turn(Duration::zero());
  CHECK(scene.stream.written() == "hell");
  CHECK_FALSE(result);
  scene.stream.make_room(100);
  scene.loop.turn(Duration::zero());
  REQUIRE(result);
  CHECK(result->ok());
  CHECK(scene.stream.written() == "hello");
}

TEST_CASE("waiter: a peer that does not read runs into the deadline") {
  Scene scene;
  scene.stream.limit_room(1);
  std::optional<Result<void>> result;
  scene.loop.spawn(keep(scene.waiter.write_all(scene.stream, bytes_of("hello"), scene.soon()), result));
  // What it sends does not count.
  scene.stream.yield("noise");
  scene.pass(milliseconds(9));
  CHECK_FALSE(result);
  scene.pass(milliseconds(1));
  REQUIRE(result);
  CHECK(refused(*result, Reason::auth_timeout));
}

TEST_CASE("waiter: writing nothing needs no stream at all") {
  Scene scene;
  scene.stream.fail_at(1);
  CHECK(wait_for(scene.loop, scene.waiter.write_all(scene.stream, {}, scene.soon())).ok());
  CHECK(scene.stream.operations() == 0);
}

TEST_CASE("waiter: bits of the owner end a wait for them") {
  Scene scene;
  std::optional<Result<std::uint32_t>> result;
  scene.loop.spawn(keep(scene.waiter.wait_for(Waiter::first_free, scene.soon()), result));
  scene.waiter.wake().raise(Waiter::readable);
  scene.loop.turn(Duration::zero());
  CHECK_FALSE(result);
  scene.waiter.wake().raise(Waiter::first_free);
  scene.loop.turn(Duration::zero());
  REQUIRE(result);
  CHECK(result->ok());
}

TEST_CASE("scripted stream: a paused one reports nothing until it is resumed") {
  Scene scene;
  scene.stream.pause_reading();
  CHECK(scene.stream.reading_paused());
  std::optional<Result<std::uint32_t>> result;
  scene.loop.spawn(keep(scene.waiter.wait_for(Waiter::readable, scene.soon()), result));
  scene.stream.yield("x");
  scene.loop.turn(Duration::zero());
  CHECK_FALSE(result);
  scene.stream.resume_reading();
  scene.loop.turn(Duration::zero());
  CHECK(result);
}

TEST_CASE("scripted stream: nothing can be written after finish()") {
  Scene scene;
  scene.stream.finish();
  CHECK(scene.stream.finished());
  CHECK(scene.stream.write(bytes_of("x")).status == IoStatus::failed);
}
