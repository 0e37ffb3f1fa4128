#include "sallyport/ws/frame.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "sallyport/ws/compose.h"

namespace sallyport::ws {
namespace {

using namespace std::string_view_literals;

Reason refused(std::string_view wire, Role from) {
  const auto header = parse_header(bytes_of(wire), from);
  REQUIRE_FALSE(header.ok());
  return header.error().reason;
}

FrameHeader accepted(std::string_view wire, Role from) {
  const auto header = parse_header(bytes_of(wire), from);
  REQUIRE(header.ok());
  REQUIRE(header->has_value());
  return **header;
}

bool incomplete(std::string_view wire, Role from) {
  const auto header = parse_header(bytes_of(wire), from);
  REQUIRE(header.ok());
  return !header->has_value();
}

void unmask_reference(Bytes from, MutableBytes to, Mask mask, std::uint64_t offset) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i] ^ mask[(offset + i) % 4];
}

TEST_CASE("frame header: what is legal is read") {
  const FrameHeader text = accepted("\x81\x85\x01\x02\x03\x04rest"sv, Role::client);
  CHECK(text.fin);
  CHECK(text.masked);
  CHECK(text.opcode == Opcode::text);
  CHECK(text.header_length == 6);
  CHECK(text.mask == Mask{1, 2, 3, 4});
  CHECK(text.payload_length == 5);

  const FrameHeader start = accepted("\x02\x7e\x00\x7e"sv, Role::server);
  CHECK_FALSE(start.fin);
  CHECK_FALSE(start.masked);
  CHECK(start.opcode == Opcode::binary);
  CHECK(start.header_length == 4);
  CHECK(start.payload_length == 126);

  CHECK(accepted("\x80\x7f\x00\x00\x00\x00\x00\x01\x00\x00"sv, Role::server).payload_length == 65536);
  CHECK(accepted("\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"sv, Role::server).payload_length == (1ull << 63) - 1);
  CHECK(accepted("\x8a\x7d"sv, Role::server).opcode == Opcode::pong);
}

TEST_CASE("frame header: each refusal, as early as it can be seen") {
  for (const char first : {'\xc1', '\xa1', '\x91'})
    CHECK(refused(std::string(1, first), Role::client) == Reason::frame_malformed);
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    CHECK(refused(std::string(1, static_cast<char>(0x80 | opcode)), Role::server) == Reason::frame_malformed);
  }
  for (const int opcode : {0, 1, 2, 8, 9, 10})
    CHECK(incomplete(std::string(1, static_cast<char>(0x80 | opcode)), Role::server));
  for (const int opcode : {8, 9, 10})
    CHECK(refused(std::string(1, static_cast<char>(opcode)), Role::client) == Reason::frame_malformed);
  CHECK(refused("\x81\x05"sv, Role::client) == Reason::frame_malformed);
  CHECK(refused("\x81\x85"sv, Role::server) == Reason::frame_malformed);
  CHECK(refused("\x89\x7e"sv, Role::server) == Reason::frame_malformed);
  CHECK(refused("\x88\xff"sv, Role::client) == Reason::frame_malformed);
  CHECK(refused("\x82\x7e\x00\x7d"sv, Role::server) == Reason::frame_malformed);
  CHECK(refused("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"sv, Role::server) == Reason::frame_malformed);
  CHECK(refused("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"sv, Role::server) == Reason::frame_malformed);
}

TEST_CASE("frame header: incomplete until its last byte, and written as it was read") {
  for (const std::uint64_t length : {0ull, 1ull, 125ull, 126ull, 65535ull, 65536ull, (1ull << 63) - 1}) {
    for (const Role role : {Role::client, Role::server}) {
      FrameHeader header;
      header.fin = length % 2 == 0;
      header.opcode = Opcode::binary;
      header.payload_length = length;
      header.masked = role == Role::client;
      if (header.masked) header.mask = {9, 8, 7, 6};
      std::array<Byte, max_header_length> out;
      const std::size_t size = write_header(out, header);
      for (std::size_t cut = 0; cut < size; ++cut) CHECK(incomplete(text_of(Bytes(out).first(cut)), role));
      header.header_length = static_cast<std::uint8_t>(size);
      CHECK(accepted(text_of(Bytes(out).first(size)), role) == header);
    }
  }
}

TEST_CASE("unmask: by words as by bytes, at every length, offset and alignment, in place too") {
  std::mt19937 random(1);
  std::vector<Byte> source(300);
  for (Byte& byte : source) byte = static_cast<Byte>(random());
  const Mask mask{0x37, 0xfa, 0x21, 0x3d};
  for (std::size_t begin = 0; begin < 9; ++begin) {
    for (std::size_t length = 0; begin + length <= source.size(); length += length < 80 ? 1 : 37) {
      const std::uint64_t offset = begin * 7 + length;
      const Bytes piece = Bytes(source).subspan(begin, length);
      std::vector<Byte> expected(length), actual(length), in_place(piece.begin(), piece.end());
      unmask_reference(piece, expected, mask, offset);
      unmask(piece, actual, mask, offset);
      unmask(in_place, in_place, mask, offset);
      REQUIRE(actual == expected);
      REQUIRE(in_place == expected);
    }
  }
}

TEST_CASE("composed frames are read back") {
  std::string out;
  append_text(out, "hello");
  CHECK(out == "\x81\x05hello");
  out.clear();
  append_text(out, "Hello", Mask{0x37, 0xfa, 0x21, 0x3d});
  CHECK(out == "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");  // RFC 6455 §5.7
  out.clear();
  append_ping(out, bytes_of("p"));
  append_pong(out, bytes_of("q"));
  CHECK(out == "\x89\x01p\x8a\x01q");
  out.clear();
  append_close(out, 4401, "credential expired");
  CHECK(out ==
        "\x88\x14\x11\x31"
        "credential expired");
  out.clear();
  append_close(out, 1006, "connection lost");
  CHECK(out == "\x88\x00"sv);
  out.clear();
  append_close(out, 1000,
               std::string(122, 'a') +
                   "\xc3\xa4"
                   "b");
  CHECK(out.size() == 2 + 2 + 122);
  CHECK_THROWS_AS(append_ping(out, bytes_of(std::string(126, 'x'))), BugError);
}

}  // namespace
}  // namespace sallyport::ws
