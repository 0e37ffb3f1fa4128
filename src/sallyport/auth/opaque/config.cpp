#include "sallyport/auth/opaque/config.h"

#include "sallyport/auth/sources_field.h"

namespace sallyport::auth {

config::Schema<OpaqueConfig> opaque_schema() {
  return with_sources(config::schema<OpaqueConfig>(
      "auth.opaque", "Accepts random tokens that `sallyport token issue` made and the store knows.",
      sources_field(&OpaqueConfig::from)));
}

}  // namespace sallyport::auth
