#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "sallyport/base/bytes.h"

/// AES as other people's applications use it for what they hand out and take back.
namespace sallyport::crypto {

/// Units: bytes.
inline constexpr std::size_t gcm_nonce_size = 12;
inline constexpr std::size_t gcm_tag_size = 16;
inline constexpr std::size_t aes_block_size = 16;

/// The plain text, or nothing when `tag` does not prove `sealed` and `aad` under this key and nonce.
/// Trust: everything but the key is hostile; a nonce of other than 12 bytes or a tag of other than 16 proves nothing.
/// Units: the key has 16, 24 or 32 bytes; another length is a bug.
/// Spec:  NIST SP 800-38D; stricter: one size of nonce and tag, since a cut tag is a cheap forgery.
/// Threads: any, for all of these.
std::optional<std::string> open_aes_gcm(Bytes key, Bytes nonce, Bytes aad, Bytes sealed, Bytes tag);

struct Sealed {
  std::string text;
  std::string tag;
};
/// What open_aes_gcm() opens. `nonce` was never used with this key before, or both texts are lost.
Sealed seal_aes_gcm(Bytes key, Bytes nonce, Bytes aad, Bytes plain);

/// The plain text without its padding, or nothing when the length or the padding is wrong.
/// Trust: proves nothing. `sealed` and `iv` were verified by a MAC before, or whoever asks often enough reads all.
/// Units: the key has 16, 24 or 32 bytes; another length is a bug. `iv` has 16.
/// Spec:  NIST SP 800-38A §6.2, padding of PKCS #7 (RFC 5652 §6.3).
std::optional<std::string> decrypt_aes_cbc(Bytes key, Bytes iv, Bytes sealed);
/// What decrypt_aes_cbc() decrypts.
std::string encrypt_aes_cbc(Bytes key, Bytes iv, Bytes plain);

}  // namespace sallyport::crypto
