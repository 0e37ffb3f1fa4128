#include "sallyport/auth/jwt/jwt.h"

#include <algorithm>

#include "sallyport/auth/claim_readers.h"
#include "sallyport/auth/claims.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth {

Result<Proven> make_proven(jose::Claims claims, const ClaimNames& names) {
  const json::Value& payload = claims.payload;
  Proven proven;
  proven.mechanism = "jwt";
  proven.issuer = std::move(claims.issuer);
  proven.subject = std::move(claims.subject);
  proven.tenant = std::move(claims.tenant);
  proven.session_id = std::move(claims.session_id);
  proven.token_id = std::move(claims.token_id);
  proven.scopes = std::move(claims.scopes);
  proven.roles = std::move(claims.roles);
  proven.amr = std::move(claims.amr);
  proven.acr = std::move(claims.acr);
  proven.authenticated_at = claims.auth_time;
  proven.issued_at = claims.issued_at;
  proven.expires_at = claims.expires_at;
  if (!names.subject.empty()) {
    TRY(proven.subject, read_text_claim(payload, names.subject));
  }
  if (!names.tenant.empty()) {
    TRY(proven.tenant, read_text_claim(payload, names.tenant));
  }
  if (!names.session_id.empty()) {
    TRY(proven.session_id, read_text_claim(payload, names.session_id));
  }
  if (!names.scopes.empty()) {
    TRY(proven.scopes, read_scopes_claim(payload, names.scopes));
  }
  if (!names.roles.empty()) {
    TRY(proven.roles, read_list_claim(payload, names.roles));
  }
  if (proven.subject.empty()) {
    const std::string name = names.subject.empty() ? "sub" : names.subject;
    return Error{Reason::credential_invalid, "claim '" + name + "' is missing"};
  }
  return proven;
}

namespace {

// The key that signed the token, and the set that it is one of.
struct SigningKeyOf final : Grounds {
  explicit SigningKeyOf(std::shared_ptr<const jose::Jwk> its_key) : key(std::move(its_key)) {}
  std::shared_ptr<const jose::Jwk> key;
};

// One token before one issuer.
class Trial {
 public:
  Trial(const Issuer& issuer, std::string_view token, WallTime now)
      : issuer_(issuer), token_(token), hash_(crypto::sha256(bytes_of(token))), now_(now) {}

  // What was proved before by the same keys, as long as its time is not over. One whose time is over is judged in full, so that a
  // refusal takes no less time for a token that was good once.
  std::optional<Verdict> recall(const KeySource::Snapshot& keys, Confirmation& out) const {
    const auto known = issuer_.verified->find(hash_, keys);
    if (!known || !jose::check_validity(known->validity, issuer_.policy, now_)) return std::nullopt;
    out = known->confirmation;
    return Verdict::accept(std::shared_ptr<const Proven>(known, &known->proven));
  }

  jose::JwtVerdict judge(const jose::JwkSet& keys) const {
    return jose::verify_jwt(token_, keys, issuer_.policy, now_);
  }

  // `out` is what the token says of whom it is bound to.
  Verdict conclude(jose::JwtVerdict verdict, const KeySource::Snapshot& keys, Confirmation& out) const {
    if (!verdict.claims) return Verdict::refuse(std::move(verdict.claims).error());
    Result<Confirmation> confirmation = parse_confirmation(verdict.claims->payload);
    if (!confirmation) return Verdict::refuse(std::move(confirmation).error());
    out = *confirmation;
    const jose::Validity validity = *verdict.claims;
    json::Value kept = keep_claims(verdict.claims->payload, issuer_.kept_claims);
    Result<Proven> proven = make_proven(std::move(*verdict.claims), issuer_.claims);
    if (proven) proven->claims = std::move(kept);
    if (!proven) return Verdict::refuse(std::move(proven).error());
    proven->token_hash = hex_encode(hash_);
    proven->key_bound = !confirmation->empty();
    proven->grounds = std::make_shared<SigningKeyOf>(std::shared_ptr<const jose::Jwk>(keys, verdict.key));
    const auto token =
        std::make_shared<const VerifiedTokens::Token>(validity, std::move(*proven), std::move(*confirmation));
    issuer_.verified->add(hash_, keys, token);
    return Verdict::accept(std::shared_ptr<const Proven>(token, &token->proven));
  }

 private:
  const Issuer& issuer_;
  std::string_view token_;
  crypto::Sha256 hash_;
  WallTime now_;
};

}  // namespace

