#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sallyport/crypto/certificate.h"

namespace sallyport::crypto {

class ClientAuthorities;

/// A certificate whose chain was verified, by whom, and all that is needed to verify it again. Made only by ClientAuthorities.
/// Threads: any; immutable.
class ClientCertificate {
 public:
  const Certificate& operator*() const { return facts_; }
  const Certificate* operator->() const { return &facts_; }
  /// Whether those who verified it would accept it now. Costs next to nothing while nothing that they read has changed.
  /// Errors: as ClientAuthorities::verify().
  Result<void> verify_again(WallTime now) const;
  /// Whether `others` would accept it now. Errors: as ClientAuthorities::verify().
  Result<void> verify_by(const ClientAuthorities& others, WallTime now) const;
  const ClientAuthorities& authorities() const { return *authorities_; }

 private:
  friend class ClientAuthorities;
  ClientCertificate() = default;
  Certificate facts_;
  std::vector<std::string> chain_;  // as it was presented, the leaf first
  std::shared_ptr<const ClientAuthorities> authorities_;
  std::uint64_t generation_ = 0;
  WallTime good_until_{};  // of the whole chain
};

/// Which authorities may vouch for clients, and what they have taken back.
struct ClientTrust {
  std::string ca_file;   ///< PEM; each certificate in it is an anchor, no root above it is needed
  std::string crl_file;  ///< PEM or DER; empty: revocation is not looked at
  unsigned depth = 3;    ///< intermediate certificates between the anchor and the client's
  /// Without an extended key usage a certificate says nothing of what it is for.
  enum class Purpose : std::uint8_t { client, client_or_unsaid } purpose = Purpose::client;
  bool operator==(const ClientTrust&) const = default;
};

/// The authorities that client certificates are verified against, as their files say at present.
/// Threads: any.
class ClientAuthorities : public std::enable_shared_from_this<ClientAuthorities> {
 public:
  /// Errors: `config.invalid` naming the file and what is wrong.
  static Result<std::shared_ptr<ClientAuthorities>> load(const ClientTrust& trust);
  ~ClientAuthorities();
  ClientAuthorities(const ClientAuthorities&) = delete;
  ClientAuthorities& operator=(const ClientAuthorities&) = delete;

  /// Reads the files again where they have changed. True when what they say is new. Blocks: for a loop that serves nobody.
  /// Errors: `config.invalid`; then what was read before stays in force.
  Result<bool> refresh();
  /// Counts what refresh() found; whoever remembers an answer compares it.
  std::uint64_t generation() const;
  /// The earliest moment at which a revocation list should have been replaced; nullopt: there is none.
  std::optional<WallTime> crl_next_update() const;
  const ClientTrust& trust() const { return trust_; }

  /// Verifies `chain`: certificates in DER, the client's own first, then, in any order, those between it and an anchor.
  /// Trust:  `chain` is hostile. That its sender holds the private key is for the caller to know.
  /// Errors: `credential.expired`, `credential.revoked`; `keys.unavailable` when a revocation list that is needed is absent, past its
  ///         nextUpdate or not its issuer's; `credential.invalid` for everything else: no path to an anchor, not yet valid, not for clients, an authority's
  ///         own certificate, a name outside its authority's constraints, too deep, a key or a hash below 112 bits of security.
  /// Spec:   RFC 5280 §6. Stricter: a leaf must have the extended key usage clientAuth (see ClientTrust::Purpose) and be no CA; with a
  ///         crl_file every certificate below the anchor needs a list of its issuer that is up to date. Looser: an anchor may be any
  ///         certificate.
  Result<std::shared_ptr<const ClientCertificate>> verify(std::vector<std::string> chain, WallTime now) const;

 private:
  struct State;
  explicit ClientAuthorities(ClientTrust trust) : trust_(std::move(trust)) {}
  std::shared_ptr<const State> state() const;
  Result<std::shared_ptr<State>> read() const;
  Result<Certificate> judge(const State& state, std::span<const std::string> chain, WallTime now,
                            WallTime& good_until) const;
  friend class ClientCertificate;

  ClientTrust trust_;
  mutable std::mutex mutex_;
  std::shared_ptr<const State> state_;
};

}  // namespace sallyport::crypto
