#pragma once

#include "sallyport/gateway/endpoints.h"

/// The token service, as its clients see it. Refusals are those of RFC 6749 §5.2 where it has words for them.
namespace sallyport::gateway {

/// `POST token`. Grants: `client_credentials` (an application, for itself), `urn:sallyport:grant:user` (an application, for the user that it
/// names), `urn:sallyport:grant:route` (a user, by whatever credential a route accepts), `refresh_token`. With `keep=cookie` a refresh token
/// goes into a cookie that no page can read, and stays there.
/// Spec: RFC 6749 §4.4, §5, §6; RFC 6819 §5.2.2.3.
net::Task<Result<http::Response>> issue_tokens(Call& call);

/// `POST token/revoke`: of a refresh token the whole login, of an access token itself; live connections end with it.
/// Spec: RFC 7009; looser: whoever has a token may give it up, without being a client.
net::Task<Result<http::Response>> revoke_tokens(Call& call);

/// `POST token/introspect`, for clients with a secret: access and refresh tokens of this service, and opaque tokens.
/// Spec: RFC 7662.
net::Task<Result<http::Response>> introspect_token(Call& call);

/// `GET token/jwks.json`: the keys that access tokens are verified with.
net::Task<Result<http::Response>> give_token_keys(Call& call);

}  // namespace sallyport::gateway
