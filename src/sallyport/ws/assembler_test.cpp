#include "sallyport/ws/assembler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "sallyport/base/counting_new.h"
#include "sallyport/base/json.h"
#include "sallyport/ws/close.h"
#include "sallyport/ws/compose.h"
#include "sallyport/ws/testing.h"

namespace sallyport::ws {
namespace {

using namespace std::string_view_literals;
using Kind = Unit::Kind;

constexpr Mask test_mask{0x37, 0xfa, 0x21, 0x3d};

/// A unit with what it pointed to.
struct Seen {
  Kind kind;
  std::string wire;
  std::string payload;
  bool operator==(const Seen&) const = default;
};

struct Outcome {
  std::vector<Seen> units;
  std::optional<Reason> error;
  std::size_t consumed_before_error = 0;  // bytes fed when the error came
  bool operator==(const Outcome& other) const { return units == other.units && error == other.error; }
};

std::string frame(Opcode opcode, std::string_view payload, bool fin = true, std::optional<Mask> mask = test_mask) {
  std::string out;
  append_frame(out, opcode, bytes_of(payload), mask);
  if (!fin) out[0] = static_cast<char>(out[0] & 0x7f);
  return out;
}

Seen look(const Unit& unit, std::vector<Byte>& scratch) {
  scratch.resize(std::max(scratch.size(), unit.payload_size));
  return {unit.kind, std::string(text_of(unit.wire)), std::string(text_of(unit.unmask_into(scratch)))};
}

/// Feeds `pieces`, each from a buffer that is overwritten as soon as it may be; after each unit keep_rest() when
/// `stop(n)` says so.
template <class Stop>
Outcome run(const std::vector<std::string>& pieces, Role from, Assembler::Limits limits, Stop stop) {
  Outcome outcome;
  Assembler assembler(from, limits);
  std::vector<Byte> scratch;
  for (const std::string& piece : pieces) {
    std::vector<Byte> read(piece.begin(), piece.end());
    read.shrink_to_fit();
    assembler.feed(read);
    outcome.consumed_before_error += piece.size();
    for (;;) {
      const auto unit = assembler.next();
      if (!unit.ok()) {
        outcome.error = unit.error().reason;
        CHECK(assembler.next().error().reason == unit.error().reason);
        CHECK(assembler.memory() == 0);
        return outcome;
      }
      if (unit->kind == Kind::need_more) break;
      outcome.units.push_back(look(*unit, scratch));
      if (stop(outcome.units.size())) {
        assembler.keep_rest();
        read.assign(read.size(), 0xee);
      }
    }
    CHECK_FALSE(assembler.has_rest());
    if (!assembler.in_unit()) CHECK(assembler.memory() == 0);
  }
  return outcome;
}

Outcome run(const std::vector<std::string>& pieces, Role from = Role::client, Assembler::Limits limits = {}) {
  return run(pieces, from, limits, [](std::size_t) { return false; });
}

Outcome reference(std::string_view stream, Role from, Assembler::Limits limits) {
  testing::Reference whole(from, limits);
  whole.add(stream);
  Outcome outcome;
  for (const testing::Reference::Frame& unit : whole.units)
    outcome.units.push_back({unit.kind, unit.wire, unit.payload});
  outcome.error = whole.error;
  return outcome;
}

std::vector<std::string> cut_at(std::string_view stream, std::size_t at) {
  return {std::string(stream.substr(0, at)), std::string(stream.substr(at))};
}

std::vector<std::string> bytewise(std::string_view stream) {
  std::vector<std::string> pieces;
  for (const char c : stream) pieces.emplace_back(1, c);
  return pieces;
}

TEST_CASE("assembler: whole messages in the input are views, side by side") {
  const std::string stream = frame(Opcode::text, "one") + frame(Opcode::binary, "two\xff") + frame(Opcode::ping, "p") +
                             frame(Opcode::text, "fr", false) + frame(Opcode::continuation, "ag", true);
  Assembler assembler(Role::client, {});
  assembler.feed(bytes_of(stream));
  const Byte* expected = bytes_of(stream).data();
  std::vector<Byte> scratch(100);
  for (const std::string_view payload : {"one"sv, "two\xff"sv, "p"sv, "frag"sv}) {
    const auto unit = assembler.next();
    REQUIRE(unit.ok());
    CHECK(unit->in_input);
    CHECK(unit->wire.data() == expected);
    CHECK(unit->payload_size == payload.size());
    CHECK(text_of(unit->unmask_into(scratch)) == payload);
    expected += unit->wire.size();
  }
  CHECK(assembler.next()->kind == Kind::need_more);
  CHECK(expected == bytes_of(stream).data() + stream.size());
  CHECK(assembler.memory() == 0);
}

TEST_CASE("assembler: a server's single frame is not copied to be looked at") {
  const std::string stream = frame(Opcode::text, "plain", true, {});
  Assembler assembler(Role::server, {});
  assembler.feed(bytes_of(stream));
  const auto unit = assembler.next();
  REQUIRE(unit.ok());
  CHECK(unit->unmask_into({}).data() == bytes_of(stream).data() + 2);
}

TEST_CASE("assembler: control frames come at once and are no part of the message around them") {
  const std::string a = frame(Opcode::text, "h\xc3", false), b = frame(Opcode::continuation, "", false),
                    c = frame(Opcode::continuation, "\xa4!");
  const std::string ping = frame(Opcode::ping, "now"), pong = frame(Opcode::pong, "");
  const std::string stream = a + ping + b + pong + ping + c + frame(Opcode::binary, "next");
  const Outcome expected{{{Kind::ping, ping, "now"},
                          {Kind::pong, pong, ""},
                          {Kind::ping, ping, "now"},
                          {Kind::text, a + b + c, "h\xc3\xa4!"},
                          {Kind::binary, frame(Opcode::binary, "next"), "next"}},
                         {}};
  CHECK(run({stream}) == expected);
  CHECK(run(bytewise(stream)) == expected);
  for (std::size_t i = 0; i <= stream.size(); ++i) {
    REQUIRE(run(cut_at(stream, i)) == expected);
    for (std::size_t j = i; j <= stream.size(); ++j) {
      REQUIRE(run({stream.substr(0, i), stream.substr(i, j - i), stream.substr(j)}) == expected);
    }
  }
  CHECK(run({stream}, Role::client, {}, [](std::size_t) { return true; }) == expected);
}

TEST_CASE("assembler: each refusal beside its neighbour") {
  const auto refused = [](const std::string& stream, Role from = Role::client, Assembler::Limits limits = {}) {
    const Outcome outcome = run({stream}, from, limits);
    CHECK(outcome.units.empty());
    for (std::size_t i = 0; i <= stream.size(); ++i) REQUIRE(run(cut_at(stream, i), from, limits) == outcome);
    return outcome.error;
  };
  const Assembler::Limits small{.message_size = 10, .frames = 3};

  CHECK(refused(frame(Opcode::continuation, "x")) == Reason::frame_malformed);
  CHECK(refused(frame(Opcode::text, "x", false) + frame(Opcode::text, "y")) == Reason::frame_malformed);
  CHECK(refused(frame(Opcode::text, "x", true, {})) == Reason::frame_malformed);
  CHECK(refused(frame(Opcode::text, "x"), Role::server) == Reason::frame_malformed);
  CHECK(refused(frame(Opcode::close, "\x03")) == Reason::frame_malformed);
  CHECK(refused(frame(Opcode::close, "\x03\xed")) == Reason::frame_malformed);
  CHECK(refused(frame(Opcode::close, "\x03\xe8\xff")) == Reason::message_not_utf8);
  CHECK(refused(frame(Opcode::text, "\xc3")) == Reason::message_not_utf8);
  CHECK(refused(frame(Opcode::text, "\xc3", false) + frame(Opcode::continuation, "")) == Reason::message_not_utf8);
  CHECK(refused(frame(Opcode::text, "\xed\xa0\x80")) == Reason::message_not_utf8);

  CHECK(refused(frame(Opcode::binary, "12345678901"), Role::client, small) == Reason::message_too_big);
  CHECK_FALSE(run({frame(Opcode::binary, "1234567890")}, Role::client, small).error);
  CHECK(refused(frame(Opcode::binary, "12345", false) + frame(Opcode::continuation, "678901"), Role::client, small) ==
        Reason::message_too_big);
  CHECK_FALSE(
      run({frame(Opcode::binary, "12345", false) + frame(Opcode::continuation, "67890")}, Role::client, small).error);
  const std::string empty = frame(Opcode::continuation, "", false);
  CHECK(refused(frame(Opcode::text, "", false) + empty + empty + empty, Role::client, small) ==
        Reason::message_too_big);
  CHECK_FALSE(
      run({frame(Opcode::text, "", false) + empty + frame(Opcode::continuation, "")}, Role::client, small).error);
  // Control frames do not count, and each message is counted anew.
  CHECK_FALSE(run({frame(Opcode::text, "", false) + frame(Opcode::ping, "12345678901") + empty +
                   frame(Opcode::continuation, "1234567890") + frame(Opcode::text, "1234567890")},
                  Role::client, small)
                  .error);
}

TEST_CASE("assembler: a long message may come in short frames, and costs what its bytes cost") {
  const Assembler::Limits limits{.message_size = 4 << 20, .frames = 3};
  const std::string part = frame(Opcode::continuation, std::string(Assembler::payload_per_frame, 'x'), false);
  Assembler assembler(Role::client, limits);
  const std::string start = frame(Opcode::binary, "", false), end = frame(Opcode::continuation, "");
  assembler.feed(bytes_of(start));
  CHECK(assembler.next()->kind == Kind::need_more);
  std::size_t growths = 0, memory = assembler.memory();
  for (std::size_t i = 0; i < limits.message_size / Assembler::payload_per_frame; ++i) {
    assembler.feed(bytes_of(part));
    REQUIRE(assembler.next()->kind == Kind::need_more);
    growths += static_cast<std::size_t>(assembler.memory() != std::exchange(memory, assembler.memory()));
  }
  CHECK(growths < 40);
  CHECK(memory < 2 * limits.message_size);
  assembler.feed(bytes_of(end));
  CHECK(assembler.next()->payload_size == limits.message_size);

  // One byte less in each, and the frames run out.
  const std::string tiny = frame(Opcode::continuation, std::string(Assembler::payload_per_frame - 1, 'x'), false);
  std::string stream = start;
  for (std::size_t i = 0; i < 4 * Assembler::payload_per_frame; ++i) stream += tiny;
  CHECK(run({stream}, Role::client, limits).error == Reason::message_too_big);
}

TEST_CASE("assembler: too big and not UTF-8 are seen before the rest arrives") {
  const std::string big = frame(Opcode::binary, std::string(65537, 'x'));
  CHECK(run({big.substr(0, 14)}).error == Reason::message_too_big);
  CHECK_FALSE(run({big.substr(0, 13)}).error);
  const std::string bad = frame(Opcode::text, "good \xe0\x80\x80 and more");
  CHECK_FALSE(run({bad.substr(0, 6 + 6)}).error);
  CHECK(run({bad.substr(0, 6 + 7)}).error == Reason::message_not_utf8);
}

TEST_CASE("assembler: nothing is handed out behind a close frame") {
  const std::string close = frame(Opcode::close, "\x03\xe8"), stream = close + frame(Opcode::text, "late") + "\xff\xff";
  Outcome expected{{{Kind::close, close, "\x03\xe8"}}, {}};
  for (std::size_t i = 0; i <= stream.size(); ++i) REQUIRE(run(cut_at(stream, i)) == expected);
}

TEST_CASE("assembler: a stop in the middle costs nothing but a copy") {
  const std::string stream = frame(Opcode::text, "one") + frame(Opcode::text, "two") + frame(Opcode::text, "three") +
                             frame(Opcode::text, "4").substr(0, 4);
  Assembler assembler(Role::client, {});
  std::vector<Byte> scratch;
  std::vector<Byte> read(stream.begin(), stream.end());
  assembler.feed(read);
  CHECK(look(*assembler.next(), scratch).payload == "one");
  assembler.keep_rest();
  read.assign(read.size(), 0);
  CHECK(assembler.has_rest());
  CHECK(assembler.memory() > 0);
  CHECK(look(*assembler.next(), scratch).payload == "two");
  assembler.keep_rest();
  // More may come before the rest is pulled.
  const std::string more = frame(Opcode::text, "4").substr(4) + frame(Opcode::text, "5");
  assembler.feed(bytes_of(more));
  CHECK(look(*assembler.next(), scratch).payload == "three");
  CHECK(look(*assembler.next(), scratch).payload == "4");
  CHECK(look(*assembler.next(), scratch).payload == "5");
  CHECK(assembler.next()->kind == Kind::need_more);
  CHECK(assembler.memory() == 0);
}

TEST_CASE("assembler: no allocation for whole messages, one for a message in pieces") {
  std::string stream;
  for (int i = 0; i < 100; ++i) stream += frame(Opcode::text, std::string(static_cast<std::size_t>(i) * 7, 'x'));
  stream += frame(Opcode::text, "frag", false) + frame(Opcode::continuation, "ment") + frame(Opcode::ping, "p") +
            frame(Opcode::close, "");
  std::vector<Byte> scratch(100'000);
  Assembler assembler(Role::client, {});
  const std::size_t before = allocations;
  assembler.feed(bytes_of(stream));
  std::size_t units = 0, bytes = 0;
  for (;;) {
    const auto unit = assembler.next();
    if (!unit.ok() || unit->kind == Kind::need_more) break;
    ++units;
    bytes += unit->unmask_into(scratch).size();
  }
  CHECK(allocations == before);
  CHECK(units == 103);
  CHECK(bytes == 99 * 50 * 7 + 9);

  const std::string big = frame(Opcode::text, std::string(65536, 'x'));
  Assembler slow(Role::client, {});
  const std::size_t before_big = allocations;
  for (std::size_t at = 0; at < big.size(); at += 1024) {
    slow.feed(bytes_of(big).subspan(at, std::min<std::size_t>(1024, big.size() - at)));
    const auto unit = slow.next();
    REQUIRE(unit.ok());
    CHECK((unit->kind == Kind::text) == (at + 1024 >= big.size()));
    if (unit->kind != Kind::text) CHECK(slow.wanted() == big.size());
  }
  CHECK(allocations == before_big + 1);
  CHECK(slow.next()->kind == Kind::need_more);
  CHECK(slow.memory() == 0);
}

TEST_CASE("assembler: an announced length alone does not take the memory") {
  std::array<Byte, max_header_length> head;
  const std::size_t size = write_header(head, {.masked = true, .payload_length = 1ull << 40});
  Assembler assembler(Role::client, {.message_size = std::size_t{1} << 41});
  assembler.feed(Bytes(head).first(size));
  CHECK(assembler.next()->kind == Kind::need_more);
  CHECK(assembler.wanted() == size + (std::size_t{1} << 40));
  CHECK(assembler.memory() <= 512 * 1024);
}

TEST_CASE("assembler: against the plain reference, with random streams, damage, pieces and stops") {
  std::mt19937 random(42);
  const auto any = [&](std::size_t below) { return static_cast<std::size_t>(random()) % below; };
  std::size_t errors = 0, units = 0;
  for (int round = 0; round < 4000; ++round) {
    const Role from = any(2) == 0 ? Role::client : Role::server;
    const Assembler::Limits limits{.message_size = 400, .frames = 6};
    const auto mask = [&]() -> std::optional<Mask> {
      if (from == Role::server) return {};
      return Mask{static_cast<Byte>(random()), static_cast<Byte>(random()), static_cast<Byte>(random()),
                  static_cast<Byte>(random())};
    };
    std::string stream;
    for (std::size_t messages = any(5); messages > 0; --messages) {
      const bool text = any(2) == 0;
      std::string payload;
      for (std::size_t left = any(8) == 0 ? any(150) : any(20); left > 0; --left)
        payload += any(3) != 0 ? "a" : text ? "\xe2\x82\xac" : "\xff";
      const std::size_t frames = any(3) == 0 ? 1 + any(6) : 1;
      for (std::size_t i = 0; i < frames; ++i) {
        const std::size_t size = i + 1 == frames ? payload.size() : any(payload.size() + 1);
        stream += frame(i > 0  ? Opcode::continuation
                        : text ? Opcode::text
                               : Opcode::binary,
                        payload.substr(0, size), i + 1 == frames, mask());
        payload.erase(0, size);
        while (any(4) == 0)
          stream += frame(any(2) == 0 ? Opcode::ping : Opcode::pong, std::string(any(10), 'c'), true, mask());
      }
    }
    if (any(6) == 0)
      stream += frame(Opcode::close,
                      "\x03\xe8"
                      "bye",
                      true, mask()) +
                "junk";
    if (any(3) == 0 && !stream.empty()) stream[any(stream.size())] = static_cast<char>(random());
    if (any(3) == 0) stream.resize(any(stream.size() + 1));

    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = 1 + any(any(2) == 0 ? 5 : 400);
      pieces.push_back(stream.substr(at, size));
      at += size;
    }
    const Outcome expected = reference(stream, from, limits);
    const bool stops = any(2) == 0;
    const Outcome actual = run(pieces, from, limits, [&](std::size_t) { return stops && any(2) == 0; });
    CAPTURE(round);
    REQUIRE(actual.units == expected.units);
    REQUIRE(actual.error == expected.error);
    errors += expected.error.has_value();
    units += expected.units.size();
  }
  CHECK(errors > 200);
  CHECK(units > 5000);
}

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

TEST_CASE("assembler: the verdicts of tests/vectors/http/ws-frames.json") {
  std::ifstream file(SALLYPORT_SOURCE_DIR "/tests/vectors/http/ws-frames.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto vectors = json::parse(text.str());
  REQUIRE(vectors.ok());
  const json::Value* cases = vectors->find("client_to_gateway");
  REQUIRE(cases != nullptr);
  int checked = 0;
  for (const json::Value& vector : *cases->array()) {
    if (*vector.find("deflate")->integer() != 0) continue;  // the extension is not negotiated
    CAPTURE(*vector.find_string("id"));
    const std::string stream = from_hex(*vector.find_string("hex"));
    const json::Value& close = *vector.find("close");
    const Outcome outcome = run({stream});
    CHECK(run(bytewise(stream)) == outcome);
    std::vector<std::int64_t> allowed;
    if (close.array() == nullptr) {
      allowed = {1000};
    } else {
      for (const json::Value& code : *close.array()) allowed.push_back(*code.integer());
    }
    std::int64_t code = 0;
    if (outcome.error) {
      code = row(*outcome.error).close_code;
      for (const Seen& unit : outcome.units) CHECK(unit.kind != Kind::text);
    } else {
      REQUIRE_FALSE(outcome.units.empty());
      CHECK(outcome.units.back().kind == Kind::close);
      code = parse_close_payload(bytes_of(outcome.units.back().payload))->code.value_or(0);
    }
    CHECK(std::find(allowed.begin(), allowed.end(), code) != allowed.end());
    ++checked;
  }
  CHECK(checked == 20);
}

}  // namespace
}  // namespace sallyport::ws
