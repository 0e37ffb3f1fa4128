#include "sallyport/auth/sender_constraint.h"

#include <algorithm>

#include "sallyport/auth/within.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/client_authorities.h"
#include "sallyport/crypto/constant_time.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/http/grammar.h"
#include "sallyport/jose/dpop.h"

namespace sallyport::auth {
namespace {

Error invalid(std::string detail) { return {Reason::credential_invalid, std::move(detail)}; }

bool has_prefix(std::string_view text, std::string_view prefix) {
  return http::equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

// The one proof that came with the token.
Result<std::string> find_proof(const Evidence& evidence, std::span<const TokenSource> sources) {
  if (evidence.in_band) {
    const auto space = evidence.in_band->find(' ');
    if (space == std::string_view::npos) return invalid("the token is bound to a key, and no proof stands behind it");
    return std::string(evidence.in_band->substr(space + 1));
  }
  std::vector<std::string_view> proofs;
  if (evidence.request) proofs = evidence.request->headers().find_all("dpop");
  const bool in_subprotocols =
      std::ranges::any_of(sources, [](const TokenSource& source) { return source.place == TokenPlace::subprotocol; });
  for (const std::string_view offered : evidence.subprotocols) {
    if (in_subprotocols && has_prefix(offered, proof_subprotocol_prefix))
      proofs.push_back(offered.substr(proof_subprotocol_prefix.size()));
  }
  if (proofs.empty()) return invalid("the token is bound to a key, and no proof came with it");
  if (proofs.size() > 1) return Error{Reason::credential_ambiguous, "more than one proof of possession"};
  return std::string(proofs.front());
}

// Whether `text` names what `request` asks for: the same host, port and path; its query and fragment are not looked at.
bool is_url_of(const std::string& text, const http::Request& request) {
  const auto colon = text.find("://");
  if (colon == std::string::npos) return false;
  const std::string_view given = std::string_view(text).substr(0, colon);
  const bool secure = http::equal_ignoring_case(given, "https") || http::equal_ignoring_case(given, "wss");
  const bool plain = http::equal_ignoring_case(given, "http") || http::equal_ignoring_case(given, "ws");
  // Where there is no TLS here, it may have ended at a proxy, whose clients know the secure URL only.
  if (!secure && !(plain && request.scheme() == http::Scheme::http)) return false;
  std::string_view rest = std::string_view(text).substr(colon + 3);
  const auto end = rest.find_first_of("/?#");
  auto authority = http::parse_authority(rest.substr(0, end));
  if (!authority.ok()) return false;
  const auto scheme = secure ? http::Scheme::https : http::Scheme::http;
  if (http::without_default_port(std::move(*authority), scheme) != request.authority()) return false;
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  rest = rest.substr(0, rest.find_first_of("?#"));
  const auto path = http::parse_path(rest.empty() ? std::string_view("/") : rest);
  return path.ok() && *path == request.path();
}

Result<void> check_request(const jose::DpopProof& proof, const Evidence& evidence) {
  if (evidence.in_band || !evidence.request) return {};
  const http::Request& request = *evidence.request;
  // An extended CONNECT stands for the GET of a handshake (RFC 8441 §5), which is all that its client knows of.
  const bool handshake = request.protocol() != http::Protocol::none;
  if (proof.method != request.method() && !(handshake && proof.method == "GET"))
    return invalid("proof: `htm` is not the method of this request");
  if (!is_url_of(proof.url, request)) return invalid("proof: `htu` is not the URL of this request");
  return {};
}

Result<WallTime> check_time(const jose::DpopProof& proof, const DpopConfig& policy, WallTime now) {
  const auto seconds = [](std::chrono::milliseconds span) {
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(span).count()) + " s";
  };
  if (proof.issued_at > now + policy.skew)
    return invalid("proof: made " + seconds(proof.issued_at - now) +
                   " in the future: the clock of the client is ahead");
  const WallTime until = proof.issued_at + policy.window + policy.skew;
  if (now >= until)
    return Error{Reason::credential_expired, "proof: made " + seconds(now - proof.issued_at) + " ago: too old"};
  return until;
}

bool same_text(const std::string& left, const std::string& right) {
  return crypto::equal(bytes_of(left), bytes_of(right));
}

// Everything about a proof but whether it was used before, and until when that must be remembered.
struct JudgedProof {
  std::string claim_key;
  WallTime good_until;
};

Result<JudgedProof> judge_proof(const Confirmation& confirmation, const PresentedToken& token, const Evidence& evidence,
                                std::span<const TokenSource> sources, const DpopConfig& policy, WallTime now) {
  if (token.place == TokenPlace::header && token.scheme != TokenScheme::dpop)
    return invalid("the token is bound to a key, but was presented as a bearer token");
  TRY(const std::string text, find_proof(evidence, sources));
  TRY(const jose::DpopProof proof, jose::verify_dpop(text));
  if (!same_text(proof.thumbprint, confirmation.key)) return invalid("proof: made with another key than the bound one");
  const std::string hash = base64url_encode(crypto::sha256(token.token.bytes()));
  if (!same_text(proof.token_hash, hash)) return invalid("proof: `ath` is not of this token");
  TRY_OK(check_request(proof, evidence));
  TRY(const WallTime until, check_time(proof, policy, now));
  const std::string name = proof.thumbprint + ':' + proof.id;
  return JudgedProof{"dpop:" + hex_encode(crypto::sha256(bytes_of(name))), until};
}

Result<void> check_certificate(const Confirmation& confirmation, const Peer& peer, WallTime now) {
  if (!peer.certificate) return invalid("the token is bound to a certificate, and the client showed none");
  if (!same_text(base64url_encode((*peer.certificate)->thumbprint), confirmation.certificate))
    return invalid("the token is bound to another certificate");
  // It was verified when the connection began, which may be hours and a revocation list ago.
  return peer.certificate->verify_again(now);
}

Result<std::string> thumbprint_member(const json::Value& value, const std::string& name) {
  const std::string* text = value.string();
  const auto bytes = text ? base64url_decode(*text) : Result<std::string>(std::string());
  if (!bytes.ok() || bytes->size() != crypto::Sha256().size())
    return invalid("`cnf` has a member \"" + name + "\" that is no SHA-256 thumbprint");
  return *text;
}

}  // namespace

Result<Confirmation> parse_confirmation(const json::Value& claims) {
  Confirmation confirmation;
  const json::Value* value = claims.find("cnf");
  if (!value) return confirmation;
  if (!value->object() || value->object()->empty()) return invalid("`cnf` says nothing that could be proved");
  for (const auto& [name, member] : *value->object()) {
    if (name == "jkt") {
      TRY(confirmation.key, thumbprint_member(member, name));
    } else if (name == "x5t#S256") {
      TRY(confirmation.certificate, thumbprint_member(member, name));
    } else {
      return invalid("`cnf` binds the token in a way that is not understood");
    }
  }
  return confirmation;
}

config::Schema<DpopConfig> dpop_schema() {
  using namespace std::chrono_literals;
  using config::field;
  return config::schema<DpopConfig>(
      "auth.jwt.dpop", "Proofs of possession (RFC 9449), which tokens with `cnf.jkt` need.",
      field(&DpopConfig::window, "window", "How long after `iat` a proof is taken. Its `jti` is remembered that long.",
            config::between(1s, 1h)),
      field(&DpopConfig::skew, "skew", "Clock difference tolerated on `iat`.", config::between(0s, 300s)));
}

bool is_credential_subprotocol(std::string_view subprotocol) {
  return has_prefix(subprotocol, token_subprotocol_prefix) || has_prefix(subprotocol, proof_subprotocol_prefix);
}

net::Task<Result<void>> prove_sender(const Confirmation& confirmation, const PresentedToken& token,
                                     const Evidence& evidence, std::span<const TokenSource> sources, DpopConfig policy,
                                     Here& here, net::Deadline deadline) {
  if (!confirmation.certificate.empty()) CO_TRY_OK(check_certificate(confirmation, evidence.peer, here.loop.wall()));
  if (confirmation.key.empty()) {
    if (token.scheme == TokenScheme::dpop)
      co_return invalid("the token was presented with the scheme DPoP, but is bound to no key");
    co_return Result<void>();
  }
  CO_TRY(const JudgedProof judged, judge_proof(confirmation, token, evidence, sources, policy, here.loop.wall()));
  net::Task<Result<bool>> claiming = here.store.claim(judged.claim_key, judged.good_until);
  CO_TRY(const bool first, co_await within(here.loop, std::move(claiming), deadline));
  if (!first) co_return Error{Reason::credential_replayed, "proof: its `jti` was used before"};
  co_return Result<void>();
}

void add_proofs_to(http::Strip& strip, std::span<const TokenSource> sources) {
  const auto add = [](std::vector<std::string>& list, std::string_view name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.emplace_back(name);
  };
  add(strip.headers, "DPoP");
  for (const TokenSource& source : sources) {
    if (source.place == TokenPlace::subprotocol) add(strip.subprotocol_prefixes, proof_subprotocol_prefix);
  }
}

}  // namespace sallyport::auth
