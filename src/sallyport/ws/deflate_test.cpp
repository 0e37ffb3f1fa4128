#include "sallyport/ws/deflate.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "sallyport/ws/assembler.h"
#include "sallyport/ws/compose.h"

namespace sallyport::ws {
namespace {

using namespace std::string_view_literals;
using Context = DeflateTerms::Context;

constexpr DeflateTerms alone{};
constexpr DeflateTerms kept{.context = Context::connection};
constexpr InflateLimits wide{.size = 1 << 20, .ratio = 2000};

struct Read {
  std::string payload;
  std::string verdict = "ok";
  bool plain_blocks = false;
};

Read inflate(std::string_view compressed, Inflater& inflater, DeflateTerms terms = alone, InflateLimits limits = wide) {
  // In memory of exactly its size, so that a sanitizer sees who reads on.
  const std::vector<Byte> input(compressed.begin(), compressed.end());
  std::vector<Byte> out;
  const auto result = inflater.inflate(input, terms, limits, out);
  CHECK(out.size() <= limits.size + 1);
  if (!result.ok()) return {{}, std::string(row(result.error().reason).name)};
  return {std::string(text_of(result->payload)), "ok", result->plain_blocks};
}
Read inflate(std::string_view compressed, InflateLimits limits = wide) {
  Inflater inflater;
  return inflate(compressed, inflater, alone, limits);
}

std::string deflate(std::string_view message, Deflater& deflater, DeflateTerms terms = alone) {
  std::vector<Byte> out;
  return std::string(text_of(deflater.deflate(bytes_of(message), terms, out)));
}
std::string deflate(std::string_view message) {
  Deflater deflater;
  return deflate(message, deflater);
}

std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

// A stored block, whose content stands in it as it is.
std::string stored(std::string_view content, char header = '\0') {
  const auto size = static_cast<std::uint16_t>(content.size());
  std::string out{header, static_cast<char>(size & 0xff), static_cast<char>(size >> 8), static_cast<char>(~size & 0xff),
                  static_cast<char>((~size >> 8) & 0xff)};
  return out.append(content);
}

TEST_SUITE("deflate") {
  TEST_CASE("the examples of RFC 7692 §7.2.3") {
    CHECK(inflate("\xf2\x48\xcd\xc9\xc9\x07\x00"sv).payload == "Hello");
    CHECK(inflate("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"sv).payload == "Hello");
    const Read with_final = inflate("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"sv);
    CHECK(with_final.payload == "Hello");
    CHECK(!with_final.plain_blocks);
    const Read two_blocks = inflate("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"sv);
    CHECK(two_blocks.payload == "Hello");
    CHECK(two_blocks.plain_blocks);
    CHECK(inflate("\x00"sv).payload == "");
    CHECK(inflate("\x00"sv).verdict == "ok");
    Inflater sharing;
    CHECK(inflate("\xf2\x48\xcd\xc9\xc9\x07\x00"sv, sharing, kept).payload == "Hello");
    CHECK(inflate("\xf2\x00\x11\x00\x00"sv, sharing, kept).payload == "Hello");
  }

  TEST_CASE("what was compressed comes back, whatever the window and whoever was served between") {
    Inflater shared;
    for (std::uint8_t bits = 9; bits <= 15; ++bits) {
      Deflater one;
      Deflater both;
      Inflater own;
      const DeflateTerms lone{Context::message, bits};
      const DeflateTerms lasting{Context::connection, bits};
      for (const std::size_t size : {1u, 2u, 100u, 5000u, 70'000u, 300'000u}) {
        CAPTURE(int{bits});
        CAPTURE(size);
        for (const std::string& message : {noise(size), std::string(size, 'a')}) {
          const Read read = inflate(deflate(message, one, lone), shared, lone);
          CHECK(read.payload == message);
          CHECK(read.plain_blocks);
          CHECK(inflate(deflate(message, both, lasting), own, lasting).payload == message);
        }
      }
    }
  }

  TEST_CASE("with the context of the connection a message that came before is pointed to") {
    Deflater deflater;
    const std::string text = noise(2000);
    const std::string first = deflate(text, deflater, kept);
    const std::string second = deflate(text, deflater, kept);
    CHECK(first.size() > 2000);
    CHECK(second.size() < 100);
    Inflater inflater;
    CHECK(inflate(first, inflater, kept).payload == text);
    CHECK(inflate(second, inflater, kept).payload == text);
    // It means nothing by itself, and nothing of another connection is in reach.
    CHECK(inflate(second).verdict == "message.not_deflate");
    Inflater shared;
    CHECK(inflate(first, shared).payload == text);
    CHECK(inflate(second, shared).verdict == "message.not_deflate");
  }

  TEST_CASE("what lies further back than the agreed window is not kept") {
    const std::string text = noise(1000);
    Deflater deflater;
    const std::string first = deflate(text, deflater, kept);
    const std::string second = deflate(text, deflater, kept);
    for (const std::uint8_t bits : {std::uint8_t{9}, std::uint8_t{10}}) {
      const DeflateTerms terms{Context::connection, bits};
      Inflater inflater;
      CHECK(inflate(first, inflater, terms).payload == text);
      CHECK(inflate(second, inflater, terms).verdict == (bits == 9 ? "message.not_deflate" : "ok"));
    }
  }

  TEST_CASE("the size is capped while inflating, at the byte") {
    const std::string message(5000, 'a');
    const std::string compressed = deflate(message);
    CHECK(inflate(compressed, {.size = 5000, .ratio = 2000}).payload == message);
    CHECK(inflate(compressed, {.size = 4999, .ratio = 2000}).verdict == "message.too_big");
    // A gigabyte in a megabyte: nothing but the limit is ever inflated.
    std::string bomb;
    Deflater deflater;
    const std::string zeros = deflate(std::string(1 << 20, '\0'), deflater);
    for (int i = 0; i < 1024; ++i) bomb += zeros + std::string("\x00\x00\xff\xff", 4);
    Inflater inflater;
    std::vector<Byte> out;
    const auto result = inflater.inflate(bytes_of(bomb), alone, {.size = 64 * 1024, .ratio = 2000}, out);
    REQUIRE(!result.ok());
    CHECK(result.error().reason == Reason::message_too_big);
    CHECK(out.capacity() <= 64 * 1024 + 1);
  }

  TEST_CASE("the ratio is capped while inflating, but for the smallest") {
    const std::string compressed = deflate(std::string(60'000, 'a'));
    CHECK(compressed.size() < 300);
    CHECK(inflate(compressed, {.size = 64 * 1024, .ratio = 1000}).verdict == "ok");
    CHECK(inflate(compressed, {.size = 64 * 1024, .ratio = 200}).verdict == "message.bomb");
    std::vector<Byte> out;
    Inflater inflater;
    CHECK(!inflater.inflate(bytes_of(compressed), alone, {.size = 64 * 1024, .ratio = 200}, out).ok());
    CHECK(out.size() <= 200 * compressed.size() + 1);
    CHECK(inflate(deflate(std::string(4096, 'a')), {.size = 64 * 1024, .ratio = 1}).verdict == "ok");
    CHECK(inflate(deflate(std::string(4097, 'a')), {.size = 64 * 1024, .ratio = 1}).verdict == "message.bomb");
    CHECK(inflate(deflate(noise(60'000)), {.size = 64 * 1024, .ratio = 1}).verdict == "ok");
    CHECK(inflate(compressed, {.size = 64 * 1024, .ratio = SIZE_MAX}).verdict == "ok");
  }

  TEST_CASE("what is no deflate, or not all of it, is refused") {
    const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    CHECK(inflate("").verdict == "message.not_deflate");
    CHECK(inflate("\x06"sv).verdict == "message.not_deflate");                      // block type 3
    CHECK(inflate("\x00\x05\x00\xfa\xff\x48"sv).verdict == "message.not_deflate");  // its tail would be content
    CHECK(inflate("Hello, world").verdict == "message.not_deflate");                // not compressed at all
    CHECK(inflate(hello.substr(0, 4)).verdict == "message.not_deflate");            // cut
    CHECK(inflate(hello + "\x05").verdict == "message.not_deflate");                // something behind the end
    CHECK(inflate(hello + std::string("\x00\x00\xff\xff", 4)).verdict == "message.not_deflate");  // its tail left on
    CHECK(inflate("\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00"sv).verdict == "message.not_deflate");  // bad length
    CHECK(inflate("\x78\x9c\xf3\x48\xcd\xc9\xc9\x07\x00"sv).verdict == "message.not_deflate");  // with a zlib header
  }

  TEST_CASE("a damaged message harms nobody who comes after it") {
    Inflater shared;
    CHECK(inflate("\x06"sv, shared).verdict == "message.not_deflate");
    CHECK(inflate("\x00\x05\x00\xfa\xff\x48\x49"sv, shared).verdict == "message.not_deflate");
    CHECK(inflate(deflate(std::string(60'000, 'a')), shared, alone, {.size = 10, .ratio = 1}).verdict ==
          "message.too_big");
    CHECK(inflate("\xf2\x48\xcd\xc9\xc9\x07\x00"sv, shared).payload == "Hello");
  }

  TEST_CASE("final blocks: everything behind them is read, and the message is known for what it is") {
    const std::string final_hello("\xf3\x48\xcd\xc9\xc9\x07\x00", 7);
    const Read bare = inflate(final_hello);
    CHECK(bare.payload == "Hello");
    CHECK(!bare.plain_blocks);
    const Read hidden = inflate(final_hello + stored(" there") + '\0');
    CHECK(hidden.payload == "Hello there");
    CHECK(!hidden.plain_blocks);
    CHECK(inflate(final_hello + final_hello + final_hello).payload == "HelloHelloHello");
    // The tail that was taken off belongs to a final block.
    const Read late = inflate(stored("Hello") + '\1');
    CHECK(late.payload == "Hello");
    CHECK(!late.plain_blocks);
    // The window outlives a final block.
    Inflater inflater;
    CHECK(inflate(final_hello, inflater, kept).payload == "Hello");
    CHECK(inflate("\xf2\x00\x11\x00\x00"sv, inflater, kept).payload == "Hello");
    // Each ends its stream, none ends the limit.
    std::string many;
    for (int i = 0; i < 1000; ++i) many += final_hello;
    CHECK(inflate(many, {.size = 4999, .ratio = 100}).verdict == "message.too_big");
    CHECK(inflate(many, {.size = 5000, .ratio = 100}).verdict == "ok");
  }

  TEST_CASE("memory: none before the first message, and what the window says after it") {
    Inflater inflater;
    Deflater deflater;
    CHECK(inflater.memory() + deflater.memory() == 0);
    std::vector<Byte> out;
    for (std::uint8_t bits = 9; bits <= 15; ++bits) {
      const DeflateTerms terms{Context::connection, bits};
      Inflater in;
      Deflater from;
      const std::string compressed = deflate(noise(100'000), from, terms);
      CHECK(inflate(compressed, in, terms).verdict == "ok");
      CAPTURE(int{bits});
      CAPTURE(in.memory());
      CAPTURE(from.memory());
      CHECK(in.memory() < (std::size_t{1} << bits) + 9 * 1024);
      CHECK(from.memory() < (std::size_t{1} << (bits + 3)) + 9 * 1024);
    }
  }
}

TEST_SUITE("deflate") {
  TEST_CASE("RSV1 stands on the first frame of a message, where it was agreed on") {
    const auto verdict = [](Opcode opcode, int first_byte, Extension agreed) {
      std::string bytes;
      append_frame(bytes, opcode, bytes_of("x"));
      bytes[0] = static_cast<char>(first_byte);
      const auto header = parse_header(bytes_of(bytes), Role::server, agreed);
      return !header.ok() ? "refused" : (*header)->compressed ? "compressed" : "plain";
    };
    CHECK(verdict(Opcode::text, 0xc1, Extension::deflate) == "compressed"sv);
    CHECK(verdict(Opcode::binary, 0x42, Extension::deflate) == "compressed"sv);
    CHECK(verdict(Opcode::text, 0x81, Extension::deflate) == "plain"sv);
    for (const int first : {0xc1, 0xc2, 0x41}) CHECK(verdict(Opcode::text, first, Extension::none) == "refused"sv);
    // Continuations and control frames; the other reserved bits, with and without it.
    for (const int first : {0xc0, 0x40, 0xc8, 0xc9, 0xca, 0xa1, 0x91, 0xe1, 0xd1, 0xf1, 0xa9, 0x90})
      CHECK(verdict(Opcode::text, first, Extension::deflate) == "refused"sv);
  }

  TEST_CASE("compressed messages are assembled as any other; their text is not looked at") {
    constexpr Mask mask{1, 2, 3, 4};
    std::string whole;
    append_compressed(whole, Opcode::text, bytes_of("\xff\xfe\xfd"), mask);
    std::string first;
    append_compressed(first, Opcode::text, bytes_of("\xff\xfe"), mask);
    first[0] = static_cast<char>(first[0] & 0x7f);
    std::string ping;
    append_ping(ping, bytes_of("p"), mask);
    std::string last;
    append_frame(last, Opcode::continuation, bytes_of("\xfd"), mask);
    std::string plain;
    append_text(plain, "ok", mask);
    const std::string stream = whole + first + ping + last + plain;
    for (std::size_t step = 1; step <= stream.size(); ++step) {
      Assembler assembler(Role::client, {}, Extension::deflate);
      std::string seen;
      for (std::size_t at = 0; at < stream.size(); at += step) {
        assembler.feed(bytes_of(std::string_view(stream).substr(at, step)));
        for (;;) {
          const auto unit = assembler.next();
          REQUIRE(unit.ok());
          if (unit->kind == Unit::Kind::need_more) break;
          std::vector<Byte> scratch(unit->payload_size);
          seen.append(unit->first.compressed ? "C" : "-").append(text_of(unit->unmask_into(scratch)));
        }
      }
      CHECK(seen == "C\xff\xfe\xfd-pC\xff\xfe\xfd-ok");
    }
    Assembler unagreed(Role::client, {});
    unagreed.feed(bytes_of(whole));
    CHECK(unagreed.next().error().reason == Reason::frame_malformed);
    // A plain text still has to be UTF-8.
    std::string bad;
    append_frame(bad, Opcode::text, bytes_of("\xff"), mask);
    Assembler assembler(Role::client, {}, Extension::deflate);
    assembler.feed(bytes_of(bad));
    CHECK(assembler.next().error().reason == Reason::message_not_utf8);
  }

  TEST_CASE("what deflate cannot shorten may be a little longer than the limit, and no more") {
    const std::string message = noise(64 * 1024);
    const auto fits = [](std::size_t size, bool compressed) {
      std::string frame;
      const std::string payload(size, 'x');
      if (compressed) {
        append_compressed(frame, Opcode::binary, bytes_of(payload));
      } else {
        append_frame(frame, Opcode::binary, bytes_of(payload));
      }
      Assembler assembler(Role::server, {.message_size = 64 * 1024}, Extension::deflate);
      assembler.feed(bytes_of(frame));
      return assembler.next().ok();
    };
    CHECK(fits(deflate(message).size(), true));
    CHECK(fits(64 * 1024, false));
    CHECK(!fits(64 * 1024 + 1, false));
    CHECK(!fits(80 * 1024, true));
  }
}

}  // namespace
}  // namespace sallyport::ws
