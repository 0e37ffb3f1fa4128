#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/base/secret.h"

namespace sallyport::auth {

/// Where a token travels.
enum class TokenPlace : std::uint8_t {
  header,       ///< `Authorization: Bearer <token>` (RFC 6750 §2.1)
  subprotocol,  ///< `bearer.<token>` among those offered; all that a browser's WebSocket lets a page set
  cookie,       ///< counts only beside an allowed Origin, since browsers attach it by themselves
  query,        ///< seen by every log on the way (RFC 6750 §5.3); for clients that can do no better
  in_band,      ///< in a control message inside the socket
};

/// A place where a plug looks for its token.
struct TokenSource {
  TokenPlace place = TokenPlace::header;
  std::string name;  ///< of the cookie or the parameter; empty elsewhere

  bool operator==(const TokenSource&) const = default;
};

/// Reads `header`, `subprotocol`, `cookie:NAME` or `query:NAME`.
/// Errors: `config.invalid`, its detail written for whoever wrote the configuration.
Result<TokenSource> parse_token_source(std::string_view text);
/// All of `texts`. Errors: `config.invalid` also for a place named twice and for an empty list.
Result<std::vector<TokenSource>> parse_token_sources(std::span<const std::string> texts);
/// The text that parse_token_source() reads.
std::string show(const TokenSource& source);

/// Longer tokens are refused unread.
/// Units: bytes.
inline constexpr std::size_t max_token_size = 8 * 1024;
/// The start of the subprotocol that carries a token; compared without regard to case.
inline constexpr std::string_view token_subprotocol_prefix = "bearer.";

/// The start of an opaque token and of nothing else: it tells whose concern a token is.
inline constexpr std::string_view opaque_token_prefix = "spt_";
/// The start of a ticket and of nothing else.
inline constexpr std::string_view ticket_prefix = "spk_";
/// Whether `token` is of one of our own kinds, so that it is no concern of a mechanism for tokens of others.
inline bool is_of_own_kind(std::string_view token) {
  return token.starts_with(opaque_token_prefix) || token.starts_with(ticket_prefix);
}

/// Which tokens are a mechanism's own, where several on a route look at the same places. The form of a token tells, and nothing else, so
/// that a bad token of one kind never becomes a question for another mechanism. Opaque tokens of ours are among none of them.
enum class TokenForms : std::uint8_t {
  any,
  json_web,  ///< two or four dots, and in front of the first the base64url of a text that begins with a brace
  other_than_json_web,  ///< those that are not
};

/// Trust: `token` is hostile.
bool is_among(std::string_view token, TokenForms forms);

/// What an Authorization line says of the token in it; `bearer` in every other place.
enum class TokenScheme : std::uint8_t {
  bearer,
  dpop,  ///< a proof of possession comes with it (RFC 9449 §7.1)
};
/// The schemes that a mechanism takes. One that knows no proofs must not take tokens that promise one.
enum class TokenSchemes : std::uint8_t { bearer, bearer_or_dpop };

struct PresentedToken {
  Secret token;  ///< hostile; 1 to max_token_size bytes of the `b64token` alphabet (RFC 6750 §2.1)
  TokenPlace place = TokenPlace::header;
  TokenScheme scheme = TokenScheme::bearer;
};

/// The one token in `evidence`: the one that came in band, or else the one at one of `sources`. Nothing when none is there.
/// An Authorization line of another scheme than `schemes` holds no token. Where proofs are taken, one may stand behind a token that came in
/// band, a space between.
/// Trust:  `evidence` is hostile.
/// Errors: `credential.ambiguous` when there is more than one, in one place or in several, even if they are equal, and for two
///         Authorization lines of whatever scheme; `origin.missing` for one in a cookie without an Origin; `credential.invalid` for
///         one that is empty, too long or holds a byte that no token holds.
/// Spec:   RFC 6750 §2; stricter: one space after `Bearer`; the alphabet of §2.1 holds in every place.
Result<std::optional<PresentedToken>> find_token(const Evidence& evidence, std::span<const TokenSource> sources,
                                                 TokenSchemes schemes = TokenSchemes::bearer);

/// Has `sources` taken out of what the backend sees.
void add_to(http::Strip& strip, std::span<const TokenSource> sources);

}  // namespace sallyport::auth
