#include "sallyport/http2/session.h"

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <map>
#include <vector>

#include "sallyport/net/scripted_stream.h"
#include "sallyport/net/turning.h"

using namespace sallyport;
using namespace sallyport::http2;
using net::IoStatus;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

const Fields connect_fields = {{":method", "CONNECT"}, {":protocol", "websocket"},
                               {":scheme", "https"},   {":authority", "a.test"},
                               {":path", "/"},         {"sec-websocket-version", "13"}};

// The client's side, by nghttp2, in memory.
class Client {
 public:
  struct Heard {
    std::string status;
    std::string data;
    bool ended = false;
    std::optional<std::uint32_t> reset;
  };

  Client() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
          if (text_of(Bytes(name, name_size)) == ":status")
            of(self).heard[frame->hd.stream_id].status = text_of(Bytes(value, value_size));
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* self) {
          of(self).heard[id].data += text_of(Bytes(data, size));
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          if (frame->hd.type == NGHTTP2_GOAWAY) of(self).goaway = frame->goaway.error_code;
          if (frame->hd.type == NGHTTP2_RST_STREAM)
            of(self).heard[frame->hd.stream_id].reset = frame->rst_stream.error_code;
          if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            of(self).heard[frame->hd.stream_id].ended = true;
          return 0;
        });
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    nghttp2_option_set_no_http_messaging(options, 1);  // so that it says what it is told to
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_session_client_new2(&session, callbacks, this, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, 0, nullptr, 0);
  }
  ~Client() { nghttp2_session_del(session); }

  // Bodies are what `sends` holds; the stream stays open until `ends` says otherwise.
  std::int32_t open(const Fields& fields) {
    std::vector<nghttp2_nv> block;
    for (const auto& [name, value] : fields) {
      block.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    nghttp2_data_provider body{};
    body.read_callback = [](nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t size,
                            std::uint32_t* flags, nghttp2_data_source*, void* self) -> ssize_t {
      std::string& text = of(self).sends[id];
      if (text.empty() && of(self).ends[id]) *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (text.empty() && !of(self).ends[id]) return NGHTTP2_ERR_DEFERRED;
      const std::size_t count = std::min(size, text.size());
      std::copy_n(text.begin(), count, into);
      text.erase(0, count);
      return static_cast<ssize_t>(count);
    };
    return nghttp2_submit_request(session, nullptr, block.data(), block.size(), &body, nullptr);
  }
  void send(std::int32_t id, std::string_view text) {
    sends[id] += text;
    nghttp2_session_resume_data(session, id);
  }
  void end(std::int32_t id) {
    ends[id] = true;
    nghttp2_session_resume_data(session, id);
  }
  std::string take_output() {
    std::string out;
    const std::uint8_t* data = nullptr;
    for (ssize_t size = 0; (size = nghttp2_session_mem_send(session, &data)) > 0;)
      out += text_of(Bytes(data, static_cast<std::size_t>(size)));
    return out;
  }
  void take_input(const std::string& text) {
    CHECK(nghttp2_session_mem_recv(session, bytes(text), text.size()) == static_cast<ssize_t>(text.size()));
  }

  nghttp2_session* session = nullptr;
  std::map<std::int32_t, Heard> heard;
  std::map<std::int32_t, std::string> sends;
  std::map<std::int32_t, bool> ends;
  std::optional<std::uint32_t> goaway;

 private:
  static Client& of(void* self) { return *static_cast<Client*>(self); }
  static std::uint8_t* bytes(const std::string& text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  }
};

struct Scene : Owner {
  explicit Scene(Limits limits = {}) : session(loop, wire, buffer, limits, *this) {
    loop.spawn(net::testing::keep(session.run(), over));
  }
  ~Scene() override { loop.cancel_tasks(); }

  void on_request(std::unique_ptr<Stream> stream) override {
    if (keeps) streams.push_back(std::move(stream));
  }
  Result<void> on_reset() override {
    if (++resets > most_resets) return Error{Reason::limit_http2_resets, ""};
    return {};
  }
  Result<void> on_empty_frame() override {
    if (++empty_frames > most_empty_frames) return Error{Reason::limit_http2_frames, ""};
    return {};
  }
  Result<void> on_last_gone() override {
    if (++last_gone > most_last_gone) return Error{Reason::limit_pending, ""};
    return {};
  }

