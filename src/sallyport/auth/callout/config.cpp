#include "sallyport/auth/callout/config.h"

#include "sallyport/auth/callout/request_part.h"
#include "sallyport/auth/service.h"

namespace sallyport::auth {

std::vector<config::EnumName<Dialect>> enum_names(Dialect) {
  return {{Dialect::sallyport, "sallyport", "The bodies that the plug's README shows."},
          {Dialect::hasura, "hasura", "A Hasura authentication webhook in POST mode."},
          {Dialect::centrifugo, "centrifugo", "A Centrifugo connect proxy."}};
}

std::vector<config::EnumName<Ask>> enum_names(Ask) {
  return {{Ask::presented, "presented", "Only when one of `credentials` is there."},
          {Ask::always, "always", "About everybody: the service alone decides who needs a credential. Put it last."}};
}

config::Schema<CalloutConfig> callout_schema() {
  using namespace std::chrono_literals;
  using C = CalloutConfig;
  using config::field;
  const auto is_place = config::checked<std::string>([](const std::string& text) -> std::optional<std::string> {
    const auto place = parse_request_part(text);
    if (place) return std::nullopt;
    return place.error().detail;
  });
  return config::schema<C>(
             "auth.callout", "Asks a service of yours, over HTTP, who somebody is and whether they may come in.",
             field(&C::url, "url", "Where it is asked, by POST: https, or http on this machine itself.",
                   config::required, config::example("https://app.internal.example.com/sockets/authorize")),
             field(&C::ca_file, "ca_file",
                   "Certificate authorities (PEM) that may vouch for it; absent: the system's."),
             field(&C::credentials, "credentials",
                   "Where its credentials travel: `header:NAME`, `cookie:NAME` (only beside an allowed Origin), "
                   "`query:NAME`, `subprotocol` (`bearer.<token>`). The service is shown all that are there; the "
                   "backend is shown none of them.",
                   config::example("[header:Authorization, cookie:sessionid]"), is_place),
             field(&C::shows, "shows", "What else of a request the service is shown, in the same words.",
                   config::example("[header:User-Agent, query:room]"), is_place),
             field(&C::ask, "ask", "When it is asked."), field(&C::dialect, "dialect", "In which words."),
             field(&C::signing_key, "signing_key",
                   "A secret that both sides hold: each question carries a MAC over its time and body."),
             field(&C::lifetime, "lifetime", "How long an identity lasts whose answer names no end.",
                   config::between(1s, 24h)),
             timeout_field(&C::timeout), requests_field(&C::requests), breaker_field(&C::breaker),
             field(&C::dangerous_plaintext_callout, "dangerous_plaintext_callout",
                   "Lets `url` be plain http beyond this machine. Anybody on the way can then read credentials and "
                   "decide instead of the service.",
                   config::dangerous))
      .validated_by(
          [](const C& settings, config::Check& check) {
            const auto plaintext = settings.dangerous_plaintext_callout ? PlaintextService::dangerous_allowed
                                                                        : PlaintextService::loopback_only;
            if (const auto allowed = check_service_url(settings.url, plaintext); !allowed)
              check.problem("url", allowed.error().detail);
          },
          {"url", "dangerous_plaintext_callout"})
      .validated_by(
          [](const C& settings, config::Check& check) {
            for (const auto& [key, texts] :
                 {std::pair("credentials", &settings.credentials), std::pair("shows", &settings.shows)}) {
              if (const auto places = parse_request_parts(*texts); !places) check.problem(key, places.error().detail);
            }
            for (const std::string& shown : settings.shows) {
              if (shown == "subprotocol")
                check.problem("shows", "subprotocols are always shown, those that carry a token never",
                              "Remove it, or put it among credentials");
            }
            if (settings.credentials.empty() && settings.ask == Ask::presented)
              check.problem("credentials", "without any, nobody would ever be asked about",
                            "Name one, or set ask: always");
          },
          {"credentials", "shows", "ask"});
}

}  // namespace sallyport::auth
