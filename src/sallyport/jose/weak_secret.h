#pragma once

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"

namespace sallyport::jose {

inline constexpr std::size_t min_secret_bytes = 32;

/// Allows `secret` as the key of an HMAC that strangers can attack offline: each token that it signs is a sample to test guesses on.
/// A pass does not prove strength: only well-known and patterned secrets are recognised.
/// Units:  bytes; 32 at least (RFC 7518 §3.2).
/// Errors: `config.invalid` when it is shorter; a documentation or library default, also repeated, padded or decorated; a key
///         printed in an RFC; one byte repeated, a sequence, or of fewer than 8 different bytes. The detail never quotes it.
Result<void> check_secret(Bytes secret);

}  // namespace sallyport::jose
