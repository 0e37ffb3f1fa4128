#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sallyport/auth/sender_constraint.h"
#include "sallyport/config/schema.h"

namespace sallyport::auth {

/// Whether tokens must be bound to their owner. Those that are must be proved to be, either way.
enum class SenderConstraint : std::uint8_t { optional, required };
std::vector<config::EnumName<SenderConstraint>> enum_names(SenderConstraint);

struct JwtConfig {
  std::string issuer;
  std::vector<std::string> from = {"header", "subprotocol"};
  SenderConstraint sender_constraint = SenderConstraint::optional;
  DpopConfig dpop;
};

config::Schema<JwtConfig> jwt_schema();

}  // namespace sallyport::auth
