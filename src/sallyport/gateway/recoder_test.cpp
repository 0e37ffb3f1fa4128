#include "sallyport/gateway/recoder.h"

#include <doctest/doctest.h>

#include <random>

#include "sallyport/gateway/testing.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using namespace gateway::testing;
using http::DeflateParameters;
using ws::Opcode;
using ws::Role;
using Context = ws::DeflateTerms::Context;
using Channel = Relay::ControlChannel;

constexpr DeflateParameters alone{.server_no_context_takeover = true, .client_no_context_takeover = true};
constexpr DeflateParameters kept{};

std::string deflated(std::string_view message, ws::Deflater& deflater, ws::DeflateTerms terms) {
  if (message.empty()) return std::string(1, '\0');
  std::vector<Byte> out;
  return std::string(text_of(deflater.deflate(bytes_of(message), terms, out)));
}
std::string deflated(std::string_view message) {
  ws::Deflater deflater;
  return deflated(message, deflater, {});
}
std::string inflated(std::string_view payload, ws::Inflater& inflater, ws::DeflateTerms terms) {
  std::vector<Byte> out;
  const auto read = inflater.inflate(bytes_of(payload), terms, {.size = 1 << 20, .ratio = 2000}, out);
  return read.ok() ? std::string(text_of(read->payload)) : "damaged";
}
std::string inflated(std::string_view payload) {
  ws::Inflater inflater;
  return inflated(payload, inflater, {});
}

// A frame whose payload is compressed already, as a peer of role `from` sends it.
std::string packed(Role from, Opcode opcode, std::string_view payload, bool fin = true) {
  std::string out;
  const ws::Mask mask{0x37, 0xfa, 0x21, 0x3d};
  ws::append_compressed(out, opcode, bytes_of(payload), from == Role::client ? std::optional(mask) : std::nullopt);
  if (!fin) out[0] = static_cast<char>(out[0] & 0x7f);
  return out;
}
std::string packed_text(Role from, std::string_view text) { return packed(from, Opcode::text, deflated(text)); }

std::string words(std::size_t size) {
  std::mt19937 random(3);
  std::string out;
  while (out.size() < size) out += std::to_string(random() % 100) + " apples, ";
  out.resize(size);
  return out;
}

struct Scene : RelayScene {
  Scene(std::optional<DeflateParameters> client_agreed, std::optional<DeflateParameters> backend_agreed,
        RouteSettings settings = route_settings(), Channel channel = Channel::off)
      : RelayScene(std::move(settings), channel) {
    compression = {client_agreed, backend_agreed, Compression::Handling::inflate};
    start();
  }
  // The only frame that the backend got.
  Written at_backend() { return only(to_backend()); }
  Written at_client() { return only(to_client()); }

 private:
  static Written only(const std::vector<Written>& frames) {
    REQUIRE(frames.size() == 1);
    return frames[0];
  }
};

void check_closed(Scene& scene, Reason reason) {
  const auto at_backend = scene.to_backend();
  REQUIRE(at_backend.size() == 1);  // and nothing of the message
  CHECK(at_backend[0].opcode == Opcode::close);
  scene.from_backend(backend_close(1000));
  CHECK(scene.at_client().code() == row(reason).close_code);
  if (reason == Reason::frame_malformed) scene.client.end();  // nothing it says can be read any more
  scene.from_client(client_close(row(reason).close_code));
  REQUIRE(scene.ending.has_value());
  CHECK(row(scene.ending->reason).name == row(reason).name);
}

}  // namespace

