#include "sallyport/jose/dpop.h"

#include "sallyport/jose/jwk.h"
#include "sallyport/jose/jws.h"

namespace sallyport::jose {
namespace {

constexpr int max_payload_depth = 8;
constexpr std::int64_t last_second = 253'402'300'799;  // 9999-12-31T23:59:59Z

Error invalid(std::string detail) { return Error{Reason::credential_invalid, "proof: " + std::move(detail)}; }

Result<std::string> text_claim(const json::Value& payload, std::string_view name) {
  const std::string* text = payload.find_string(name);
  if (!text || text->empty()) return invalid("no text `" + std::string(name) + "`");
  return *text;
}

}  // namespace

Result<DpopProof> verify_dpop(std::string_view compact) {
  const auto jws = parse_jws(compact, max_dpop_size);
  if (!jws.ok()) return invalid(jws.error().detail);
  const std::string* type = jws->header.find_string("typ");
  if (!type || *type != "dpop+jwt") return invalid("`typ` is not dpop+jwt");
  if (crypto::is_symmetric(jws->algorithm)) return invalid("made with a secret, which proves nothing");
  const json::Value* jwk = jws->header.find("jwk");
  if (!jwk) return invalid("no `jwk`");
  const auto key = Jwk::parse(*jwk, {KeyKinds::public_only, WeakSecrets::refused});
  if (!key.ok()) return invalid(key.error().detail);
  if (!key->verify(jws->algorithm, bytes_of(jws->signing_input), bytes_of(jws->signature)))
    return invalid("the signature is wrong, or of another algorithm than its key's");

  const auto payload = json::parse(jws->payload, max_payload_depth);
  if (!payload.ok() || !payload->object()) return invalid("the claims are no JSON object");
  DpopProof proof;
  proof.thumbprint = thumbprint(*key->public_key());
  TRY(proof.id, text_claim(*payload, "jti"));
  if (proof.id.size() > max_dpop_id_size) return invalid("a `jti` of " + std::to_string(proof.id.size()) + " bytes");
  TRY(proof.method, text_claim(*payload, "htm"));
  TRY(proof.url, text_claim(*payload, "htu"));
  const json::Value* issued = payload->find("iat");
  const std::int64_t* seconds = issued ? issued->integer() : nullptr;
  if (!seconds || *seconds < 0 || *seconds > last_second) return invalid("no time `iat`");
  proof.issued_at = from_unix_seconds(*seconds);
  if (payload->find("ath")) {
    TRY(proof.token_hash, text_claim(*payload, "ath"));
  }
  return proof;
}

}  // namespace sallyport::jose
