#pragma once

#include <string_view>

#include "sallyport/base/secret.h"
#include "sallyport/crypto/random.h"
#include "sallyport/store/store.h"

/// The text of an opaque token: `spt_`, 256 random bits in base64url (43 characters), and six characters of checksum: the CRC-32 of
/// the 47 before it, in base 62 with leading zeros. The prefix and the checksum let a scanner of repositories and logs know a
/// token for certain, offline; they prove nothing, and no answer depends on them.
namespace sallyport::auth {

inline constexpr std::size_t opaque_token_size = 53;

struct MintedToken {
  Secret token;  ///< to be shown once, to its owner, and kept nowhere
  store::TokenHash hash{};
};

/// A fresh token that nobody can guess, and what the store keeps of it.
MintedToken mint_token(crypto::Random& random);

/// What the store keeps of `token`, well-formed or not.
store::TokenHash hash_of_token(std::string_view token);

/// Whether `text` has the form of an opaque token, checksum included. Trust: `text` is hostile.
bool is_opaque_token(std::string_view text);

}  // namespace sallyport::auth