TEST_SUITE("recoder") {
  TEST_CASE("what both sides can read goes on as it came") {
    Scene scene(alone, alone);
    const std::string text = words(3000);
    const std::string sent = packed_text(Role::client, text) + packed_text(Role::client, "") +
                             client_text("not compressed") +
                             packed(Role::client, Opcode::binary, deflated(std::string("\xff\0", 2)));
    scene.from_client(sent);
    CHECK(scene.backend.take_written() == sent);
    const std::string answer = packed_text(Role::server, text) + backend_text(words(2000));
    scene.from_backend(answer);
    CHECK(scene.client.take_written() == answer);
    CHECK(scene.relay->from_client().messages == 4);
    CHECK(scene.relay->from_client().bytes == 3000 + 14 + 2);
    CHECK(scene.metrics.from_backend.bytes.value() == 5000);
  }

  TEST_CASE("to a backend without compression goes what a message says") {
    Scene scene(alone, std::nullopt);
    const std::string text = words(3000);
    scene.from_client(packed_text(Role::client, text) + packed_text(Role::client, "") + client_text("plain") +
                      packed(Role::client, Opcode::binary, deflated("b")));
    const auto frames = scene.to_backend();
    CHECK(frames == std::vector<Written>{
                        {Opcode::text, text}, {Opcode::text, ""}, {Opcode::text, "plain"}, {Opcode::binary, "b"}});
    // What is long enough to gain by it is compressed for the client.
    scene.from_backend(backend_text(text) + backend_text(words(1023)));
    const auto at_client = scene.to_client();
    REQUIRE(at_client.size() == 2);
    CHECK(at_client[0].compressed);
    CHECK(at_client[0].payload.size() < text.size());
    CHECK(inflated(at_client[0].payload) == text);
    CHECK(at_client[1] == Written{Opcode::text, words(1023)});
  }

  TEST_CASE("for a backend with compression a message of a client without is compressed, under a fresh mask") {
    Scene scene(std::nullopt, alone);
    const std::string text = words(3000);
    std::string masks;
    for (int i = 0; i < 2; ++i) {
      scene.from_client(client_text(text));
      const std::string bytes = scene.backend.take_written();
      const auto frames = frames_in(bytes, Role::client);
      REQUIRE(frames.size() == 1);
      CHECK(frames[0].compressed);
      CHECK(inflated(frames[0].payload) == text);
      CHECK(bytes.find("\x37\xfa\x21\x3d") == std::string::npos);
      masks += bytes.substr(4, 4);
    }
    CHECK(masks.substr(0, 4) != masks.substr(4));
    // Nothing is gained by compressing noise, so it goes on as it came.
    std::mt19937 random(1);
    std::string noise(5000, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    const std::string sent = frame(Role::client, Opcode::binary, noise);
    scene.from_client(sent);
    CHECK(scene.backend.take_written() == sent);
    // The client has agreed to nothing.
    scene.from_backend(packed_text(Role::server, text));
    CHECK(scene.at_client() == Written{Opcode::text, text});
    scene.from_client(packed_text(Role::client, "x"));
    check_closed(scene, Reason::frame_malformed);
  }

  TEST_CASE("contexts of connections, on both sides and both ways") {
    Scene scene(kept, kept);
    ws::Deflater client_out;
    ws::Deflater backend_out;
    ws::Inflater at_backend;
    ws::Inflater at_client;
    const ws::DeflateTerms terms{.context = Context::connection};
    for (int i = 0; i < 5; ++i) {
      const std::string text = words(500) + std::to_string(i);
      scene.from_client(packed(Role::client, Opcode::text, deflated(text, client_out, terms)));
      const Written to_backend = scene.at_backend();
      CHECK(to_backend.compressed);
      CHECK((to_backend.payload.size() < 50) == (i > 0));
      CHECK(inflated(to_backend.payload, at_backend, terms) == text);
      scene.from_backend(packed(Role::server, Opcode::text, deflated(text, backend_out, terms)));
      CHECK(inflated(scene.at_client().payload, at_client, terms) == text);
      // What is not compressed passes the contexts by.
      scene.from_client(client_text("between"));
      CHECK(scene.at_backend() == Written{Opcode::text, "between"});
    }
  }

  TEST_CASE("a context kept on one side only") {
    const ws::DeflateTerms lasting{.context = Context::connection};
    const std::string text = words(2000);
    for (const bool client_keeps : {true, false}) {
      CAPTURE(client_keeps);
      Scene scene(client_keeps ? kept : alone, client_keeps ? alone : kept);
      ws::Deflater client_out;
      ws::Inflater at_backend;
      for (int i = 0; i < 3; ++i) {
        scene.from_client(packed(Role::client, Opcode::text,
                                 deflated(text, client_out, client_keeps ? lasting : ws::DeflateTerms{})));
        const Written got = scene.at_backend();
        CHECK(got.compressed);
        CHECK(inflated(got.payload) == text);  // in no need of what came before
        CHECK(inflated(got.payload, at_backend, lasting) == text);
      }
    }
  }

  TEST_CASE("a receiver with a smaller window gets nothing that points beyond it") {
    DeflateParameters narrow = alone;
    narrow.client_max_window_bits = 9;
    Scene scene(alone, narrow);
    const std::string text = words(1000);
    scene.from_client(packed_text(Role::client, text + text));
    const Written got = scene.at_backend();
    CHECK(got.compressed);
    CHECK(got.payload.size() > deflated(text + text).size() + 100);
    CHECK(inflated(got.payload) == text + text);
    // None of zlib's windows is as small as 8 bits.
    narrow.client_max_window_bits = 8;
    Scene plain(alone, narrow);
    plain.from_client(packed_text(Role::client, text));
    CHECK(plain.at_backend() == Written{Opcode::text, text});
  }

  TEST_CASE(
      "a message with a final block never goes on as it came: what follows it would be read by some and not by "
      "others") {
    Scene scene(alone, alone);
    const std::string hidden("\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x06\x00\xf9\xff there\x00", 19);
    scene.from_client(packed(Role::client, Opcode::text, hidden));
    const Written got = scene.at_backend();
    CHECK(got.payload == "Hello there");
    CHECK(!got.compressed);
  }

  TEST_CASE("fragments and control frames between them") {
    for (const auto& backend : {std::optional(alone), std::optional<DeflateParameters>()}) {
      const std::string text = words(900);
      const std::string payload = deflated(text);
      const std::string first = packed(Role::client, Opcode::text, payload.substr(0, 100), false);
      const std::string ping = frame(Role::client, Opcode::ping, "p");
      const std::string last = frame(Role::client, Opcode::continuation, payload.substr(100));
      const std::string stream = first + ping + last + client_text("end");
      for (const std::size_t step : {std::size_t{1}, std::size_t{7}, stream.size()}) {
        Scene scene(alone, backend);
        for (std::size_t at = 0; at < stream.size(); at += step) scene.from_client(stream.substr(at, step));
        if (backend) {
          CHECK(scene.backend.take_written() == ping + first + last + client_text("end"));
        } else {
          CHECK(scene.to_backend() ==
                std::vector<Written>{{Opcode::ping, "p"}, {Opcode::text, text}, {Opcode::text, "end"}});
        }
      }
    }
  }

  TEST_CASE("what ends a connection, and nothing of the message goes on") {
    const std::string bomb = deflated(std::string(60'000, 'a'));
    const struct {
      const char* what;
      std::string frame;
      Reason reason;
    } cases[] = {
        {"not deflate", packed(Role::client, Opcode::text, "\x06"), Reason::message_not_deflate},
        {"cut", packed(Role::client, Opcode::text, deflated(words(500)).substr(0, 50)), Reason::message_not_deflate},
        {"nothing at all", packed(Role::client, Opcode::text, ""), Reason::message_not_deflate},
        {"no UTF-8", packed_text(Role::client, "\xff"), Reason::message_not_utf8},
        {"half a character", packed_text(Role::client, "gr\xc3"), Reason::message_not_utf8},
        {"too far", packed(Role::client, Opcode::binary, bomb), Reason::message_bomb},
        {"too big", packed_text(Role::client, words(65'537)), Reason::message_too_big},
        {"a compressed ping", std::string("\xc9\x80\0\0\0\0", 6), Reason::frame_malformed},
        {"RSV1 on a continuation",
         packed(Role::client, Opcode::text, "\xf2", false) + std::string("\xc0\x80\0\0\0\0", 6),
         Reason::frame_malformed},
        {"another bit", std::string("\xa1\x80\0\0\0\0", 6), Reason::frame_malformed},
    };
    for (const auto& each : cases) {
      for (const bool backend_too : {false, true}) {
        CAPTURE(each.what);
        Scene scene(alone, backend_too ? std::optional(alone) : std::nullopt);
        scene.from_client(each.frame + client_text("after"));
        check_closed(scene, each.reason);
        CHECK(scene.relay->from_client().messages == 0);
      }
    }
    // A backend at fault is told why; the client only that its backend is broken.
    Scene scene(alone, alone);
    scene.from_backend(packed(Role::server, Opcode::text, "\x06"));
    CHECK(scene.at_backend().code() == 1007);
    CHECK(scene.at_client().code() == row(Reason::upstream_protocol).close_code);
  }

  TEST_CASE("limits are those of the direction, and of what a message inflates to") {
    RouteSettings settings = route_settings();
    settings.limits.message_size = {1000};
    settings.limits.backend_message_size = {2000};
    settings.compression.max_ratio = 1032;
    Scene scene(alone, std::nullopt, settings);
    scene.from_client(packed_text(Role::client, std::string(1000, 'a')));
    CHECK(scene.at_backend().payload.size() == 1000);
    scene.from_client(packed_text(Role::client, std::string(1001, 'a')));
    check_closed(scene, Reason::message_too_big);
    Scene backend(std::nullopt, alone, settings);
    backend.from_backend(packed_text(Role::server, std::string(2000, 'a')));
    CHECK(backend.at_client().payload.size() == 2000);
    backend.from_backend(packed_text(Role::server, std::string(2001, 'a')));
    CHECK(backend.at_backend().code() == 1009);
  }

  TEST_CASE("many small messages of one read, each inflating to the most: the receiver's pace is kept") {
    Scene scene(alone, std::nullopt);
    scene.backend.limit_room(100'000);
    std::string sent;
    for (int i = 0; i < 200; ++i) sent += packed(Role::client, Opcode::binary, deflated(std::string(8'000, 'a')));
    CHECK(sent.size() < 20'000);
    scene.from_client(sent);
    CHECK(scene.client.reading_paused());
    std::string got;
    for (int i = 0; i < 40; ++i) {
      got += scene.backend.take_written();
      scene.backend.make_room(50'000);
      scene.turn();
    }
    got += scene.backend.take_written();
    CHECK(frames_in(got, Role::client).size() == 200);
    CHECK(scene.scratch.frames.capacity() < 200'000);
  }

  TEST_CASE("the control channel is heard and guarded in compressed messages too") {
    for (const auto& side : {std::optional(alone), std::optional<DeflateParameters>()}) {
      Scene scene(alone, side, route_settings(), Channel::on);
      CHECK(scene.at_client().payload.find("ready") != std::string::npos);
      scene.from_client(packed_text(Role::client, R"({"$sallyport":{"op":"refresh","token":"good.alice.600"}})"));
      CHECK(scene.at_client().payload.find("refreshed") != std::string::npos);
      CHECK(scene.to_backend().empty());
    }
    Scene scene(alone, alone, route_settings(), Channel::on);
    (void)scene.to_client();
    scene.from_backend(packed_text(Role::server, R"({"$sallyport":{"op":"ready"}})") + backend_text("x"));
    CHECK(scene.at_client().payload == "x");
    CHECK(scene.metrics.control_spoofed.value() == 1);
  }

  TEST_CASE("what passes through is not looked at, but has to be whole frames") {
    RelayScene scene;
    scene.compression = {kept, kept, Compression::Handling::pass};
    scene.start();
    const std::string first = packed(Role::client, Opcode::text, "\x06\xff", false);
    const std::string last = frame(Role::client, Opcode::continuation, "no deflate");
    scene.from_client(first);
    CHECK(scene.backend.take_written().empty());
    scene.from_client(last + client_text("plain"));
    CHECK(scene.backend.take_written() == first + last + client_text("plain"));
    scene.from_backend(packed(Role::server, Opcode::text, "\x06"));
    CHECK(scene.client.take_written() == packed(Role::server, Opcode::text, "\x06"));
    scene.from_client(std::string("\xc9\x80\0\0\0\0", 6));
    const auto told = scene.to_backend();
    REQUIRE(told.size() == 1);
    CHECK(told[0].code() == 1002);
  }

  TEST_CASE("a connection without a context owns no memory of zlib's, one with it what its window says") {
    DeflateScratch shared;
    const RouteSettings route = route_settings();
    const auto measure = [&](const DeflateParameters& agreed) {
      const auto recoder = make_recoder(Role::client, {agreed, agreed}, route, shared);
      const std::string text = words(20'000);
      ws::Deflater deflater;
      const std::string payload = deflated(text, deflater, {});
      ws::Unit unit;
      unit.kind = ws::Unit::Kind::text;
      unit.first.compressed = true;
      const auto content = recoder->inflate(unit, bytes_of(payload));
      REQUIRE(content.ok());
      std::string out;
      if (!recoder->passes(unit)) recoder->rewrite(unit, *content, std::nullopt, out);
      return recoder->memory();
    };
    CHECK(measure(alone) == 0);
    CHECK(make_recoder(Role::client, {}, route, shared) == nullptr);
    for (std::uint8_t bits = 9; bits <= 15; ++bits) {
      DeflateParameters agreed = kept;
      agreed.client_max_window_bits = bits;
      const std::size_t bytes = measure(agreed);
      CHECK(bytes < 9 * (std::size_t{1} << bits) + 18 * 1024);
    }
  }
}

}  // namespace sallyport::gateway