  // Until neither has anything to say.
  void exchange() {
    for (int quiet = 0; quiet < 2;) {
      const std::string there = client.take_output();
      wire.yield(there);
      loop.turn(Duration::zero());
      const std::string back = wire.take_written();
      said += back;
      client.take_input(back);
      quiet = there.empty() && back.empty() ? quiet + 1 : 0;
    }
  }
  void raw(std::string_view bytes) {
    exchange();
    wire.yield(bytes);
    exchange();
  }
  Stream& accepted(std::int32_t& id) {
    id = client.open(connect_fields);
    exchange();
    REQUIRE(!streams.empty());
    Stream& stream = *streams.back();
    stream.attach(wake, 1, 2);
    stream.respond(200, {});
    exchange();
    return stream;
  }
  std::string read(Stream& stream) {
    std::string all;
    std::array<Byte, 1000> some;
    for (;;) {
      const net::IoResult result = stream.read(some);
      if (result.status != IoStatus::ok) return all;
      all += text_of(Bytes(some).first(result.bytes));
    }
  }
  std::optional<Reason> reason() const { return over ? std::optional(over->reason) : std::nullopt; }

  FakeClock clock;
  net::Loop loop{clock};
  net::Wake wake{loop};
  std::vector<Byte> buffer = std::vector<Byte>(65536);
  net::ScriptedStream wire;
  std::vector<std::unique_ptr<Stream>> streams;
  bool keeps = true;
  int resets = 0, empty_frames = 0, last_gone = 0, most_resets = 1000, most_empty_frames = 1000, most_last_gone = 1000;
  std::optional<Error> over;
  std::string said;
  Session session;
  Client client;
};

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
  std::string out{static_cast<char>(payload.size() >> 16), static_cast<char>(payload.size() >> 8),
                  static_cast<char>(payload.size()), static_cast<char>(type), static_cast<char>(flags)};
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(stream >> shift));
  return out.append(payload);
}

}  // namespace

TEST_CASE("http2: a stream carries bytes both ways, and each side ends its own") {
  Scene scene;
  std::int32_t id = 0;
  Stream& stream = scene.accepted(id);
  CHECK(scene.client.heard[id].status == "200");
  scene.client.send(id, "hello");
  scene.exchange();
  CHECK(scene.read(stream) == "hello");
  CHECK(stream.write(bytes_of(std::string_view("world"))).bytes == 5);
  scene.exchange();
  CHECK(scene.client.heard[id].data == "world");
  scene.client.end(id);
  scene.exchange();
  std::array<Byte, 1> none;
  CHECK(stream.read(none).status == IoStatus::end);
  stream.finish();
  scene.exchange();
  CHECK(scene.client.heard[id].ended);
  CHECK(stream.write(bytes_of(std::string_view("x"))).status == IoStatus::failed);
  scene.streams.clear();
  scene.exchange();
  CHECK(!scene.client.heard[id].reset);
}

TEST_CASE("http2: the fields of a request arrive as they were sent") {
  Scene scene;
  scene.client.open(connect_fields);
  scene.exchange();
  REQUIRE(scene.streams.size() == 1);
  const auto fields = scene.streams[0]->take_fields();
  REQUIRE(fields.ok());
  REQUIRE(fields->size() == connect_fields.size());
  for (std::size_t i = 0; i < fields->size(); ++i) {
    CHECK((*fields)[i].name == connect_fields[i].first);
    CHECK((*fields)[i].value == connect_fields[i].second);
  }
}

