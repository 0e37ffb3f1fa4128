#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "sallyport/auth/identity.h"
#include "sallyport/auth/jwt/keys.h"
#include "sallyport/auth/sender_constraint.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/jose/jwt.h"

namespace sallyport::auth {

/// The tokens of one issuer that were proved lately, by the hash of their text, so that a client that comes again with the same token
/// does not cost a second proof. It holds nothing that was refused, and only what depends on neither time nor revocation: who finds a
/// token here asks about those as if it had just been proved.
/// Threads: any.
class VerifiedTokens {
 public:
  struct Token {
    jose::Validity validity;
    Proven proven;
    Confirmation confirmation = {};  ///< to be proved each time that the token is shown
  };

  /// Units: `most` tokens are kept; 0: none.
  explicit VerifiedTokens(std::size_t most) : most_(most) {}

  /// The token with this hash if a key of these very `keys` proved it; nullptr when there is none. The first question with another
  /// set forgets all that the earlier one proved.
  std::shared_ptr<const Token> find(const crypto::Sha256& hash, const KeySource::Snapshot& keys);
  /// Keeps a token that verify_jwt() has accepted by `keys`; those that were not asked for the longest go first. Nothing is kept when
  /// another set of keys is in use by now.
  void add(const crypto::Sha256& hash, const KeySource::Snapshot& keys, std::shared_ptr<const Token> token);

  struct Counts {
    std::size_t kept = 0;
    std::uint64_t found = 0;
    std::uint64_t not_found = 0;
  };
  Counts counts() const;

 private:
  struct ByItsStart {
    std::size_t operator()(const crypto::Sha256& hash) const {
      std::size_t start;
      std::memcpy(&start, hash.data(), sizeof start);
      return start;
    }
  };
  using Generation = std::unordered_map<crypto::Sha256, std::shared_ptr<const Token>, ByItsStart>;
  void keep(const crypto::Sha256& hash, std::shared_ptr<const Token> token);

  const std::size_t most_;
  mutable std::mutex mutex_;
  KeySource::Snapshot keys_;
  // What is asked for moves to the younger one; when that holds half of what may be kept, the older one goes.
  Generation young_;
  Generation old_;
  Counts counts_;
};

}  // namespace sallyport::auth
