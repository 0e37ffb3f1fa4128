#include "sallyport/jose/jwt.h"

#include <algorithm>
#include <cmath>

namespace sallyport::jose {
namespace {

constexpr int max_payload_depth = 16;
constexpr std::int64_t last_second = 253'402'300'799;  // 9999-12-31T23:59:59Z

Error invalid(std::string detail) { return Error{Reason::credential_invalid, "token: " + std::move(detail)}; }

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

Result<void> check_type(const json::Value& header, const JwtPolicy& policy) {
  const std::string* typ = header.find_string("typ");
  if (typ && typ->empty()) return invalid("`typ` is empty");  // "" in the policy stands for its absence
  std::string_view type = typ ? std::string_view(*typ) : std::string_view();
  constexpr std::string_view prefix = "application/";
  if (equal_ignoring_case(type.substr(0, prefix.size()), prefix)) {
    type.remove_prefix(prefix.size());
    if (type.empty()) return invalid("`typ` is empty");
  }
  const bool allowed = std::any_of(policy.types.begin(), policy.types.end(),
                                   [&](const std::string& candidate) { return equal_ignoring_case(candidate, type); });
  if (!allowed) return invalid(typ ? "`typ` is not an allowed one" : "`typ` is missing");
  return {};
}

// Whether a backend would find this very text in the header that carries it: a control character could end the header, and a
// space at either end would be trimmed, making two subjects one.
bool is_header_safe(std::string_view text) {
  if (!text.empty() && (text.front() == ' ' || text.back() == ' ')) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return false;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
  }
  return true;
}

Error wrong(std::string_view claim, const char* what) { return invalid("claim `" + std::string(claim) + "` " + what); }

Result<std::string> checked_text(const json::Value& value, std::string_view claim) {
  const std::string* text = value.string();
  if (!text) return wrong(claim, "is no string");
  if (text->empty()) return wrong(claim, "is empty");
  if (!is_header_safe(*text)) return wrong(claim, "holds a control character or begins or ends with a space");
  return *text;
}

Result<std::string> optional_text(const json::Value& payload, std::string_view claim) {
  const json::Value* value = payload.find(claim);
  if (!value) return std::string();
  return checked_text(*value, claim);
}

Result<std::vector<std::string>> text_list(const json::Value& value, std::string_view claim) {
  const json::Array* array = value.array();
  if (!array) return wrong(claim, "is no array");
  std::vector<std::string> list;
  list.reserve(array->size());
  for (const json::Value& item : *array) {
    TRY(std::string text, checked_text(item, claim));
    list.push_back(std::move(text));
  }
  return list;
}

Result<std::vector<std::string>> optional_list(const json::Value& payload, std::string_view claim) {
  const json::Value* value = payload.find(claim);
  if (!value) return std::vector<std::string>();
  return text_list(*value, claim);
}

// Split at single spaces (RFC 6749 §3.3); an empty text is no scope at all.
Result<std::vector<std::string>> split_scopes(const json::Value& value, std::string_view claim) {
  const std::string* text = value.string();
  if (!text) return wrong(claim, "is no string");
  std::vector<std::string> scopes;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) scopes.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return scopes;
}

Result<std::vector<std::string>> read_scopes(const json::Value& payload) {
  const json::Value* scope = payload.find("scope");
  const json::Value* scp = payload.find("scp");
  if (scope && scp) return invalid("both `scope` and `scp`");
  std::vector<std::string> scopes;
  if (scope || scp) {
    const char* claim = scope ? "scope" : "scp";
    const json::Value& value = scope ? *scope : *scp;
    TRY(scopes, scp && scp->array() ? text_list(value, claim) : split_scopes(value, claim));
    for (const std::string& item : scopes) {
      if (!is_header_safe(item) || item.find(' ') != std::string::npos)
        return wrong(claim, "holds a space or a control character");
    }
  }
  return scopes;
}

Result<std::string> read_tenant(const json::Value& payload) {
  TRY(std::string tenant, optional_text(payload, "tenant"));
  TRY(std::string tid, optional_text(payload, "tid"));
  if (tenant.empty()) return tid;
  if (!tid.empty() && tid != tenant) return invalid("`tenant` and `tid` differ");
  return tenant;
}

Result<std::optional<WallTime>> optional_time(const json::Value& payload, std::string_view claim) {
  const json::Value* value = payload.find(claim);
  if (!value) return std::optional<WallTime>();
  if (const std::int64_t* seconds = value->integer()) {
    if (*seconds < 0 || *seconds > last_second) return wrong(claim, "is out of range");
    return std::optional<WallTime>(from_unix_seconds(*seconds));
  }
  if (const double* seconds = value->real()) {
    if (!(*seconds >= 0) || *seconds > static_cast<double>(last_second)) return wrong(claim, "is out of range");
    return std::optional<WallTime>(
        WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(std::floor(*seconds * 1000)))));
  }
  return wrong(claim, "is no number");
}

