#include "sallyport/net/pipeline.h"

#include <doctest/doctest.h>

#include "sallyport/net/scripted_stream.h"
#include "sallyport/net/turning.h"

namespace sallyport::net {
namespace {

using namespace std::chrono_literals;

// Answers are lines; one that begins with a `!` is none.
Result<std::size_t> measure_line(std::string_view bytes) {
  if (bytes.starts_with('!')) return Error{Reason::upstream_protocol, "no line"};
  const auto end = bytes.find('\n');
  return end == std::string_view::npos ? 0 : end + 1;
}

// Hands on to a stream that the test keeps.
class Borrowed final : public Stream {
 public:
  explicit Borrowed(std::shared_ptr<ScriptedStream> stream) : stream_(std::move(stream)) {}
  IoResult read(MutableBytes into) override { return stream_->read(into); }
  IoResult write(Bytes from) override { return stream_->write(from); }
  void finish() override { stream_->finish(); }
  void attach(Wake& wake, std::uint32_t readable, std::uint32_t writable) override {
    stream_->attach(wake, readable, writable);
  }
  void pause_reading() override { stream_->pause_reading(); }
  void resume_reading() override { stream_->resume_reading(); }

 private:
  std::shared_ptr<ScriptedStream> stream_;
};

using Answers = Result<std::vector<std::string>>;

struct Scene {
  FakeClock clock;
  Loop loop{clock};
  std::vector<std::shared_ptr<ScriptedStream>> streams;  // those that can be opened, in order
  std::size_t opened = 0;
  Pipeline pipeline{loop, [this](Deadline) { return open(*this); }, measure_line};

  static Task<Result<std::unique_ptr<Stream>>> open(Scene& scene) {
    if (scene.opened >= scene.streams.size()) {
      ++scene.opened;
      co_return Error{Reason::upstream_unavailable, "nobody there"};
    }
    co_return std::unique_ptr<Stream>(std::make_unique<Borrowed>(scene.streams[scene.opened++]));
  }

