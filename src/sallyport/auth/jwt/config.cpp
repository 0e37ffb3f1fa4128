#include "sallyport/auth/jwt/config.h"

#include "sallyport/auth/sources_field.h"

namespace sallyport::auth {

std::vector<config::EnumName<SenderConstraint>> enum_names(SenderConstraint) {
  return {{SenderConstraint::optional, "optional", "Bearer tokens are taken as well."},
          {SenderConstraint::required, "required", "Only tokens that are bound to a key or to a client certificate."}};
}

config::Schema<JwtConfig> jwt_schema() {
  return with_sources(config::schema<JwtConfig>(
      "auth.jwt", "Accepts signed JSON Web Tokens of one issuer.",
      config::field(&JwtConfig::issuer, "issuer", "The `name` of the one in `issuers` whose tokens count.",
                    config::required, config::example("main")),
      sources_field(&JwtConfig::from),
      config::field(
          &JwtConfig::sender_constraint, "sender_constraint",
          "Whether a token must be bound to its owner (`cnf`: DPoP, RFC 9449, or a client certificate, RFC 8705). One "
          "that is bound is never taken without the proof."),
      config::field(&JwtConfig::dpop, "dpop", "Proofs of possession (RFC 9449), which tokens with `cnf.jkt` need.",
                    dpop_schema())));
}

}  // namespace sallyport::auth
