#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"
#include "sallyport/config/value.h"
#include "sallyport/gateway/lockout.h"

/// What keeps one peer from taking what belongs to all. Counted over all loops, at the start and the end of a connection only;
/// the data path counts in its own connection.
namespace sallyport::gateway {

/// So many in such a time. What was not used is kept up to one `count`, so that it may come in one burst.
class TokenBucket {
 public:
  TokenBucket(config::Rate rate, Instant now);
  /// Takes one when there is one.
  bool take(Instant now);

 private:
  double per_second_;
  double burst_;
  double tokens_;
  Instant filled_;
};

/// Sockets that have not proved anything yet.
class PendingLimit {
 public:
  /// Holds one place for as long as it lives.
  class Place {
   public:
    Place() = default;
    explicit Place(std::atomic<std::uint32_t>* count) : count_(count) {}
    Place(Place&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(count_, other.count_);
      return *this;
    }
    ~Place() { leave(); }
    void leave() {
      if (count_) count_->fetch_sub(1, std::memory_order_relaxed);
      count_ = nullptr;
    }
    explicit operator bool() const { return count_ != nullptr; }

   private:
    std::atomic<std::uint32_t>* count_ = nullptr;
  };

  /// A place, or an empty one when `most` are taken. Threads: any.
  Place enter(std::uint32_t most);
  std::uint32_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> count_{0};
};

/// How often each network may start a handshake.
class HandshakeRates {
 public:
  enum class Answer : std::uint8_t {
    allowed,
    refuse,  ///< beyond the rate: worth an answer
    drop,    ///< beyond twice the rate: not worth a TLS handshake
  };
  /// Threads: any.
  Answer ask(const std::string& network, config::Rate rate, Instant now);

 private:
  struct Peer {
    config::Rate rate;
    TokenBucket polite;
    TokenBucket rude;
    Instant last;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Peer> peers_;
  Instant swept_{};
};

/// How many connections each key (a network, an identity; per route) has.
class ConnectionCounts {
  using Entry = std::pair<const std::string, std::uint32_t>;

 public:
  /// Holds one count for as long as it lives.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : counts_(std::exchange(other.counts_, nullptr)), entry_(other.entry_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(counts_, other.counts_);
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~Place() {
      if (counts_) counts_->leave(*entry_);
    }

   private:
    friend class ConnectionCounts;
    Place(ConnectionCounts* counts, Entry* entry) : counts_(counts), entry_(entry) {}
    ConnectionCounts* counts_ = nullptr;
    Entry* entry_ = nullptr;  // of the map, where it stays while anybody is counted in it
  };

  /// Errors: `full` when `most` are there. Threads: any.
  Result<Place> enter(std::string key, std::uint32_t most, Reason full);
  std::size_t keys() const;

 private:
  void leave(Entry& entry);
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::uint32_t> counts_;
};

/// What a socket holds until it has proved something: a place among all, and one among those of its network.
struct PendingPlaces {
  PendingLimit::Place among_all;
  ConnectionCounts::Place among_its_network;
};

/// The counts that all loops share.
struct SharedLimits {
  PendingLimit pending;
  ConnectionCounts pending_by_network;
  ConnectionCounts waiting_by_network;
  HandshakeRates handshakes;
  Lockout lockout;
  ConnectionCounts by_network;
  ConnectionCounts by_identity;
};

}  // namespace sallyport::gateway
