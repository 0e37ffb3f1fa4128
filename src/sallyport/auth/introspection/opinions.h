#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "sallyport/auth/identity.h"
#include "sallyport/base/clock.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth {

/// What a server said of a token.
struct Opinion {
  std::shared_ptr<const Proven> proven;  ///< null: it is refused
  Error refusal{Reason::credential_invalid, {}};
  Instant asked_at;  ///< before the question was sent
};

/// The latest opinions, by the hash of the token and never by the token itself. Good and bad ones have room of their own, so that a
/// flood of invented tokens drives no good one out.
/// Threads: any.
class Opinions {
 public:
  /// Units: `most` of each kind are kept; 0: none.
  explicit Opinions(std::size_t most) : good_(most), bad_(most) {}

  /// Nullptr when there is none that holds at `now`.
  std::shared_ptr<const Opinion> find(const crypto::Sha256& token, Instant now);
  /// Keeps `opinion` until `until`, in place of an older one. One that was asked for before the one that is here is not kept.
  void put(const crypto::Sha256& token, std::shared_ptr<const Opinion> opinion, Instant until);
  std::size_t size() const;

 private:
  struct Entry {
    std::shared_ptr<const Opinion> opinion;
    Instant until;
  };
  struct ByItsStart {
    std::size_t operator()(const crypto::Sha256& hash) const;
  };
  using Generation = std::unordered_map<crypto::Sha256, Entry, ByItsStart>;

  // What is asked for moves to the younger generation; when that holds half of what may be kept, the older one goes.
  class Kept {
   public:
    explicit Kept(std::size_t most) : most_(most) {}
    const Entry* find(const crypto::Sha256& token);
    void put(const crypto::Sha256& token, Entry entry);
    void forget(const crypto::Sha256& token);
    std::size_t size() const { return young_.size() + old_.size(); }

   private:
    const std::size_t most_;
    Generation young_;
    Generation old_;
  };

  mutable std::mutex mutex_;
  Kept good_;
  Kept bad_;
};

}  // namespace sallyport::auth
