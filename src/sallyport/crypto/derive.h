#pragma once

#include <cstddef>
#include <cstdint>

#include "sallyport/base/bytes.h"
#include "sallyport/base/secret.h"

/// Keys made from other keys.
namespace sallyport::crypto {

enum class DerivationHash : std::uint8_t { sha1, sha256 };

/// `size` bytes of PBKDF2 with HMAC (RFC 8018 §5.2).
/// Units: at least one iteration, 1 to 512 bytes; others are bugs. Takes as long as `iterations` say.
/// Threads: any, for both.
Secret derive_pbkdf2(DerivationHash hash, Bytes password, Bytes salt, unsigned iterations, std::size_t size);

/// `size` bytes of HKDF with SHA-256, extracted and expanded (RFC 5869).
/// Units: 1 to 512 bytes; others are bugs.
Secret derive_hkdf_sha256(Bytes secret, Bytes salt, Bytes info, std::size_t size);

}  // namespace sallyport::crypto
