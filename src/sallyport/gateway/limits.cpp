#include "sallyport/gateway/limits.h"

#include <algorithm>

namespace sallyport::gateway {
namespace {

constexpr std::size_t most_networks = 100'000;

}  // namespace

TokenBucket::TokenBucket(config::Rate rate, Instant now)
    : per_second_(static_cast<double>(rate.count) / static_cast<double>(rate.per.count())),
      burst_(std::max(1.0, static_cast<double>(rate.count))),
      tokens_(burst_),
      filled_(now) {}

bool TokenBucket::take(Instant now) {
  const double elapsed = std::chrono::duration<double>(now - filled_).count();
  filled_ = now;
  tokens_ = std::min(burst_, tokens_ + elapsed * per_second_);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

PendingLimit::Place PendingLimit::enter(std::uint32_t most) {
  if (count_.fetch_add(1, std::memory_order_relaxed) >= most) {
    count_.fetch_sub(1, std::memory_order_relaxed);
    return Place();
  }
  return Place(&count_);
}

HandshakeRates::Answer HandshakeRates::ask(const std::string& network, config::Rate rate, Instant now) {
  const std::scoped_lock lock(mutex_);
  // A peer that was quiet for as long as it takes to fill its buckets needs no memory.
  const Duration forget = std::max<Duration>(std::chrono::seconds(10), 2 * rate.per);
  if (now - swept_ > std::min<Duration>(forget, std::chrono::seconds(10))) {
    std::erase_if(peers_, [&](const auto& peer) { return now - peer.second.last > forget; });
    swept_ = now;
  }
  // Whoever owns many networks must not own our memory: beyond so many, strangers share one bucket.
  const bool full = peers_.size() >= most_networks && !peers_.contains(network);
  const Peer fresh{rate, TokenBucket(rate, now), TokenBucket(rate, now), now};
  const auto [found, is_new] = peers_.try_emplace(full ? std::string() : network, fresh);
  Peer& peer = found->second;
  if (peer.rate != rate) peer = fresh;
  peer.last = now;
  if (peer.polite.take(now)) return Answer::allowed;
  return peer.rude.take(now) ? Answer::refuse : Answer::drop;
}

Result<ConnectionCounts::Place> ConnectionCounts::enter(std::string key, std::uint32_t most, Reason full) {
  const std::scoped_lock lock(mutex_);
  const auto [entry, is_new] = counts_.try_emplace(std::move(key), 0);
  if (entry->second >= most) {
    if (is_new) counts_.erase(entry);
    return Error{full, std::to_string(most) + " connections are open"};
  }
  ++entry->second;
  return Place(this, &*entry);
}

std::size_t ConnectionCounts::keys() const {
  const std::scoped_lock lock(mutex_);
  return counts_.size();
}

void ConnectionCounts::leave(Entry& entry) {
  const std::scoped_lock lock(mutex_);
  if (--entry.second == 0) counts_.erase(counts_.find(entry.first));
}

}  // namespace sallyport::gateway
