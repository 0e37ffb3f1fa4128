#include "sallyport/gateway/lockout.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "sallyport/crypto/random.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t ways = 4;
constexpr std::size_t sets = 8192;
constexpr auto proof_is_remembered = std::chrono::hours(24);

Duration wait_after(std::uint32_t failures, std::uint32_t allowed, const LockoutSettings& settings) {
  if (failures < allowed) return Duration::zero();
  const Duration longest = settings.longest;
  Duration wait = settings.first;
  for (std::uint32_t i = allowed; i < failures && wait < longest; ++i) wait *= 2;
  return std::min(wait, longest);
}

}  // namespace

Lockout::Lockout() { crypto::SystemRandom().fill(salt_); }

Lockout::Slot* Lockout::Table::find(std::uint64_t key) {
  if (slots_.empty()) return nullptr;
  Slot* const set = &slots_[key % sets * ways];
  Slot* const found = std::find_if(set, set + ways, [&](const Slot& slot) { return slot.key == key; });
  return found == set + ways ? nullptr : found;
}

Lockout::Slot& Lockout::Table::take(std::uint64_t key) {
  if (slots_.empty()) slots_.resize(sets * ways);
  if (Slot* const present = find(key)) return *present;
  Slot* const set = &slots_[key % sets * ways];
  Slot* const oldest =
      std::min_element(set, set + ways, [](const Slot& left, const Slot& right) { return left.last < right.last; });
  *oldest = {.key = key};
  return *oldest;
}

void Lockout::Table::forget(std::uint64_t key) {
  if (Slot* const present = find(key)) *present = {};
}

// Keyed, so that nobody can aim at somebody else's place.
std::uint64_t Lockout::key_of(std::string_view network, std::string_view rest) const {
  std::string text(reinterpret_cast<const char*>(salt_.data()), salt_.size());
  text.append(network).append(1, '\0').append(rest);
  const crypto::Sha256 digest = crypto::sha256(bytes_of(text));
  std::uint64_t key = 0;
  std::memcpy(&key, digest.data(), sizeof key);
  return std::max<std::uint64_t>(key, 1);
}

std::optional<Lockout::Sentence> Lockout::ask(const Attempt& attempt, const LockoutSettings& settings, Instant now) {
  if (!any_failure_.load(std::memory_order_relaxed)) return std::nullopt;
  const std::uint64_t claimant = key_of(attempt.network, attempt.claimant);
  const std::uint64_t network = key_of(attempt.network, "");
  const std::uint64_t credential = key_of(attempt.network, attempt.credential);
  const std::scoped_lock lock(mutex_);
  const auto left = [&](const Slot* slot, std::uint32_t allowed) {
    const Duration wait = slot ? wait_after(slot->failures, allowed, settings) : Duration::zero();
    // Another loop's clock may be ahead of this one's: what is no wait must not become one by that.
    return wait > Duration::zero() ? slot->last + wait - now : Duration::zero();
  };
  const Duration of_claimant = left(claimants_.find(claimant), settings.failures);
  const Duration of_network = left(networks_.find(network), settings.failures_per_ip);
  if (of_claimant <= Duration::zero() && of_network <= Duration::zero()) return std::nullopt;
  if (const Slot* known = proved_.find(credential); known && now - known->last < proof_is_remembered)
    return std::nullopt;
  return of_claimant >= of_network ? Sentence{Locked::claimant, of_claimant} : Sentence{Locked::network, of_network};
}

std::optional<Lockout::Sentence> Lockout::note_failure(const Attempt& attempt, Failure failure,
                                                       const LockoutSettings& settings, Instant now) {
  const std::uint64_t claimant = key_of(attempt.network, attempt.claimant);
  const std::uint64_t network = key_of(attempt.network, "");
  const std::uint64_t credential = key_of(attempt.network, attempt.credential);
  const std::scoped_lock lock(mutex_);
  any_failure_.store(true, std::memory_order_relaxed);
  const auto count = [&](Table& table, std::uint64_t key, std::uint32_t allowed) {
    Slot& slot = table.take(key);
    // Who was quiet for as long as they would have had to wait, and the longest wait on top, begins anew.
    if (now - slot.last > wait_after(slot.failures, allowed, settings) + settings.longest) slot.failures = 0;
    slot.failures = std::min(slot.failures + 1, allowed + 64);
    slot.last = now;
    return wait_after(slot.failures, allowed, settings);
  };
  proved_.forget(credential);
  const Duration of_claimant = count(claimants_, claimant, settings.failures);
  const Duration of_network =
      failure == Failure::guessed ? count(networks_, network, settings.failures_per_ip) : Duration::zero();
  if (of_claimant <= Duration::zero() && of_network <= Duration::zero()) return std::nullopt;
  return of_claimant >= of_network ? Sentence{Locked::claimant, of_claimant} : Sentence{Locked::network, of_network};
}

void Lockout::note_success(const Attempt& attempt, Instant now) {
  const std::uint64_t claimant = key_of(attempt.network, attempt.claimant);
  const std::uint64_t credential = key_of(attempt.network, attempt.credential);
  const std::scoped_lock lock(mutex_);
  claimants_.forget(claimant);
  proved_.take(credential).last = now;
}

}  // namespace sallyport::gateway
