#include "sallyport/auth/jwt/verified_tokens.h"

#include <algorithm>
#include <utility>

namespace sallyport::auth {

std::shared_ptr<const VerifiedTokens::Token> VerifiedTokens::find(const crypto::Sha256& hash,
                                                                  const KeySource::Snapshot& keys) {
  if (most_ == 0) return nullptr;
  const std::scoped_lock lock(mutex_);
  if (keys != keys_) {
    young_.clear();
    old_.clear();
    keys_ = keys;
  }
  std::shared_ptr<const Token> token;
  if (const auto young = young_.find(hash); young != young_.end()) {
    token = young->second;
  } else if (const auto old = old_.find(hash); old != old_.end()) {
    token = std::move(old->second);
    old_.erase(old);
    keep(hash, token);
  }
  ++(token ? counts_.found : counts_.not_found);
  return token;
}

void VerifiedTokens::add(const crypto::Sha256& hash, const KeySource::Snapshot& keys,
                         std::shared_ptr<const Token> token) {
  const std::scoped_lock lock(mutex_);
  if (most_ > 0 && keys == keys_) keep(hash, std::move(token));
}

void VerifiedTokens::keep(const crypto::Sha256& hash, std::shared_ptr<const Token> token) {
  young_.insert_or_assign(hash, std::move(token));
  if (young_.size() >= std::max<std::size_t>(1, most_ / 2)) {
    old_ = std::move(young_);
    young_ = {};
  }
}

VerifiedTokens::Counts VerifiedTokens::counts() const {
  const std::scoped_lock lock(mutex_);
  Counts counts = counts_;
  counts.kept = young_.size() + old_.size();
  return counts;
}

}  // namespace sallyport::auth