  ScriptedStream& add_stream() { return *streams.emplace_back(std::make_shared<ScriptedStream>()); }
  void turn() {
    for (int i = 0; i < 10; ++i) loop.turn(0s);
  }
  Task<Answers> call(std::string requests, std::size_t answers, Duration within = 10s) {
    return pipeline.call(std::move(requests), answers, {loop.now() + within, Reason::auth_timeout});
  }
  // Begins a call; what comes of it stands in the result after some turns.
  std::shared_ptr<std::optional<Answers>> begin(std::string requests, std::size_t answers, Duration within = 10s) {
    auto result = std::make_shared<std::optional<Answers>>();
    loop.spawn(keep(call(std::move(requests), answers, within), result));
    turn();
    return result;
  }
  static Task<void> keep(Task<Answers> task, std::shared_ptr<std::optional<Answers>> result) {
    result->emplace(co_await task);
  }
};

std::string detail_of(const std::optional<Answers>& result) {
  REQUIRE(result.has_value());
  REQUIRE(!result->ok());
  CHECK(result->error().reason == Reason::store_unavailable);
  return result->error().detail;
}

TEST_CASE("pipeline: the nth answer belongs to the nth request, however the bytes come") {
  for (const std::size_t split : {std::size_t{1}, std::size_t{3}, ScriptedStream::unlimited}) {
    CAPTURE(split);
    Scene scene;
    ScriptedStream& stream = scene.add_stream();
    stream.split_reads(split).split_writes(split);
    const auto first = scene.begin("a b ", 2);
    const auto second = scene.begin("c ", 1);
    CHECK(stream.written() == "a b c ");
    CHECK(!first->has_value());
    stream.yield("1\n2\n3");
    for (int i = 0; i < 10; ++i) scene.turn();
    REQUIRE(first->has_value());
    CHECK((*first)->value() == std::vector<std::string>{"1\n", "2\n"});
    CHECK(!second->has_value());
    stream.yield("\n");
    scene.turn();
    REQUIRE(second->has_value());
    CHECK((*second)->value() == std::vector<std::string>{"3\n"});
    CHECK(scene.opened == 1);
  }
}

TEST_CASE("pipeline: nothing asked is nothing sent") {
  Scene scene;
  CHECK(testing::wait_for(scene.loop, scene.call("", 0)).value().empty());
  CHECK(scene.opened == 0);
}

TEST_CASE("pipeline: a connection that is lost fails all that is under way, and is opened again after a pause") {
  for (const bool fails : {true, false}) {
    Scene scene;
    ScriptedStream& lost = scene.add_stream();
    ScriptedStream& next = scene.add_stream();
    const auto first = scene.begin("a ", 1);
    const auto second = scene.begin("b ", 1);
    fails ? lost.fail() : lost.end();
    scene.turn();
    CHECK(detail_of(*first) == "the connection was lost");
    CHECK(detail_of(*second) == "the connection was lost");
    CHECK(detail_of(*scene.begin("c ", 1)) == "the connection was lost");
    CHECK(scene.opened == 1);
    scene.clock.advance(Pipeline::first_pause);
    const auto third = scene.begin("d ", 1);
    CHECK(next.written() == "d ");
    next.yield("4\n");
    scene.turn();
    CHECK((*third)->ok());
  }
}

TEST_CASE("pipeline: what cannot be opened is tried again after pauses that grow to a bound") {
  Scene scene;
  std::chrono::milliseconds pause = Pipeline::first_pause;
  for (std::size_t attempt = 1; attempt <= 10; ++attempt) {
    CHECK(detail_of(*scene.begin("a ", 1)) == "nobody there");
    CHECK(scene.opened == attempt);
    scene.clock.advance(pause - 1ms);
    scene.turn();
    CHECK(detail_of(*scene.begin("a ", 1)) == "nobody there");
    CHECK(scene.opened == attempt);
    scene.clock.advance(1ms);
    scene.turn();
    pause = std::min(pause * 2, Pipeline::longest_pause);
  }
}

TEST_CASE("pipeline: a connection that ends while nobody needs it is nobody's failure") {
  Scene scene;
  ScriptedStream& first = scene.add_stream();
  ScriptedStream& second = scene.add_stream();
  const auto before = scene.begin("a ", 1);
  first.yield("1\n");
  scene.turn();
  REQUIRE((*before)->ok());
  first.end();
  scene.turn();
  const auto after = scene.begin("b ", 1);
  second.yield("2\n");
  scene.turn();
  CHECK((*after)->ok());
}

TEST_CASE("pipeline: who does not answer in time loses the connection, so that nobody gets an answer of another's") {
  Scene scene;
  ScriptedStream& slow = scene.add_stream();
  ScriptedStream& next = scene.add_stream();
  const auto late = scene.begin("a ", 1, 1s);
  const auto behind = scene.begin("b ", 1, 10s);
  scene.clock.advance(1s);
  scene.turn();
  REQUIRE(late->has_value());
  REQUIRE(!(*late)->ok());
  CHECK(((*late)->error().reason == Reason::auth_timeout || (*late)->error().reason == Reason::store_unavailable));
  CHECK(detail_of(*behind) == "no answer in time");
  slow.yield("1\n");
  scene.clock.advance(1s);
  scene.turn();
  const auto after = scene.begin("c ", 1);
  next.yield("3\n");
  scene.turn();
  REQUIRE((*after)->ok());
  CHECK((*after)->value() == std::vector<std::string>{"3\n"});
}

TEST_CASE("pipeline: what is no answer, or nobody's, ends the connection") {
  for (const char* bytes : {"!", "1\n2\n"}) {
    Scene scene;
    ScriptedStream& stream = scene.add_stream();
    scene.add_stream();
    const auto result = scene.begin("a ", 1);
    stream.yield(bytes);
    scene.turn();
    REQUIRE(result->has_value());
    CHECK((*result)->ok() == (bytes[0] == '1'));
    scene.clock.advance(1s);
    const auto again = scene.begin("b ", 1);
    CHECK(scene.opened == 2);
  }
}

TEST_CASE("pipeline: a caller who has left is not written for") {
  Scene scene;
  ScriptedStream& stream = scene.add_stream();
  stream.limit_room(0);
  {
    const Task<Answers> dropped = scene.call("gone ", 1);
    dropped.await_suspend(std::noop_coroutine()).resume();
  }
  const auto stays = scene.begin("here ", 1);
  stream.make_room(100);
  scene.turn();
  CHECK(stream.written() == "here ");
  stream.yield("1\n");
  scene.turn();
  CHECK((*stays)->ok());
}

TEST_CASE("pipeline: it may go while it is asked") {
  Scene scene;
  scene.add_stream();
  const auto result = scene.begin("a ", 1);
  CHECK(!result->has_value());
  scene.loop.cancel_tasks();
}

}  // namespace
}  // namespace sallyport::net
