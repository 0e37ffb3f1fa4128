#include <algorithm>
#include <chrono>

#include "sallyport/auth/signed_request/signing.h"
#include "sallyport/base/clock.h"
#include "sallyport/base/encoding.h"
#include "sallyport/cli/console.h"
#include "sallyport/cli/key_file.h"
#include "sallyport/cli/verbs.h"
#include "sallyport/config/value.h"
#include "sallyport/crypto/random.h"
#include "sallyport/http/grammar.h"

namespace sallyport::cli {
namespace {

constexpr auto longest_time = std::chrono::hours(24);

Error misused(std::string detail) { return {Reason::request_invalid, std::move(detail)}; }

Result<http::Headers> read_fields(const Arguments& arguments) {
  http::Headers fields;
  if (const auto origin = arguments.find("--origin")) fields.add("Origin", *origin);
  for (const std::string& given : arguments.find_all("--header")) {
    const std::size_t colon = given.find(':');
    const std::string_view name = std::string_view(given).substr(0, colon);
    const std::string_view value =
        colon == std::string::npos ? std::string_view() : http::trimmed(std::string_view(given).substr(colon + 1));
    if (colon == std::string::npos || !http::is_token(name) || !http::is_field_value(value))
      return misused("--header: `Name: value` expected");
    fields.add(name, value);
  }
  return fields;
}

// The usual four, what was asked for besides, and every field that was given: a field that is not covered is not signed.
std::vector<std::string> components_of(const Arguments& arguments, const http::Headers& fields) {
  std::vector<std::string> components = {"@method", "@authority", "@path", "@query"};
  const auto add = [&](std::string component) {
    if (std::ranges::find(components, component) == components.end()) components.push_back(std::move(component));
  };
  for (const http::Field field : fields) add(http::lowered(field.name));
  for (const std::string& component : arguments.find_all("--component")) add(component);
  return components;
}

Result<http::SignatureParameters> read_parameters(const Arguments& arguments) {
  http::SignatureParameters parameters;
  parameters.created = to_unix_seconds(SystemClock().wall());
  if (const auto text = arguments.find("--expires")) {
    const auto duration = config::parse_duration(*text);
    if (!duration || *duration < std::chrono::seconds(1) || *duration > longest_time)
      return misused("--expires: a duration such as 30s, up to 24h, expected");
    parameters.expires = *parameters.created + std::chrono::duration_cast<std::chrono::seconds>(*duration).count();
  }
  parameters.nonce = arguments.value_or("--nonce", base64url_encode(bytes_of(crypto::random_bytes(16))));
  parameters.tag = arguments.value_or("--tag", "sallyport");
  for (const auto& text : {*parameters.nonce, *parameters.tag}) {
    if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; }))
      return misused("--nonce and --tag: printable ASCII expected");
  }
  return parameters;
}

Result<int> sign(const Arguments& arguments) {
  TRY(const auth::RequestUrl url, auth::parse_request_url(arguments.operands().front()));
  TRY(const auto keys, load_keys(*arguments.find("--key"), SharedSecrets::taken));
  TRY(const http::Headers fields, read_fields(arguments));
  TRY(const http::SignatureParameters parameters, read_parameters(arguments));
  const std::string method = arguments.value_or("--method", "GET");
  if (!http::is_token(method)) return misused("--method: the name of a method expected");
  const http::SignableRequest request{method, url.scheme, url.authority, url.path, url.query, fields};
  TRY(const auth::RequestSignature made,
      auth::sign_request(request, components_of(arguments, fields), parameters, keys.front()));
  const std::string input = made.signature_input_field();
  const std::string signature = made.signature_field();
  const std::string signed_url = url.with(made.parameters());
  if (arguments.has("--json")) {
    print(json::dump(json::Object{{"signature_input", input}, {"signature", signature}, {"url", signed_url}}) + "\n");
  } else if (arguments.has("--url")) {
    print(signed_url + "\n");
  } else {
    print("Signature-Input: " + input + "\nSignature: " + signature + "\n");
  }
  return exit_good;
}

int token_sign_request(const Arguments& arguments) {
  const Result<int> made = sign(arguments);
  return made.ok() ? *made : complain(made.error());
}

}  // namespace

Verb token_sign_request_verb() {
  return {.name = "token sign-request",
          .line = "Signs a request as a client of `signed_request` does (RFC 9421).",
          .operands = "URL",
          .fewest_operands = 1,
          .most_operands = 1,
          .flags = {{"--key", "FILE", "The client's key, as `keys new --client` wrote it to --out.", Times::needed},
                    {"--url", "", "Writes the URL with the signature in it instead of header lines."},
                    {"--origin", "ORIGIN", "The Origin that will be sent; it is signed as well."},
                    {"--header", "NAME: VALUE",
                     "Another field that will be sent and is signed; may be given several times.", Times::any},
                    {"--component", "NAME", "Another component to sign; may be given several times.", Times::any},
                    {"--method", "METHOD", "GET, unless it is said here."},
                    {"--expires", "TIME",
                     "How long it is good at most, such as 30s; the gateway's `window` holds besides."},
                    {"--nonce", "TEXT", "By default 16 random bytes. The gateway takes each once."},
                    {"--tag", "TEXT", "sallyport, unless it is said here; the `tag` of the gateway's configuration."},
                    {"--json", "", "Writes JSON: signature_input, signature, url."}},
          .details =
              "Writes two header lines, or with --url the URL to connect to; either is good for one connection, soon.\n"
              "    sallyport token sign-request --key sensor-17.jwks --url wss://chat.example.com/ws\n"
              "    sallyport token sign-request --key sensor-17.jwks https://chat.example.com/ws | curl -H @- ... "
              "https://chat.example.com/ws",
          .example = "sallyport token sign-request --key sensor-17.jwks wss://chat.example.com/ws",
          .run = token_sign_request};
}

}  // namespace sallyport::cli
