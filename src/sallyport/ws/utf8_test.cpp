#include "sallyport/ws/utf8.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

namespace sallyport::ws {
namespace {

enum class Verdict { valid, unfinished, invalid };

/// Decodes one character after the other, as the table in RFC 3629 §4 has it.
Verdict reference(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const unsigned lead = byte(0);
    std::size_t length = 1;
    unsigned low = 0x80, high = 0xbf;
    if (lead >= 0x80) {
      if (lead < 0xc2 || lead > 0xf4) return Verdict::invalid;
      length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    }
    for (std::size_t i = 1; i < length; ++i) {
      if (at + i == text.size()) return Verdict::unfinished;
      if (byte(i) < low || byte(i) > high) return Verdict::invalid;
      low = 0x80;
      high = 0xbf;
    }
    at += length;
  }
  return Verdict::valid;
}

Verdict judge(std::string_view text) {
  Utf8Validator utf8;
  if (!utf8.add(bytes_of(text))) return Verdict::invalid;
  return utf8.complete() ? Verdict::valid : Verdict::unfinished;
}

TEST_CASE("utf8: every sequence of up to three bytes, and every lead of four") {
  std::string text;
  for (int a = 0; a < 256; ++a) {
    text.assign(1, static_cast<char>(a));
    REQUIRE(judge(text) == reference(text));
    for (int b = 0; b < 256; ++b) {
      text.resize(1);
      text += static_cast<char>(b);
      REQUIRE(judge(text) == reference(text));
      for (const int c : {0x00, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xff}) {
        text.resize(2);
        text += static_cast<char>(c);
        REQUIRE(judge(text) == reference(text));
        text += '\x80';
        REQUIRE(judge(text) == reference(text));
      }
    }
  }
}

TEST_CASE("utf8: fail-fast, and for good") {
  for (const std::string_view bad :
       {"\xc0", "\xc1", "\xf5", "\xff", "\x80", "\xe0\x9f", "\xed\xa0", "\xf0\x8f", "\xf4\x90", "\xc3\x28"}) {
    Utf8Validator utf8;
    for (std::size_t i = 0; i + 1 < bad.size(); ++i) CHECK(utf8.add(bytes_of(bad.substr(i, 1))));
    CHECK_FALSE(utf8.add(bytes_of(bad.substr(bad.size() - 1))));
    CHECK_FALSE(utf8.add(bytes_of("fine text that is long enough for the fast path")));
    CHECK_FALSE(utf8.complete());
  }
}

TEST_CASE("utf8: random text with random damage, masked, in random pieces") {
  std::mt19937 random(7);
  const std::vector<std::string> characters{"a",
                                            "z",
                                            " ",
                                            "plain ascii of some length, beyond one block of the fast path",
                                            "\xc3\xa4",
                                            "\xe2\x82\xac",
                                            "\xef\xbf\xbf",
                                            "\xf0\x9f\x98\x80",
                                            "\xf4\x8f\xbf\xbf"};
  int seen[3] = {};
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t count = random() % 30; count > 0; --count) text += characters[random() % characters.size()];
    if (random() % 2 == 0 && !text.empty()) text[random() % text.size()] = static_cast<char>(random());
    if (random() % 4 == 0) text.resize(random() % (text.size() + 1));
    const Verdict expected = reference(text);
    ++seen[static_cast<int>(expected)];

    const Mask mask{static_cast<Byte>(random()), static_cast<Byte>(random()), static_cast<Byte>(random()),
                    static_cast<Byte>(random())};
    std::vector<Byte> masked(text.size());
    unmask(bytes_of(text), masked, mask);
    Utf8Validator utf8;
    bool good = true;
    for (std::size_t at = 0; at < masked.size() && good;) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 70, masked.size() - at);
      good = utf8.add_masked(Bytes(masked).subspan(at, size), mask, at);
      at += size;
      // Never later than the first byte that settles it.
      REQUIRE(good == (reference(std::string_view(text).substr(0, at)) != Verdict::invalid));
    }
    REQUIRE((good ? utf8.complete() ? Verdict::valid : Verdict::unfinished : Verdict::invalid) == expected);
  }
  for (const int count : seen) CHECK(count > 100);
}

TEST_CASE("utf8: long text that is not ASCII, in pieces, with one wrong byte anywhere") {
  std::mt19937 random(11);
  const std::vector<std::string> characters{"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const std::size_t kinds = 1 + random() % characters.size();
    while (text.size() < 1500) text += characters[random() % kinds];
    text.insert(random() % 64, 1, '~');
    if (random() % 2 == 0) text[random() % text.size()] = static_cast<char>(random());
    const Mask mask{static_cast<Byte>(random()), 2, 3, 4};
    std::vector<Byte> masked(text.size());
    unmask(bytes_of(text), masked, mask);
    Utf8Validator utf8;
    bool good = true;
    for (std::size_t at = 0; at < masked.size() && good;) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 1400, masked.size() - at);
      good = utf8.add_masked(Bytes(masked).subspan(at, size), mask, at);
      at += size;
      REQUIRE(good == (reference(std::string_view(text).substr(0, at)) != Verdict::invalid));
    }
    if (good) REQUIRE(utf8.complete() == (reference(text) == Verdict::valid));
  }
}

}  // namespace
}  // namespace sallyport::ws
