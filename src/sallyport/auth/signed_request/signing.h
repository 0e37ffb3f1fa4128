#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sallyport/base/result.h"
#include "sallyport/http/message_signature.h"
#include "sallyport/http/url.h"
#include "sallyport/jose/jwk.h"

namespace sallyport::auth {

/// A signature that was made, in the two forms in which it travels.
struct RequestSignature {
  std::string input;      ///< what Signature-Input has behind the label and `=`
  std::string signature;  ///< bytes

  /// The values of the two fields, under one label.
  std::string signature_input_field() const;
  std::string signature_field() const;
  /// `sp-signature-input=…&sp-signature=…`, to be put behind the `?` or `&` of the URL that was signed.
  std::string parameters() const;
};

/// `request` signed with `key`, which also gives `keyid` and `alg`.
/// Errors: `request.invalid` when a component is not in the request; `config.invalid` when the algorithm of `key` is none of request
///         signatures.
Result<RequestSignature> sign_request(const http::SignableRequest& request, std::span<const std::string> components,
                                      http::SignatureParameters parameters, const jose::SigningKey& key);

/// A URL of a WebSocket or of HTTP, as somebody types it: where to connect, and what of it is signed.
struct RequestUrl {
  bool is_websocket = true;
  http::Scheme scheme = http::Scheme::https;
  std::string authority;  ///< without the port that the scheme implies
  std::string path;       ///< in its only spelling
  std::string query;      ///< without its `?`

  /// The URL again, `parameters` behind its query; empty: none.
  std::string with(std::string_view parameters) const;
};

/// Errors: `request.invalid`, its detail written for whoever typed it.
Result<RequestUrl> parse_request_url(std::string_view text);

}  // namespace sallyport::auth