Result<std::vector<std::string>> read_audiences(const json::Value& payload) {
  const json::Value* aud = payload.find("aud");
  if (!aud) return wrong("aud", "is missing");
  if (aud->array()) return text_list(*aud, "aud");
  TRY(std::string one, checked_text(*aud, "aud"));
  return std::vector<std::string>{std::move(one)};
}

Result<Claims> read_claims(json::Value payload) {
  Claims claims;
  TRY(claims.issuer, optional_text(payload, "iss"));
  TRY(claims.subject, optional_text(payload, "sub"));
  TRY(claims.audiences, read_audiences(payload));
  TRY(const auto expires_at, optional_time(payload, "exp"));
  if (!expires_at) return wrong("exp", "is missing");
  claims.expires_at = *expires_at;
  TRY(claims.not_before, optional_time(payload, "nbf"));
  TRY(claims.issued_at, optional_time(payload, "iat"));
  TRY(claims.token_id, optional_text(payload, "jti"));
  TRY(claims.session_id, optional_text(payload, "sid"));
  TRY(claims.scopes, read_scopes(payload));
  TRY(claims.roles, optional_list(payload, "roles"));
  TRY(claims.tenant, read_tenant(payload));
  TRY(claims.acr, optional_text(payload, "acr"));
  TRY(claims.amr, optional_list(payload, "amr"));
  TRY(claims.auth_time, optional_time(payload, "auth_time"));
  TRY(std::string client_id, optional_text(payload, "client_id"));
  TRY(std::string azp, optional_text(payload, "azp"));
  claims.client_id = client_id.empty() ? std::move(azp) : std::move(client_id);
  claims.payload = std::move(payload);
  return claims;
}

std::string seconds_text(std::chrono::milliseconds duration) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(duration).count()) + " s";
}

Result<void> check_claims(const Claims& claims, const JwtPolicy& policy, WallTime now) {
  for (const std::string& name : policy.required) {
    const json::Value* value = claims.payload.find(name);
    if (!value || value->is_null()) return wrong(name, "is missing");
  }
  if (claims.issuer.empty()) return wrong("iss", "is missing");
  if (!contains(policy.issuers, claims.issuer)) return wrong("iss", "is not one of the issuers");
  const bool for_us = std::any_of(claims.audiences.begin(), claims.audiences.end(),
                                  [&](const std::string& audience) { return contains(policy.audiences, audience); });
  if (!for_us) return wrong("aud", "names none of our audiences");
  return check_validity(claims, policy, now);
}

Result<Claims> judge_claims(std::string_view payload_text, const JwtPolicy& policy, WallTime now) {
  auto payload = json::parse(payload_text, max_payload_depth);
  if (!payload.ok()) return invalid("claims: " + payload.error().detail);
  if (!payload->object()) return invalid("claims are no JSON object");
  TRY(Claims claims, read_claims(std::move(payload).value()));
  TRY_OK(check_claims(claims, policy, now));
  return claims;
}

}  // namespace

Result<void> check_validity(const Validity& validity, const JwtPolicy& policy, WallTime now) {
  if (validity.not_before && now + policy.leeway < *validity.not_before) {
    return invalid("not valid before " + seconds_text(*validity.not_before - now) + " from now");
  }
  if (validity.issued_at && now + policy.leeway < *validity.issued_at) {
    return invalid("issued " + seconds_text(*validity.issued_at - now) + " in the future");
  }
  const std::chrono::milliseconds lifetime =
      validity.issued_at ? validity.expires_at - *validity.issued_at : validity.expires_at - now - policy.leeway;
  if (lifetime > policy.max_lifetime) {
    return invalid("lifetime of " + seconds_text(lifetime) + ", " + seconds_text(policy.max_lifetime) + " allowed");
  }
  // Last, so that `credential.expired` sends for a new token only those whom a new token would help.
  if (now >= validity.expires_at + policy.leeway) {
    return Error{Reason::credential_expired, "token: expired " + seconds_text(now - validity.expires_at) + " ago"};
  }
  return {};
}

JwtVerdict verify_jwt(std::string_view token, const JwkSet& keys, const JwtPolicy& policy, WallTime now) {
  auto [jws, lookup, key] = verify_jws(token, keys, policy.algorithms, policy.max_token_bytes);
  if (!jws.ok()) return {std::move(jws).error(), lookup};
  if (auto type = check_type(jws->header, policy); !type.ok()) return {std::move(type).error(), lookup};
  return {judge_claims(jws->payload, policy, now), lookup, key};
}

std::string sign_jwt(const json::Object& extra, const json::Object& claims, const SigningKey& key) {
  return sign_jws(extra, json::dump(json::Value(claims)), key);
}

}  // namespace sallyport::jose
