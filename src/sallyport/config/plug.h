#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/config/schema.h"

namespace sallyport::config {

/// How far a plug may be relied on.
enum class Maturity : std::uint8_t {
  experimental,  ///< may change or vanish in any release
  preview,       ///< complete; its settings may still change
  stable,        ///< changes only as the changelog announces
};

/// Whose bytes a plug was made to face.
enum class Posture : std::uint8_t {
  hostile_clients,  ///< hardened against anyone who can reach the listener
  trusted_peers,    ///< only to be used where each peer is known and trusted
};

std::string_view name_of(Maturity maturity);
std::string_view name_of(Posture posture);

/// What a plug says of itself. The layer that owns a kind of plug adds how one is made from its settings; the
/// configuration, the reference page and the threat model need no more than this.
struct Plug {
  std::string name;  ///< its key in the configuration: `jwt`
  Maturity maturity;
  Posture posture;
  std::vector<std::string> specs;  ///< the documents it implements: `RFC 7519`
  AnySchema schema;
};

/// The alternatives that a field of Choices has when it takes any of `plugs`: `one_of(choices(plugs))`.
std::vector<Alternative> choices(const std::vector<Plug>& plugs);

/// A Markdown table of `plugs`: name, maturity, posture, specifications, what its schema says of it.
std::string plug_table(const std::vector<Plug>& plugs);

}  // namespace sallyport::config
