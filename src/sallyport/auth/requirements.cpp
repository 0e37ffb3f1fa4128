#include "sallyport/auth/requirements.h"

#include <algorithm>

#include "sallyport/auth/claims.h"

namespace sallyport::auth {
namespace {

bool has(const std::vector<std::string>& list, const std::string& wanted) {
  return std::ranges::find(list, wanted) != list.end();
}

// A number and a truth value count as JSON writes them.
bool holds(const json::Value& claim, const std::vector<std::string>& any_of) {
  if (const json::Array* several = claim.array()) {
    return std::ranges::any_of(*several, [&](const json::Value& one) { return !one.array() && holds(one, any_of); });
  }
  if (claim.is_null() || claim.object()) return false;
  return has(any_of, claim.string() ? *claim.string() : json::dump(claim));
}

Error not_allowed(std::string what) { return {Reason::identity_not_allowed, std::move(what)}; }
Error step_up(std::string what) { return {Reason::identity_step_up, std::move(what)}; }

}  // namespace

Result<Identity> Requirements::check(Identity identity, WallTime now) const {
  for (const std::string& scope : scopes) {
    if (!has(identity->scopes, scope)) return not_allowed("scope '" + scope + "' is missing");
  }
  const auto has_role = [&](const std::string& role) { return has(identity->roles, role); };
  if (!roles.empty() && std::ranges::none_of(roles, has_role)) return not_allowed("none of the roles asked for");
  for (const RequiredClaim& claim : claims) {
    const json::Value* value = find_claim(identity->claims, claim.name);
    if (!value) return not_allowed("claim '" + claim.name + "' is missing");
    if (!holds(*value, claim.any_of)) return not_allowed("claim '" + claim.name + "' has another value");
  }
  if (same_subject) {
    for (const Identity& part : identity->parts) {
      if (part->subject != identity->subject) {
        return not_allowed("'" + part->mechanism + "' has proved another subject");
      }
    }
  }
  if (!acr.empty() && !has(acr, identity->acr)) return step_up("acr is '" + identity->acr + "'");
  for (const std::string& method : amr) {
    if (!has(identity->amr, method)) return step_up("amr lacks '" + method + "'");
  }
  if (!max_age) return identity;
  if (!identity->authenticated_at) return step_up("auth_time is missing, which max_age needs");
  const WallTime until = *identity->authenticated_at + *max_age;
  if (until <= now) return step_up("authenticated longer ago than max_age");
  if (until >= identity->expires_at) return identity;
  Proven shorter = *identity;
  shorter.expires_at = until;
  return Verdict::accept(std::move(shorter)).take();
}

std::vector<std::string> Requirements::claim_names() const {
  std::vector<std::string> names;
  for (const RequiredClaim& claim : claims) names.push_back(top_level_name(claim.name));
  return names;
}

config::Schema<Requirements> requirements_schema() {
  using namespace std::chrono_literals;
  using config::field;
  const auto claim = config::schema<RequiredClaim>(
      "routes.require.claims", "One claim, and the values that will do.",
      field(&RequiredClaim::name, "name", "A top-level name, or a JSON pointer (RFC 6901) when it starts with a slash.",
            config::required, config::example("department")),
      field(&RequiredClaim::any_of, "any_of",
            "Values, of which the claim is one or, if it is a list, holds one. Numbers and truth values as JSON writes "
            "them.",
            config::required, config::example("[ops, sre]")));
  return config::schema<Requirements>(
      "routes.require", "What an identity must be like, beyond being proved. All that is named must hold.",
      field(&Requirements::scopes, "scopes", "All of these.", config::example("[chat.read]")),
      field(&Requirements::roles, "roles", "At least one of these.", config::example("[member, admin]")),
      field(&Requirements::claims, "claims", "Claims of the token, of the session, or labels of a key.", claim),
      field(&Requirements::acr, "acr", "One of these authentication contexts.", config::example("[urn:example:gold]")),
      field(&Requirements::amr, "amr", "All of these authentication methods (RFC 8176).", config::example("[otp]")),
      field(&Requirements::max_age, "max_age",
            "How long ago the person may have authenticated. The connection ends when that is over, unless refreshed.",
            config::between(1s, std::chrono::seconds(24h * 31))),
      field(&Requirements::same_subject, "same_subject",
            "Mechanisms that prove an identity together (`all_of`) must name the same subject."));
}

}  // namespace sallyport::auth
