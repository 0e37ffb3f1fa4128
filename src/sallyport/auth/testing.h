#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sallyport/auth/chain.h"
#include "sallyport/base/clock.h"
#include "sallyport/http/testing.h"
#include "sallyport/store/memory/memory_backend.h"

/// Clients, stores and time for the tests of this folder and of those above it.
namespace sallyport::auth::testing {

/// The system's time, moved on at will; for tests that wait for real sockets.
class ShiftedClock final : public Clock {
 public:
  Instant now() const override { return system_.now() + shift_; }
  WallTime wall() const override {
    return system_.wall() + std::chrono::duration_cast<std::chrono::milliseconds>(shift_);
  }
  void advance(Duration by) { shift_ += by; }

 private:
  SystemClock system_;
  Duration shift_{};
};

/// A store of no use.
class BrokenStore final : public store::Store {
 public:
  enum class Way : std::uint8_t { down, silent };
  BrokenStore(net::Loop& loop, Way way) : loop_(loop), way_(way) {}

  net::Task<Result<void>> put_token(store::TokenRow) override { return answer<void>(); }
  net::Task<Result<std::optional<store::TokenRow>>> find_token(store::TokenHash) override {
    return answer<std::optional<store::TokenRow>>();
  }
  net::Task<Result<std::optional<store::TokenRow>>> revoke_token(std::string, WallTime) override {
    return answer<std::optional<store::TokenRow>>();
  }
  void note_use(store::TokenHash, WallTime) override {}
  net::Task<Result<void>> flush() override { return answer<void>(); }
  net::Task<Result<store::Revocation>> add_revocation(store::Revocation) override {
    return answer<store::Revocation>();
  }
  net::Task<Result<std::vector<store::Revocation>>> revocations(std::uint64_t, WallTime) override {
    return answer<std::vector<store::Revocation>>();
  }
  net::Task<Result<bool>> claim(std::string, WallTime) override { return answer<bool>(); }
  net::Task<Result<void>> put_once(std::string, std::string, WallTime) override { return answer<void>(); }
  net::Task<Result<std::optional<std::string>>> take_once(std::string, WallTime) override {
    return answer<std::optional<std::string>>();
  }
  net::Task<Result<std::optional<std::string>>> find_once(std::string, WallTime) override {
    return answer<std::optional<std::string>>();
  }
  net::Task<Result<std::size_t>> purge(WallTime) override { return answer<std::size_t>(); }

 private:
  template <class T>
  net::Task<Result<T>> answer() {
    net::Wake never(loop_);
    if (way_ == Way::silent) co_await never.next();
    co_return Error{Reason::store_unavailable, "the disk is gone"};
  }

  net::Loop& loop_;
  Way way_;
};

/// What a client presents.
struct Handshake {
  std::string fields;  ///< field lines, each with its CRLF
  std::string target = "/ws";
  http::OriginProof origin = http::OriginProof::absent;
  std::optional<std::string> in_band;
  std::shared_ptr<const crypto::ClientCertificate> certificate;
};
inline Handshake with_bearer(std::string_view token) {
  return {"Authorization: Bearer " + std::string(token) + "\r\n"};
}
inline Handshake with_in_band(std::string_view token) {
  Handshake handshake;
  handshake.in_band = std::string(token);
  return handshake;
}

/// A task under way.
template <class T>
class Pending {
 public:
  Pending(net::Loop& loop, net::Task<T> task) : loop_(loop), result_(std::make_shared<std::optional<T>>()) {
    loop.spawn(run(std::move(task), result_));
  }
  bool done() const { return result_->has_value(); }
  /// Turns the loop until the task is done, or gives up and throws.
  T wait() {
    for (int turns = 0; !done(); ++turns) {
      SALLYPORT_CHECK(turns < 2000);
      loop_.turn(std::chrono::milliseconds(5));
    }
    return std::move(**result_);
  }

 private:
  static net::Task<void> run(net::Task<T> task, std::shared_ptr<std::optional<T>> result) {
    result->emplace(co_await task);
  }
  net::Loop& loop_;
  std::shared_ptr<std::optional<T>> result_;
};

/// One loop with a store in memory, and clients that come to it.
class Scene {
 public:
  static constexpr Duration patience = std::chrono::seconds(10);

  explicit Scene(const Clock& clock) : loop(clock), http(loop), store(backend_.open(loop)) {}

  net::Loop loop;
  net::HttpClient http;
  crypto::FakeRandom random;

