#include "sallyport/auth/introspection/answer.h"

#include <algorithm>
#include <cmath>

#include "sallyport/auth/claim_readers.h"
#include "sallyport/auth/claims.h"
#include "sallyport/auth/text.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

Error no_answer(const std::string& what) { return {Reason::auth_unavailable, "introspection answer: " + what}; }
Error refused(const std::string& what) { return {Reason::credential_invalid, "introspected token: " + what}; }

// Reads members whose type the RFC gives; one that has another is the server's fault, so it says nothing about the token.
class Members {
 public:
  explicit Members(const json::Value& answer) : answer_(answer) {}

  Result<std::string> text(std::string_view name) const { return not_the_tokens_fault(read_text_claim(answer_, name)); }
  Result<std::vector<std::string>> list(std::string_view name) const {
    return not_the_tokens_fault(read_list_claim(answer_, name));
  }
  Result<std::vector<std::string>> scopes(std::string_view name) const {
    return not_the_tokens_fault(read_scopes_claim(answer_, name));
  }
  Result<std::vector<std::string>> text_or_list(std::string_view name) const {
    const json::Value* value = find_claim(answer_, name);
    if (!value || !value->string()) return list(name);
    TRY(std::string one, text(name));
    return std::vector<std::string>{std::move(one)};
  }
  Result<std::optional<WallTime>> time(std::string_view name) const {
    constexpr std::int64_t latest = 253402300799;  // the end of the year 9999
    const json::Value* value = find_claim(answer_, name);
    std::optional<WallTime> none;
    if (!value) return none;
    if (const std::int64_t* seconds = value->integer(); seconds && *seconds >= 0 && *seconds <= latest)
      return std::optional(from_unix_seconds(*seconds));
    if (const double* seconds = value->real(); seconds && *seconds >= 0 && *seconds <= static_cast<double>(latest))
      return std::optional(WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(std::floor(*seconds * 1000)))));
    return no_answer("'" + std::string(name) + "' is no time");
  }

 private:
  template <class T>
  static Result<T> not_the_tokens_fault(Result<T> read) {
    if (!read) return no_answer(read.error().detail);
    return read;
  }

  const json::Value& answer_;
};

bool names_one_of(const std::vector<std::string>& named, const std::vector<std::string>& wanted) {
  return std::ranges::any_of(named, [&](const auto& name) { return std::ranges::find(wanted, name) != wanted.end(); });
}

const std::string& or_else(const std::string& given, const std::string& usual) { return given.empty() ? usual : given; }

json::Object all_but_active(const json::Object& answer) {
  json::Object claims;
  for (const auto& member : answer) {
    if (member.first != "active") claims.push_back(member);
  }
  return claims;
}

// Whether the token is good now and meant for us, for whoever bears it.
Result<void> check_token(const json::Value& answer, const AnswerPolicy& policy, WallTime now) {
  const Members members(answer);
  TRY(const std::string issuer, members.text("iss"));
  if (!policy.issuer.empty() && issuer != policy.issuer) return refused("'iss' is not the configured issuer");
  TRY(const auto audience, members.text_or_list("aud"));
  if (!policy.audience.empty() && !names_one_of(audience, policy.audience))
    return refused("'aud' names another service");
  TRY(const std::string client, members.text("client_id"));
  if (!policy.clients.empty() && std::ranges::find(policy.clients, client) == policy.clients.end())
    return refused("'client_id' is another client's");
  TRY(const std::string type, members.text("token_type"));
  if (std::ranges::none_of(policy.token_types, [&](const auto& one) { return http::equal_ignoring_case(one, type); }))
    return refused("'token_type' is not accepted");
  // Bound to a key or a certificate (RFC 7800, RFC 8705): who cannot be asked to prove that must not be taken at their word.
  if (find_claim(answer, "cnf")) return refused("'cnf' binds it to a key, so it is no bearer token");
  TRY(const auto not_before, members.time("nbf"));
  if (not_before && *not_before > now + policy.leeway) return refused("'nbf' has not come yet");
  TRY(const auto expires, members.time("exp"));
  if (expires && *expires <= now) return Error{Reason::credential_expired, "introspected token: 'exp' is past"};
  return {};
}

}  // namespace

Result<Proven> read_answer(std::string_view body, const AnswerPolicy& policy, WallTime now) {
  const Result<json::Value> answer = json::parse(body);
  if (!answer) return no_answer(answer.error().detail);
  if (!answer->object()) return no_answer("no JSON object");
  const json::Value* active = answer->find("active");
  if (!active || !active->boolean()) return no_answer("'active' is missing or no boolean");
  if (!*active->boolean()) return refused("not active");

  const Members members(*answer);
  TRY_OK(check_token(*answer, policy, now));
  Proven proven;
  proven.mechanism = "introspection";
  TRY(proven.subject, members.text(or_else(policy.claims.subject, "sub")));
  TRY(proven.issuer, members.text("iss"));
  if (proven.issuer.empty()) proven.issuer = policy.source;
  TRY(proven.tenant, members.text(or_else(policy.claims.tenant, "tenant")));
  TRY(proven.session_id, members.text(or_else(policy.claims.session_id, "sid")));
  TRY(proven.token_id, members.text("jti"));
  TRY(proven.scopes, members.scopes(or_else(policy.claims.scopes, "scope")));
  TRY(proven.roles, members.list(or_else(policy.claims.roles, "roles")));
  TRY(proven.amr, members.list("amr"));
  TRY(proven.acr, members.text("acr"));
  TRY(proven.authenticated_at, members.time("auth_time"));
  TRY(proven.issued_at, members.time("iat"));
  TRY(const auto expires, members.time("exp"));
  proven.expires_at = expires.value_or(now + policy.lifetime);
  proven.claims = all_but_active(*answer->object());
  if (proven.subject.empty()) return refused("'" + or_else(policy.claims.subject, "sub") + "' is missing");
  return proven;
}

}  // namespace sallyport::auth