TEST_CASE("http2: what is not read is not asked for, and holds up no other stream") {
  Scene scene;
  std::int32_t stalled = 0, lively = 0;
  Stream& first = scene.accepted(stalled);
  Stream& second = scene.accepted(lively);
  scene.client.send(stalled, std::string(200'000, 's'));
  scene.exchange();
  CHECK(scene.client.sends[stalled].size() == 200'000 - 65535);
  for (int i = 0; i < 5; ++i) {
    scene.client.send(lively, std::string(30'000, 'l'));
    scene.exchange();
    CHECK(scene.read(second).size() == 30'000);
  }
  std::string all = scene.read(first);
  for (int i = 0; i < 5; ++i) {
    scene.exchange();
    all += scene.read(first);
  }
  CHECK(all == std::string(200'000, 's'));
}

TEST_CASE("http2: a write takes what the client has room for") {
  Scene scene;
  std::int32_t id = 0;
  Stream& stream = scene.accepted(id);
  const std::string big(100'000, 'x');
  CHECK(stream.write(bytes_of(big)).bytes == 65535);
  CHECK(stream.write(bytes_of(big)).status == IoStatus::would_block);
  scene.exchange();
  CHECK(scene.client.heard[id].data.size() == 65535);
  std::uint32_t raised = 0;
  const auto look = [](net::Wake& wake, std::uint32_t& bits) -> net::Task<void> { bits |= co_await wake.next(); };
  scene.loop.spawn(look(scene.wake, raised));
  nghttp2_session_consume(scene.client.session, id, 65535);
  scene.exchange();
  CHECK((raised & 2) != 0);
  CHECK(stream.write(bytes_of(big)).bytes == 65535);
}

TEST_CASE("http2: a socket that takes nothing holds back the writers, not the memory") {
  Scene scene;
  std::int32_t id = 0;
  Stream& stream = scene.accepted(id);
  nghttp2_session_set_local_window_size(scene.client.session, 0, 0, 1 << 24);
  nghttp2_session_set_local_window_size(scene.client.session, 0, id, 1 << 24);
  scene.exchange();
  scene.wire.limit_room(1000);
  const std::string big(1'000'000, 'x');
  const net::IoResult result = stream.write(bytes_of(big));
  CHECK(result.bytes > 0);
  CHECK(result.bytes < 100'000);
  CHECK(stream.write(bytes_of(big)).status == IoStatus::would_block);
  // Nor is it asked more while it does not take the answers.
  scene.wire.yield(frame(NGHTTP2_PING, 0, 0, "12345678"));
  scene.loop.turn(Duration::zero());
  CHECK(!scene.wire.exhausted());
  scene.wire.make_room(10'000'000);
  scene.exchange();
  CHECK(scene.wire.exhausted());
  CHECK(stream.write(bytes_of(big)).status == IoStatus::ok);
}

TEST_CASE("http2: a stream that is given up fails, and interrupts who works for it") {
  Scene scene;
  scene.client.open(connect_fields);
  scene.exchange();
  net::Waiter waiter(scene.loop);
  scene.streams[0]->watch(&waiter);
  nghttp2_submit_rst_stream(scene.client.session, 0, 1, NGHTTP2_CANCEL);
  scene.exchange();
  REQUIRE(waiter.interruption());
  CHECK(waiter.interruption()->reason == Reason::peer_gone);
  std::array<Byte, 1> none;
  CHECK(scene.streams[0]->read(none).status == IoStatus::failed);
  CHECK(scene.resets == 1);
  CHECK(!scene.over);
}

TEST_CASE("http2: a stream that has ended here may be given up for nothing") {
  Scene scene;
  std::int32_t id = 0;
  scene.accepted(id).finish();
  nghttp2_submit_rst_stream(scene.client.session, 0, id, NGHTTP2_CANCEL);
  scene.exchange();
  scene.accepted(id).finish();
  scene.streams.clear();
  scene.exchange();
  nghttp2_submit_rst_stream(scene.client.session, 0, id, NGHTTP2_CANCEL);
  scene.exchange();
  CHECK(scene.resets == 0);
}

TEST_CASE("http2: a stream given up before it was handed over is not handed over") {
  Scene scene;
  scene.exchange();
  const std::int32_t id = scene.client.open(connect_fields);
  std::string both = scene.client.take_output();
  both += frame(NGHTTP2_RST_STREAM, 0, static_cast<std::uint32_t>(id), std::string_view("\0\0\0\x08", 4));
  scene.wire.yield(both);
  scene.exchange();
  CHECK(scene.streams.empty());
  CHECK(scene.resets == 1);
}

TEST_CASE("http2: a dropped stream tells its client how far it came") {
  Scene scene;
  scene.keeps = false;
  const std::int32_t refused = scene.client.open(connect_fields);
  scene.exchange();
  CHECK(scene.client.heard[refused].reset == NGHTTP2_REFUSED_STREAM);
  scene.keeps = true;
  std::int32_t cut = 0;
  scene.accepted(cut);
  scene.streams.clear();
  scene.exchange();
  CHECK(scene.client.heard[cut].reset == NGHTTP2_CANCEL);
  std::int32_t done = 0;
  scene.accepted(done).finish();
  scene.streams.clear();
  scene.exchange();
  CHECK(scene.client.heard[done].ended);
  CHECK(!scene.client.heard[done].reset);
  scene.clock.advance(std::chrono::seconds(3));
  scene.exchange();
  CHECK(scene.client.heard[done].reset == NGHTTP2_NO_ERROR);
  CHECK(!scene.over);
}

TEST_CASE("http2: data before the answer ends the stream") {
  Scene scene;
  const std::int32_t id = scene.client.open(connect_fields);
  scene.client.send(id, "early");
  scene.exchange();
  CHECK(scene.streams.empty());
  CHECK(scene.client.heard[id].reset == NGHTTP2_PROTOCOL_ERROR);
  CHECK(scene.resets >= 1);
}

TEST_CASE("http2: the body of a request that is no tunnel is kept until it is answered, as far as the limit goes") {
  Limits limits;
  limits.body = 10;
  Scene scene(limits);
  Fields fields = {{":method", "POST"}, {":scheme", "https"}, {":authority", "a.test"}, {":path", "/"}};
  const std::int32_t id = scene.client.open(fields);
  scene.client.send(id, "hello");
  scene.exchange();
  REQUIRE(scene.streams.size() == 1);
  Stream& stream = *scene.streams[0];
  std::array<Byte, 1> none;

  SUBCASE("whole") {
    CHECK(scene.read(stream) == "hello");
    CHECK(stream.read(none).status == IoStatus::would_block);
    scene.client.send(id, "world");
    scene.client.end(id);
    scene.exchange();
    CHECK(scene.read(stream) == "world");
    CHECK(stream.read(none).status == IoStatus::end);
    CHECK_FALSE(stream.body_too_big());
  }
  SUBCASE("beyond the limit nothing of it is kept, and more costs no room") {
    scene.client.send(id, "world!");
    scene.exchange();
    CHECK(stream.body_too_big());
    CHECK(stream.read(none).status == IoStatus::would_block);
    for (int i = 0; i < 20; ++i) {
      scene.client.send(id, std::string(16'384, 'x'));
      scene.exchange();
    }
    CHECK(scene.client.sends[id].empty());
    CHECK(stream.read(none).status == IoStatus::would_block);
  }
  SUBCASE("once it is answered it is dropped") {
    stream.respond(200, {});
    scene.client.send(id, "world");
    scene.exchange();
    CHECK(scene.read(stream) == "hello");
  }
  stream.respond(200, {});
  stream.finish();
  scene.exchange();
  CHECK(scene.client.heard[id].status == "200");
  CHECK(scene.client.heard[id].ended);
  CHECK(scene.resets == 0);
}

TEST_CASE("http2: a header list beyond the limit is not kept") {
  Scene scene;
  Fields fields = connect_fields;
  fields.emplace_back("x-big", std::string(17'000, 'a'));
  scene.client.open(fields);
  fields.pop_back();
  for (int i = 0; i < 101; ++i) fields.emplace_back("x-" + std::to_string(i), "a");
  scene.client.open(fields);
  scene.exchange();
  REQUIRE(scene.streams.size() == 2);
  for (const auto& stream : scene.streams) {
    const auto kept = stream->take_fields();
    REQUIRE(!kept.ok());
    CHECK(kept.error().reason == Reason::http_headers_too_large);
  }
}

TEST_CASE("http2: resets, empty frames and CONTINUATIONs end the connection when the owner or nghttp2 says so") {
  const auto end_of = [](auto&& attack) {
    Scene scene;
    scene.most_resets = 3;
    scene.most_empty_frames = 10;
    scene.exchange();
    attack(scene);
    scene.exchange();
    // As bytes: a client that gets answers to SETTINGS that were not its own reads no further.
    CHECK(scene.said.find(std::string("\0\0\0\x0blimit.http2_", 16)) != std::string::npos);
    scene.wire.end();
    scene.exchange();
    return scene.reason();
  };
  CHECK(end_of([](Scene& scene) {
          for (int i = 0; i < 4; ++i) {
            const std::int32_t id = scene.client.open(connect_fields);
            scene.exchange();
            nghttp2_submit_rst_stream(scene.client.session, 0, id, NGHTTP2_CANCEL);
            scene.exchange();
          }
        }) == Reason::limit_http2_resets);
  for (const std::string& one : {frame(NGHTTP2_PING, 0, 0, "12345678"), frame(NGHTTP2_SETTINGS, 0, 0, ""),
                                 frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string_view("\0\0\0\1", 4)),
                                 frame(NGHTTP2_PRIORITY, 0, 1, std::string_view("\0\0\0\0\1", 5))}) {
    CAPTURE(static_cast<int>(one[3]));
    CHECK(end_of([&](Scene& scene) {
            for (int i = 0; i < 11; ++i) scene.wire.yield(one);
          }) == Reason::limit_http2_frames);
  }
  CHECK(end_of([](Scene& scene) {
          scene.wire.yield(frame(NGHTTP2_HEADERS, 0, 1, ""));
          for (int i = 0; i < 20; ++i) scene.wire.yield(frame(NGHTTP2_CONTINUATION, 0, 1, ""));
        }) == Reason::limit_http2_frames);
}

TEST_CASE("http2: window updates that the data explains are free") {
  Scene scene;
  scene.most_empty_frames = 5;
  std::int32_t id = 0;
  Stream& stream = scene.accepted(id);
  for (int i = 0; i < 50; ++i) {
    CHECK(stream.write(bytes_of(std::string(40'000, 'x'))).bytes == 40'000);
    scene.exchange();
    nghttp2_session_consume(scene.client.session, id, 40'000);
    scene.exchange();
  }
  CHECK(!scene.over);
}

TEST_CASE("http2: bytes that are none of it end the connection") {
  Scene scene;
  scene.exchange();
  scene.raw(frame(NGHTTP2_DATA, 0, 5, "x"));  // of a stream that never was
  CHECK(scene.client.goaway == NGHTTP2_PROTOCOL_ERROR);
  if (!scene.over) scene.wire.end();
  scene.exchange();
  CHECK(scene.reason() == Reason::http2_malformed);
}

TEST_CASE("http2: a head on a stream that its client has ended ends the connection") {
  Scene scene;
  std::int32_t id = 0;
  Stream& stream = scene.accepted(id);
  const auto number = static_cast<std::uint32_t>(id);
  const std::string again = frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, number, "\x82");
  SUBCASE("by a reset") {
    scene.raw(frame(NGHTTP2_RST_STREAM, 0, number, std::string("\0\0\0\x08", 4)));
    CHECK(!scene.client.goaway);
    scene.raw(again);
    CHECK(scene.client.goaway == NGHTTP2_PROTOCOL_ERROR);
    scene.wire.end();
    scene.exchange();
    CHECK(scene.reason() == Reason::http2_malformed);
  }
  SUBCASE("when both had") {
    scene.client.end(id);
    scene.exchange();
    stream.finish();
    scene.exchange();
    CHECK(!scene.client.goaway);
    scene.raw(again);
    CHECK(scene.client.goaway == NGHTTP2_PROTOCOL_ERROR);
  }
  SUBCASE("but not what was under way when it was given up here") {
    scene.streams.clear();
    scene.exchange();
    scene.raw(again + frame(NGHTTP2_DATA, 0, number, "behind"));
    CHECK(!scene.client.goaway);
    CHECK(!scene.over);
  }
  SUBCASE("and not a priority, unless it is for no stream") {
    scene.raw(frame(NGHTTP2_PRIORITY, 0, number, std::string(5, '\0')));
    CHECK(!scene.client.goaway);
    scene.raw(frame(NGHTTP2_PRIORITY, 0, 0, std::string(5, '\0')));
    CHECK(scene.client.goaway == NGHTTP2_PROTOCOL_ERROR);
  }
}

TEST_CASE("http2: no stream that keeps the connection for too long") {
  Scene scene({.idle = std::chrono::seconds(5)});
  std::int32_t id = 0;
  Stream& stream = scene.accepted(id);
  SUBCASE("one that does") {
    stream.keep();
    scene.clock.advance(std::chrono::seconds(60));
    scene.exchange();
    CHECK(!scene.client.goaway);
    CHECK(scene.last_gone == 0);
    scene.streams.clear();
    scene.exchange();
    CHECK(scene.last_gone == 1);
    CHECK(!scene.client.goaway);
    scene.clock.advance(std::chrono::seconds(6));
  }
  SUBCASE("one that does not, and goes in time") {
    scene.clock.advance(std::chrono::seconds(4));
    scene.exchange();
    scene.streams.clear();
    scene.exchange();
    scene.clock.advance(std::chrono::seconds(2));
  }
  SUBCASE("one that does not, and stays") {
    scene.clock.advance(std::chrono::seconds(6));
    scene.exchange();
    CHECK(scene.client.goaway == NGHTTP2_NO_ERROR);
    CHECK(!scene.reason());
    scene.clock.advance(std::chrono::seconds(6));
  }
  SUBCASE("one that does so after its time, and then goes") {
    scene.clock.advance(std::chrono::seconds(6));
    scene.exchange();
    stream.keep();
    scene.clock.advance(std::chrono::seconds(60));
    scene.exchange();
    CHECK(!scene.reason());
    scene.streams.clear();
  }
  scene.exchange();
  CHECK(scene.client.goaway == NGHTTP2_NO_ERROR);
  if (!scene.over) scene.wire.end();
  scene.exchange();
  CHECK(scene.reason() == Reason::http2_idle);
}

TEST_CASE("http2: a connection that may not stay without a stream goes with its last") {
  Scene scene;
  scene.most_last_gone = 0;
  std::int32_t id = 0;
  scene.accepted(id).keep();
  scene.exchange();
  scene.streams.clear();
  scene.exchange();
  CHECK(scene.client.goaway);
  if (!scene.over) scene.wire.end();
  scene.exchange();
  CHECK(scene.reason() == Reason::limit_pending);
}

TEST_CASE("http2: what nghttp2 says of a field is not told, because it quotes it") {
  Scene scene;
  const std::string secret = "Bearer very-secret ";  // the space at its end is not allowed
  scene.client.open(
      {{":method", "GET"}, {":scheme", "https"}, {":authority", "a.test"}, {":path", "/"}, {"authorization", secret}});
  scene.exchange();
  scene.raw(frame(NGHTTP2_DATA, 0, 0, "x"));
  if (!scene.over) scene.wire.end();
  scene.exchange();
  REQUIRE(scene.reason() == Reason::http2_malformed);
  CHECK(scene.over->detail.find("very-secret") == std::string::npos);
  CHECK(!scene.over->detail.empty());
}

TEST_CASE("http2: a head that is never completed keeps no connection alive") {
  Scene scene({.idle = std::chrono::seconds(5)});
  scene.exchange();
  scene.raw(frame(NGHTTP2_HEADERS, 0, 1, "\x82"));
  scene.clock.advance(std::chrono::seconds(6));
  scene.exchange();
  CHECK(scene.client.goaway == NGHTTP2_NO_ERROR);
  if (!scene.over) scene.wire.end();
  scene.exchange();
  CHECK(scene.reason() == Reason::http2_idle);
}

TEST_CASE("http2: a drain takes no new streams and waits for those there are") {
  Scene scene;
  std::int32_t id = 0;
  Stream& stream = scene.accepted(id);
  scene.session.drain();
  scene.exchange();
  CHECK(scene.client.goaway == NGHTTP2_NO_ERROR);
  CHECK(stream.write(bytes_of(std::string_view("still here"))).status == IoStatus::ok);
  CHECK(!scene.over);
  scene.streams.clear();
  scene.exchange();
  if (!scene.over) scene.wire.end();
  scene.exchange();
  CHECK(scene.reason() == Reason::server_draining);
}

TEST_CASE("http2: whoever holds a stream of a connection that is gone finds it failed") {
  for (const bool orderly : {true, false}) {
    auto scene = std::make_unique<Scene>();
    std::int32_t id = 0;
    Stream& stream = scene->accepted(id);
    if (orderly) {
      scene->wire.end();
    } else {
      scene->wire.fail();
    }
    scene->exchange();
    CHECK(scene->reason() == Reason::peer_gone);
    std::array<Byte, 1> none;
    CHECK(stream.read(none).status == IoStatus::failed);
    CHECK(stream.write(bytes_of(std::string_view("x"))).status == IoStatus::failed);
    stream.finish();
  }
}
