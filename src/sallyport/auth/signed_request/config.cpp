#include "sallyport/auth/signed_request/config.h"

#include <algorithm>

#include "sallyport/config/problem.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view derived[] = {"@method", "@authority",      "@path",      "@query",
                                        "@scheme", "@request-target", "@target-uri"};

std::optional<std::string> check_component(const std::string& text) {
  if (std::find(std::begin(derived), std::end(derived), text) != std::end(derived)) return std::nullopt;
  if (http::is_token(text) && http::lowered(text) == text) return std::nullopt;
  return "@method, @authority, @path, @query, @scheme, @request-target, @target-uri or the name of a field in lower "
         "case "
         "expected, found " +
         config::quoted(text);
}

bool has(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

std::vector<config::EnumName<SignaturePlace>> enum_names(SignaturePlace) {
  return {{SignaturePlace::header, "header", "The fields `Signature-Input` and `Signature`."},
          {SignaturePlace::query, "query",
           "The parameters `sp-signature-input` and `sp-signature` of the URL, for clients that cannot set fields."}};
}

config::Schema<SignedRequestConfig> signed_request_schema() {
  using config::field;
  return config::schema<SignedRequestConfig>(
             "auth.signed_request", "Accepts requests that a known client has signed (RFC 9421), each once.",
             field(&SignedRequestConfig::keys_file, "keys_file",
                   "The clients and their keys, as `sallyport keys new --client` writes them; read at start, at reload "
                   "and "
                   "whenever it changes. Must be readable by its owner alone.",
                   config::required, config::example("secrets/devices.json")),
             field(
                 &SignedRequestConfig::from, "from",
                 "Where the signature may travel. A URL ends up in logs on the way: there it is good for one use only, "
                 "but take it where nothing else is possible."),
             field(
                 &SignedRequestConfig::components, "components",
                 "What a signature must cover at least; `@authority` and `@path`, or `@target-uri`, among it. `origin` "
                 "must be covered besides whenever the request has one.",
                 config::example("[\"@method\", \"@authority\", \"@path\", \"@query\"]"),
                 config::checked<std::string>(check_component)),
             field(&SignedRequestConfig::tag, "tag",
                   "The `tag` of the signatures that are meant for this gateway; others are left alone.",
                   config::length(1, 64),
                   config::checked<std::string>([](const std::string& text) -> std::optional<std::string> {
                     const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
                     if (std::all_of(text.begin(), text.end(), printable)) return std::nullopt;
                     return "printable ASCII expected, found " + config::quoted(text);
                   })),
             field(&SignedRequestConfig::window, "window",
                   "How long after `created` a signature is taken. Its nonce is remembered that long.",
                   config::between(1s, 1h)),
             field(&SignedRequestConfig::skew, "skew", "Clock difference tolerated on `created` and `expires`.",
                   config::between(0s, 300s)),
             field(&SignedRequestConfig::lifetime, "lifetime",
                   "How long a connection may live on one signature; at most as long as the key is good.",
                   config::between(1s, std::chrono::seconds(24h * 30))))
      .validated_by(
          [](const SignedRequestConfig& config, config::Check& check) {
            if (config.from.empty()) check.problem("from", "at least one place to look for the signature expected");
            const bool whole = has(config.components, "@target-uri");
            const bool place = has(config.components, "@path") || has(config.components, "@request-target");
            if (!whole && !(has(config.components, "@authority") && place)) {
              check.problem("components",
                            "a signature that does not say for which URL it was made would be good for any",
                            "Name @authority and @path, or @target-uri");
            }
          },
          {"from", "components"});
}

}  // namespace sallyport::auth