  net::Deadline deadline() const { return {loop.clock().now() + patience, Reason::auth_timeout}; }
  template <class T>
  T run(net::Task<T> task) {
    return Pending<T>(loop, std::move(task)).wait();
  }
  Pending<Verdict> start(const Authenticator& authenticator, const Handshake& handshake) {
    return Pending<Verdict>(loop, judge_task(authenticator, handshake, Here{loop, *store, http, random}, deadline()));
  }
  Verdict judge(const Authenticator& authenticator, const Handshake& handshake) {
    return start(authenticator, handshake).wait();
  }
  Result<Identity> judge(const Chain& chain, const Handshake& handshake) {
    return run(chain_task(chain, handshake, Here{loop, *store, http, random}, deadline()));
  }
  Result<Identity> renew(const Chain& chain, const Identity& present, const Handshake& handshake) {
    return run(renew_task(chain, present, handshake, Here{loop, *store, http, random}, deadline()));
  }

  std::vector<Result<Identity>> recheck(const Chain& chain, std::string step, std::vector<Identity> present) {
    return run(recheck_task(chain, std::move(step), std::move(present), Here{loop, *store, http, random}, deadline()));
  }
  std::vector<Verdict> recheck(const Authenticator& authenticator, std::vector<Identity> present) {
    return run(recheck_task(authenticator, std::move(present), Here{loop, *store, http, random}, deadline()));
  }

 private:
  store::MemoryBackend backend_;

 public:
  std::unique_ptr<store::Store> store;

 private:
  static http::Upgrade upgrade_of(const Handshake& handshake) {
    return http::testing::read_upgrade(http::testing::upgrade_text(handshake.target, handshake.fields)).value.value();
  }
  static std::optional<std::string_view> in_band_of(const Handshake& handshake) {
    if (!handshake.in_band) return std::nullopt;
    return std::string_view(*handshake.in_band);
  }
  static Evidence evidence_of(const Handshake& handshake, const http::Upgrade& upgrade, const Peer& peer) {
    Evidence evidence{&upgrade.request(), handshake.origin, peer, in_band_of(handshake)};
    evidence.subprotocols = upgrade.subprotocols();
    return evidence;
  }
  static net::Task<std::vector<Result<Identity>>> recheck_task(const Chain& chain, std::string step,
                                                               std::vector<Identity> present, Here here,
                                                               net::Deadline deadline) {
    co_return co_await chain.recheck(std::move(step), std::move(present), here, deadline);
  }
  static net::Task<std::vector<Verdict>> recheck_task(const Authenticator& authenticator, std::vector<Identity> present,
                                                      Here here, net::Deadline deadline) {
    co_return co_await authenticator.recheck(std::move(present), here, deadline);
  }
  static net::Task<Verdict> judge_task(const Authenticator& authenticator, Handshake handshake, Here here,
                                       net::Deadline deadline) {
    const http::Upgrade upgrade = upgrade_of(handshake);
    const Peer peer{{}, {}, handshake.certificate};
    const Evidence evidence = evidence_of(handshake, upgrade, peer);
    co_return co_await authenticator.authenticate(evidence, here, deadline);
  }
  static net::Task<Result<Identity>> chain_task(const Chain& chain, Handshake handshake, Here here,
                                                net::Deadline deadline) {
    const http::Upgrade upgrade = upgrade_of(handshake);
    const Peer peer{{}, {}, handshake.certificate};
    const Evidence evidence = evidence_of(handshake, upgrade, peer);
    co_return co_await chain.authenticate(evidence, here, deadline);
  }
  static net::Task<Result<Identity>> renew_task(const Chain& chain, const Identity& present, Handshake handshake,
                                                Here here, net::Deadline deadline) {
    const http::Upgrade upgrade = upgrade_of(handshake);
    const Peer peer{{}, {}, handshake.certificate};
    const Evidence evidence = evidence_of(handshake, upgrade, peer);
    co_return co_await chain.renew(present, evidence, here, deadline);
  }
};

/// The public name of the reason for which `verdict` refuses, `accept` or `not_mine`.
inline std::string_view name_of(const Verdict& verdict) {
  if (verdict.is_not_mine()) return "not_mine";
  return verdict.error() ? row(verdict.error()->reason).name : "accept";
}
inline std::string_view name_of(const Result<Identity>& result) {
  return result ? "accept" : row(result.error().reason).name;
}

}  // namespace sallyport::auth::testing
