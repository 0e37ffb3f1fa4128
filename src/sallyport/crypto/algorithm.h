#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sallyport::crypto {

/// Ways to sign or to make a MAC, called as JOSE calls them (RFC 7518 §3.1, RFC 8037 §3.1). EdDSA is Ed25519 only.
enum class Algorithm : std::uint8_t {
  HS256,
  HS384,
  HS512,
  RS256,
  RS384,
  RS512,
  PS256,
  PS384,
  PS512,
  ES256,
  ES384,
  ES512,
  EdDSA,
};
inline constexpr Algorithm all_algorithms[] = {Algorithm::HS256, Algorithm::HS384, Algorithm::HS512, Algorithm::RS256,
                                               Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384,
                                               Algorithm::PS512, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512,
                                               Algorithm::EdDSA};
inline constexpr std::size_t algorithm_count = std::size(all_algorithms);

constexpr std::string_view name(Algorithm algorithm) {
  constexpr std::string_view names[] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
                                        "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"};
  return names[static_cast<std::size_t>(algorithm)];
}

/// The algorithm of that exact name; "Ed25519" (RFC 9864) is another name of EdDSA. Nothing else, "none" included.
constexpr std::optional<Algorithm> parse_algorithm(std::string_view text) {
  for (const Algorithm algorithm : all_algorithms) {
    if (name(algorithm) == text) return algorithm;
  }
  if (text == "Ed25519") return Algorithm::EdDSA;
  return std::nullopt;
}

/// Whether the key is a secret that both sides hold.
constexpr bool is_symmetric(Algorithm algorithm) { return algorithm <= Algorithm::HS512; }

}  // namespace sallyport::crypto
