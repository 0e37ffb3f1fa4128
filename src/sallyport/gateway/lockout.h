#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::gateway {

struct LockoutSettings {
  std::uint32_t failures = 5;
  std::uint32_t failures_per_ip = 30;
  std::chrono::milliseconds first{1000};
  std::chrono::milliseconds longest = std::chrono::minutes(15);
};

/// Whoever fails to prove a credential again and again waits, longer each time. Counted twice: by whom the credential claims to speak for,
/// seen from one network, and by the network alone. A claim is worth nothing before it is proved, so nobody can lock somebody else out
/// from another network by it; and whoever has proved the very credential that they present, from that network, is let through whatever
/// their neighbours did.
///
/// Memory is fixed: tables that forget the oldest when they are full. Whoever makes them forget has only made room for others.
/// Threads: any.
class Lockout {
 public:
  /// Who presents what; each is a digest, so that what is kept here is no credential.
  struct Attempt {
    std::string_view network;
    std::string_view claimant;    ///< whom the credential claims to speak for, or the credential itself
    std::string_view credential;  ///< all of it, as it was presented
  };
  /// What a refused credential may have been.
  enum class Failure : std::uint8_t {
    guessed,  ///< never good, as far as anybody can tell
    outlived,  ///< good once: expired or revoked. Counts for its claimant only: the whole of an office comes back with such from lunch
  };
  enum class Locked : std::uint8_t { claimant, network };
  struct Sentence {
    Locked what;
    Duration wait;
  };

  Lockout();

  /// Whether an attempt is to be refused unseen, and for how much longer.
  std::optional<Sentence> ask(const Attempt& attempt, const LockoutSettings& settings, Instant now);
  /// Counts a failure; what it has brought about, when that is new.
  std::optional<Sentence> note_failure(const Attempt& attempt, Failure failure, const LockoutSettings& settings,
                                       Instant now);
  void note_success(const Attempt& attempt, Instant now);

 private:
  struct Slot {
    std::uint64_t key = 0;  // 0: free
    Instant last{};
    std::uint32_t failures = 0;
  };
  // Four places for each key; the one that was quiet for the longest time gives way.
  class Table {
   public:
    Slot* find(std::uint64_t key);
    Slot& take(std::uint64_t key);
    void forget(std::uint64_t key);

   private:
    std::vector<Slot> slots_;  // none until the first is taken
  };
  std::uint64_t key_of(std::string_view network, std::string_view rest) const;

  std::array<Byte, 16> salt_;
  std::mutex mutex_;
  Table claimants_;
  Table networks_;
  Table proved_;
  std::atomic<bool> any_failure_{false};
};

}  // namespace sallyport::gateway
