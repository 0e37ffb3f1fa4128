#include "sallyport/auth/introspection/opinions.h"

#include <algorithm>
#include <cstring>

namespace sallyport::auth {

std::size_t Opinions::ByItsStart::operator()(const crypto::Sha256& hash) const {
  std::size_t start;
  std::memcpy(&start, hash.data(), sizeof start);
  return start;
}

const Opinions::Entry* Opinions::Kept::find(const crypto::Sha256& token) {
  if (const auto young = young_.find(token); young != young_.end()) return &young->second;
  const auto old = old_.find(token);
  if (old == old_.end()) return nullptr;
  Entry entry = std::move(old->second);
  old_.erase(old);
  put(token, std::move(entry));
  const auto moved = young_.find(token);
  return moved != young_.end() ? &moved->second : &old_.find(token)->second;
}

void Opinions::Kept::put(const crypto::Sha256& token, Entry entry) {
  if (most_ == 0) return;
  old_.erase(token);
  young_.insert_or_assign(token, std::move(entry));
  if (young_.size() >= std::max<std::size_t>(1, most_ / 2)) {
    old_ = std::move(young_);
    young_ = {};
  }
}

void Opinions::Kept::forget(const crypto::Sha256& token) {
  young_.erase(token);
  old_.erase(token);
}

std::shared_ptr<const Opinion> Opinions::find(const crypto::Sha256& token, Instant now) {
  const std::scoped_lock lock(mutex_);
  for (Kept* kept : {&good_, &bad_}) {
    const Entry* entry = kept->find(token);
    if (entry && now < entry->until) return entry->opinion;
    if (entry) kept->forget(token);
  }
  return nullptr;
}

void Opinions::put(const crypto::Sha256& token, std::shared_ptr<const Opinion> opinion, Instant until) {
  const std::scoped_lock lock(mutex_);
  for (Kept* kept : {&good_, &bad_}) {
    const Entry* entry = kept->find(token);
    if (entry && entry->opinion->asked_at > opinion->asked_at) return;
    if (entry) kept->forget(token);
  }
  (opinion->proven ? good_ : bad_).put(token, Entry{std::move(opinion), until});
}

std::size_t Opinions::size() const {
  const std::scoped_lock lock(mutex_);
  return good_.size() + bad_.size();
}

}  // namespace sallyport::auth
