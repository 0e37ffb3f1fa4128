#include "sallyport/auth/opaque/opaque_token.h"

#include <array>
#include <cstdint>

#include "sallyport/auth/token.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t random_size = 32;
constexpr std::size_t checksum_size = 6;

// CRC-32 as in ISO 3309 and zlib: reflected, polynomial 0x04C11DB7. 53 characters at a time do not want a table.
std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

std::array<char, checksum_size> checksum_of(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::array<char, checksum_size> out;
  constexpr std::uint32_t base = digits.size();
  std::uint32_t rest = crc32(text);
  for (std::size_t place = checksum_size; place-- > 0; rest /= base) out[place] = digits[rest % base];
  return out;
}

}  // namespace

MintedToken mint_token(crypto::Random& random) {
  const Secret bytes(random.bytes(random_size));
  std::string text(opaque_token_prefix);
  text.reserve(opaque_token_size);
  const Secret encoded(base64url_encode(bytes.bytes()));
  text.append(encoded.reveal());
  const auto checksum = checksum_of(text);
  text.append(checksum.data(), checksum.size());
  SALLYPORT_CHECK(text.size() == opaque_token_size);
  const store::TokenHash hash = hash_of_token(text);
  return {Secret(std::move(text)), hash};
}

store::TokenHash hash_of_token(std::string_view token) { return crypto::sha256(bytes_of(token)); }

bool is_opaque_token(std::string_view text) {
  if (text.size() != opaque_token_size || !text.starts_with(opaque_token_prefix)) return false;
  const std::string_view checked = text.substr(0, text.size() - checksum_size);
  const auto checksum = checksum_of(checked);
  if (text.substr(checked.size()) != std::string_view(checksum.data(), checksum.size())) return false;
  return base64url_decode(checked.substr(opaque_token_prefix.size())).ok();
}

}  // namespace sallyport::auth
