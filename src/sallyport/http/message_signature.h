#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/crypto/algorithm.h"
#include "sallyport/http/request.h"
#include "sallyport/http/structured.h"

/// HTTP Message Signatures (RFC 9421): from a request to the bytes that its signature is about. Keys and time are the caller's.
namespace sallyport::http {

/// What a signature may cover of a request.
/// Lifetime: views into the request that it was made from.
struct SignableRequest {
  std::string_view method;
  Scheme scheme = Scheme::https;
  std::string authority;
  std::string_view path;
  std::string query;  ///< without its `?`
  const Headers& fields;
};

/// `request` without the query parameters `left_out`: those that carry its own signature. Path and host are in their only spelling,
/// which is what a signer signs.
/// Spec: RFC 9421 §2.2; the extended CONNECT of HTTP/2 counts as the GET that it stands for (RFC 8441 §5), since whoever signs for a
///       WebSocket cannot know which version will carry it.
SignableRequest signable(const Request& request, std::span<const std::string> left_out = {});

/// Who signed, when, and to what end (RFC 9421 §2.3). Hostile until the signature is proved.
struct SignatureParameters {
  std::optional<std::int64_t> created;  ///< seconds since 1970
  std::optional<std::int64_t> expires;  ///< seconds since 1970
  std::optional<std::string> nonce;
  std::optional<std::string> algorithm;  ///< `alg`
  std::optional<std::string> key_id;
  std::optional<std::string> tag;
};

/// One signature of a message. Proves nothing by itself.
struct MessageSignature {
  std::string label;
  structured::InnerList input;  ///< the covered components, in order, and the parameters
  SignatureParameters parameters;
  std::string signature;  ///< bytes
};

/// The signatures in Signature-Input and Signature, in their order; none when neither field is there.
/// Trust:  `fields` are hostile.
/// Units:  at most 8 signatures.
/// Errors: `request.invalid` when one field is there without the other, is no dictionary, has a label twice or one that the other
///         lacks; for a member that is no list of strings or no bytes; for parameters of the wrong type.
/// Spec:   RFC 9421 §4; stricter: the labels of both fields are the same.
Result<std::vector<MessageSignature>> parse_signatures(const Headers& fields);

/// A signature that travels otherwise: `input` is the text of one member of Signature-Input.
/// Trust: both are hostile. Errors: `request.invalid`.
Result<MessageSignature> parse_signature(std::string_view input, std::string signature);

/// The text that `input` says is signed.
/// Trust:  both are hostile.
/// Units:  at most 32 components.
/// Errors: `request.invalid` for more of them, for a component that is unknown, there twice, not in the request, has parameters that it cannot have, or a
///         value beyond ASCII; for a query parameter that is there twice.
/// Spec:   RFC 9421 §2.5; stricter: `sf` only for dictionaries known here; `req` and `tr` never, since this is a request without
///         trailers.
Result<std::string> signature_base(const SignableRequest& request, const structured::InnerList& input);

/// Whether `input` covers all of the component `name` (`@path`, `origin`), whichever way; `@target-uri` covers what it consists of.
bool covers(const structured::InnerList& input, std::string_view name);

/// What a signer states: `components` by name, then the parameters that are there.
structured::InnerList make_signature_input(std::span<const std::string> components,
                                           const SignatureParameters& parameters);

/// `hmac-sha256`, `ed25519`, `ecdsa-p256-sha256`, `ecdsa-p384-sha384`, `rsa-pss-sha512`; nothing for any other algorithm.
/// Spec: RFC 9421 §6.2.2; stricter: no `rsa-v1_5-sha256`.
std::optional<std::string_view> signature_algorithm_name(crypto::Algorithm algorithm);

}  // namespace sallyport::http