net::Task<Verdict> JwtAuthenticator::authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const {
  Result<std::optional<PresentedToken>> found = find_token(evidence, sources_, TokenSchemes::bearer_or_dpop);
  if (!found) co_return Verdict::refuse(std::move(found).error());
  if (!*found || !is_among((*found)->token.reveal(), tokens_)) co_return Verdict::not_mine();
  const PresentedToken token = std::move(**found);

  Confirmation confirmation;
  Verdict verdict = co_await judge(token, here, deadline, confirmation);
  if (!verdict.identity()) co_return verdict;
  if (confirmation.empty() && sender_constraint_ == SenderConstraint::required) {
    co_return Verdict::refuse(
        Error{Reason::credential_invalid, "the token is bound to nobody, and the route takes no bearer tokens"});
  }
  // After the token itself, so that nobody but its holder can have anything remembered.
  const Result<void> proved = co_await prove_sender(confirmation, token, evidence, sources_, dpop_, here, deadline);
  if (!proved.ok()) co_return Verdict::refuse(proved.error());
  co_return verdict;
}

net::Task<Verdict> JwtAuthenticator::judge(const PresentedToken& presented, Here& here, net::Deadline deadline,
                                           Confirmation& out) const {
  const std::string_view token = presented.token.reveal();
  const KeySource::Snapshot keys = issuer_->keys->snapshot();
  std::optional<jose::JwtVerdict> verdict;
  if (keys) {
    const Trial trial(*issuer_, token, here.loop.wall());
    if (auto known = trial.recall(keys, out)) co_return std::move(*known);
    verdict.emplace(trial.judge(*keys));
    if (verdict->lookup != jose::KeyLookup::unknown_kid) co_return trial.conclude(std::move(*verdict), keys, out);
  }
  // The issuer may have changed its keys since they were read.
  auto newer = co_await issuer_->keys->newer_than(keys, here.loop, deadline);
  if (!newer) co_return Verdict::refuse(std::move(newer).error());
  if (!*newer) {
    co_return Verdict::refuse(Error{Reason::keys_unavailable, "issuer '" + issuer_->name + "' has no keys yet"});
  }
  const Trial trial(*issuer_, token, here.loop.wall());
  if (!verdict || *newer != keys) verdict.emplace(trial.judge(**newer));
  co_return trial.conclude(std::move(*verdict), *newer, out);
}

net::Task<std::vector<Verdict>> JwtAuthenticator::recheck(std::vector<Identity> present, Here&, net::Deadline) const {
  const KeySource::Snapshot keys = issuer_->keys->snapshot();
  std::vector<Verdict> verdicts;
  for (Identity& one : present) {
    const auto* grounds = dynamic_cast<const SigningKeyOf*>(one->grounds.get());
    SALLYPORT_CHECK(grounds);
    const auto signed_it = [&](const jose::Jwk& key) { return key.same_key(*grounds->key); };
    if (!keys) {
      verdicts.push_back(
          Verdict::refuse(Error{Reason::keys_unavailable, "issuer '" + issuer_->name + "' has no keys yet"}));
    } else if (std::ranges::any_of(keys->keys(), signed_it)) {
      verdicts.push_back(Verdict::accept(std::move(one)));
    } else {
      verdicts.push_back(Verdict::refuse(
          Error{Reason::credential_revoked, "issuer '" + issuer_->name + "' no longer has the key that signed it"}));
    }
  }
  co_return verdicts;
}

Result<std::shared_ptr<const Authenticator>> make_authenticator(const JwtConfig& config,
                                                                std::span<const std::shared_ptr<const Issuer>> issuers,
                                                                TokenForms tokens) {
  TRY(auto sources, parse_token_sources(config.from));
  const auto issuer =
      std::find_if(issuers.begin(), issuers.end(), [&](const auto& one) { return one->name == config.issuer; });
  if (issuer == issuers.end()) return Error{Reason::config_invalid, "no issuer is called '" + config.issuer + "'"};
  return std::shared_ptr<const Authenticator>(
      std::make_shared<JwtAuthenticator>(*issuer, std::move(sources), tokens, config.sender_constraint, config.dpop));
}

config::Plug jwt_plug() {
  return {"jwt",
          config::Maturity::preview,
          config::Posture::hostile_clients,
          {"RFC 6750", "RFC 7515", "RFC 7517", "RFC 7518", "RFC 7519", "RFC 7800", "RFC 8037", "RFC 8705", "RFC 8725",
           "RFC 9068", "RFC 9449"},
          jwt_schema()};
}

}  // namespace sallyport::auth
