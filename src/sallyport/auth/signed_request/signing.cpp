#include "sallyport/auth/signed_request/signing.h"

#include "sallyport/auth/signed_request/signed_request.h"
#include "sallyport/base/encoding.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

constexpr std::string_view label = "sallyport";

std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (http::is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

Error misused(std::string detail) { return {Reason::request_invalid, std::move(detail)}; }

}  // namespace

std::string RequestSignature::signature_input_field() const { return std::string(label) + '=' + input; }

std::string RequestSignature::signature_field() const {
  return std::string(label) + "=:" + base64_encode(bytes_of(signature)) + ':';
}

std::string RequestSignature::parameters() const {
  std::string out(signature_input_parameter);
  out.append("=").append(escaped(input)).append("&").append(signature_parameter);
  return out.append("=").append(base64url_encode(bytes_of(signature)));
}

Result<RequestSignature> sign_request(const http::SignableRequest& request, std::span<const std::string> components,
                                      http::SignatureParameters parameters, const jose::SigningKey& key) {
  const auto algorithm = http::signature_algorithm_name(key.algorithm());
  if (!algorithm) {
    return Error{Reason::config_invalid, "requests are signed with HS256, EdDSA, ES256, ES384 or PS512, not with " +
                                             std::string(crypto::name(key.algorithm()))};
  }
  parameters.algorithm = std::string(*algorithm);
  parameters.key_id = key.kid();
  const http::structured::InnerList input = http::make_signature_input(components, parameters);
  TRY(const std::string base, http::signature_base(request, input));
  return RequestSignature{http::structured::serialize(input), key.sign(bytes_of(base))};
}

std::string RequestUrl::with(std::string_view parameters) const {
  const bool secure = scheme == http::Scheme::https;
  std::string out = is_websocket ? (secure ? "wss://" : "ws://") : (secure ? "https://" : "http://");
  out += authority + path;
  if (!query.empty()) out += '?' + query;
  if (!parameters.empty()) out.append(query.empty() ? "?" : "&").append(parameters);
  return out;
}

Result<RequestUrl> parse_request_url(std::string_view text) {
  RequestUrl out;
  std::string as_http(text);
  if (text.starts_with("wss://")) {
    as_http.replace(0, 3, "https");
  } else if (text.starts_with("ws://")) {
    as_http.replace(0, 2, "http");
  } else {
    out.is_websocket = false;
  }
  const auto url = http::parse_http_url(as_http);
  if (!url.ok()) return misused("URL such as wss://chat.example.com/ws expected: " + url.error().detail);
  out.scheme = url->scheme;
  out.authority = http::without_default_port(url->authority, url->scheme).text();
  const auto mark = url->target.find('?');
  out.path = url->target.substr(0, mark);
  if (mark != std::string::npos) out.query = url->target.substr(mark + 1);
  return out;
}

}  // namespace sallyport::auth
