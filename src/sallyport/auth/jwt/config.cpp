#include "sallyport/auth/jwt/config.h"

#include "sallyport/auth/sources_field.h"

namespace sallyport::auth {

config::Schema<JwtConfig> jwt_schema() {
  return with_sources(config::schema<JwtConfig>(
      "auth.jwt", "Accepts signed JSON Web Tokens of one issuer.",
      config::field(&JwtConfig::issuer, "issuer", "The `name` of the one in `issuers` whose tokens count.",
                    config::required, config::example("main")),
      sources_field(&JwtConfig::from)));
}

}  // namespace sallyport::auth
