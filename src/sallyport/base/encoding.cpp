#include "sallyport/base/encoding.h"

#include <array>
#include <cstdint>

namespace sallyport {
namespace {

constexpr std::string_view standard_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t no_digit = 0xFF;
using Inverse = std::array<std::uint8_t, 256>;

constexpr Inverse invert(std::string_view alphabet) {
  Inverse inverse{};
  for (auto& value : inverse) value = no_digit;
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    inverse[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return inverse;
}
constexpr Inverse standard_inverse = invert(standard_alphabet);
constexpr Inverse url_inverse = invert(url_alphabet);

Error invalid(const char* detail) { return Error{Reason::request_invalid, detail}; }

std::string encode(Bytes data, std::string_view alphabet) {
  std::string out(data.size() / 3 * 4, '\0');
  std::size_t i = 0;
  for (char* to = out.data(); i + 3 <= data.size(); i += 3) {
    const std::uint32_t group = std::uint32_t{data[i]} << 16 | std::uint32_t{data[i + 1]} << 8 | data[i + 2];
    *to++ = alphabet[group >> 18];
    *to++ = alphabet[group >> 12 & 63];
    *to++ = alphabet[group >> 6 & 63];
    *to++ = alphabet[group & 63];
  }
  if (data.size() - i == 1) {
    out += alphabet[data[i] >> 2];
    out += alphabet[data[i] << 4 & 63];
  } else if (data.size() - i == 2) {
    const std::uint32_t group = std::uint32_t{data[i]} << 8 | data[i + 1];
    out += alphabet[group >> 10];
    out += alphabet[group >> 4 & 63];
    out += alphabet[group << 2 & 63];
  }
  return out;
}

Result<std::string> decode(std::string_view text, const Inverse& inverse) {
  const std::size_t rest = text.size() % 4;
  if (rest == 1) return invalid("base64: impossible length");
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t group = 0;
  int bits = 0;
  for (const char character : text) {
    const std::uint8_t digit = inverse[static_cast<unsigned char>(character)];
    if (digit == no_digit) return invalid("base64: character outside the alphabet");
    group = group << 6 | digit;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(group >> bits & 0xFF);
    }
  }
  if ((group & ((1U << bits) - 1)) != 0) return invalid("base64: unused bits are set");
  return out;
}

}  // namespace

std::string base64url_encode(Bytes data) { return encode(data, url_alphabet); }

Result<std::string> base64url_decode(std::string_view text) { return decode(text, url_inverse); }

std::string base64_encode(Bytes data) {
  std::string out = encode(data, standard_alphabet);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return invalid("base64: length is no multiple of four");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  return decode(text.substr(0, text.size() - padding), standard_inverse);
}

std::string hex_encode(Bytes data) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(data.size() * 2);
  for (const Byte byte : data) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

Result<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return invalid("hex: odd length");
  bool lower = false;
  bool upper = false;
  const auto digit = [&](char character) -> int {
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return lower = true, character - 'a' + 10;
    if (character >= 'A' && character <= 'F') return upper = true, character - 'A' + 10;
    return -1;
  };
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return invalid("hex: not a digit");
    out += static_cast<char>(high << 4 | low);
  }
  if (lower && upper) return invalid("hex: digits of both cases");
  return out;
}

}  // namespace sallyport
