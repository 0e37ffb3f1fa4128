#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sallyport/config/plug.h"
#include "sallyport/config/schema.h"

/// A configuration with every type of setting in it, for the tests and the fuzzer of this folder.
namespace sallyport::config::sample {

using namespace std::chrono_literals;

enum class Timing : std::uint8_t { handshake, first_message };
inline std::vector<EnumName<Timing>> enum_names(Timing) {
  return {{Timing::handshake, "handshake", "Before the 101."}, {Timing::first_message, "first_message", "After it."}};
}

struct Tls {
  FilePath certificate;
  SecretSource key;
};
inline const auto tls_schema = schema("tls", "The certificate of a listener.",
                                      field(&Tls::certificate, "certificate", "The chain, in PEM.", required),
                                      field(&Tls::key, "key", "Its private key, in PEM.", required));

struct Listener {
  Address address;
  std::optional<Tls> tls;
  bool dangerous_plaintext = false;
};
inline const auto listener_schema =
    schema("listen", "Where connections arrive.",
           field(&Listener::address, "address", "Address and port to listen on.", required, example("0.0.0.0:8443")),
           field(&Listener::tls, "tls", "Absent: plain WebSocket.", tls_schema),
           field(&Listener::dangerous_plaintext, "dangerous_plaintext",
                 "Accepts plain connections from other machines.", dangerous))
        .validated_by([](const Listener& listener, Check& check) {
          if (listener.tls && listener.dangerous_plaintext)
            check.problem("dangerous_plaintext", "a listener with tls cannot be plain", "Remove it");
        });

struct Memory {};
inline const auto memory_schema = schema<Memory>("store.memory", "Forgets everything at the end.");
struct Sqlite {
  FilePath path{"sallyport.db"};
};
inline const auto sqlite_schema =
    schema("store.sqlite", "A file.", field(&Sqlite::path, "path", "The database; made when absent."));

struct Issuer {
  std::string name;
  std::vector<std::string> audience;
  std::string jwks_url;
  SecretSource secret;
};
inline const auto issuer_schema =
    schema("issuers", "Who signs tokens.",
           field(&Issuer::name, "name", "What routes call it.", required, length(1, 32)),
           field(&Issuer::audience, "audience", "`aud` values accepted.", required, example("[chat]")),
           field(&Issuer::jwks_url, "jwks_url", "Where its keys are.",
                 checked<std::string>([](const std::string& url) -> std::optional<std::string> {
                   if (url.starts_with("https://")) return std::nullopt;
                   return "URL that starts with https:// expected, found " + quoted(url);
                 })),
           field(&Issuer::secret, "secret", "The key shared with it."))
        .exactly_one_of({"jwks_url", "secret"});

struct Jwt {
  std::string issuer;
  std::chrono::seconds leeway = 30s;
};
inline const auto jwt_schema = schema("auth.jwt", "Accepts signed JSON Web Tokens (RFC 7519).",
                                      field(&Jwt::issuer, "issuer", "The issuer's name.", required),
                                      field(&Jwt::leeway, "leeway", "Clock difference tolerated.", between(0s, 300s)));
struct Mtls {};
inline const auto mtls_schema = schema<Mtls>("auth.mtls", "Accepts client certificates.");

inline std::vector<Plug> plugs() {
  return {{"jwt", Maturity::stable, Posture::hostile_clients, {"RFC 7519", "RFC 8725"}, jwt_schema},
          {"mtls", Maturity::preview, Posture::trusted_peers, {"RFC 8446"}, mtls_schema}};
}

struct RouteLimits {
  ByteSize message_size = kib(64);
  Rate messages{100, 1s};
  unsigned connections_per_ip = 100;
  std::chrono::milliseconds pause{0};
};
inline const auto limits_schema = schema(
    "limits", "What a connection may use.",
    field(&RouteLimits::message_size, "message_size", "Largest message accepted.", between(ByteSize{1}, mib(16))),
    field(&RouteLimits::messages, "messages", "Messages accepted in a time."),
    field(&RouteLimits::connections_per_ip, "connections_per_ip", "Connections from one address.", between(1, 10000)),
    field(&RouteLimits::pause, "pause", "Wait between two attempts.", at_most(1h)));

struct Route {
  std::string name;
  std::vector<std::string> origins;
  std::vector<Choice> authenticate;
  Timing timing = Timing::handshake;
  RouteLimits limits;
};
inline const auto route_schema = schema(
    "routes", "What is reachable.", field(&Route::name, "name", "For logs.", required),
    field(&Route::origins, "origins", "Origins allowed; none listed, none allowed."),
    field(&Route::authenticate, "authenticate", "Mechanisms, in this order.", required, one_of(choices(plugs()))),
    field(&Route::timing, "timing", "When the credential is presented."),
    field(&Route::limits, "limits", "What each connection may use.", limits_schema));

struct Config {
  std::vector<Listener> listen;
  std::variant<Memory, Sqlite> store;
  std::vector<Issuer> issuers;
  std::vector<Route> routes;
  std::vector<std::string> acknowledge;
  bool verbose = false;
  std::int64_t nice = 0;
};
inline const auto config_schema =
    schema("Sallyport", "The whole.",
           field(&Config::listen, "listen", "Where connections arrive.", required, items(1, 4), listener_schema),
           field(&Config::store, "store", "Where state is kept.",
                 one_of({choice("memory", memory_schema), choice("sqlite", sqlite_schema)})),
           field(&Config::issuers, "issuers", "Who signs tokens.", issuer_schema),
           field(&Config::routes, "routes", "What is reachable.", required, route_schema),
           field(&Config::acknowledge, "acknowledge", "The dangerous settings that are meant."),
           field(&Config::verbose, "verbose", "Says more."),
           field(&Config::nice, "nice", "Priority.", between(-20, 19)))
        .validated_by(
            [](const Config& config, Check& check) {
              for (std::size_t r = 0; r < config.routes.size(); ++r) {
                for (const Choice& choice : config.routes[r].authenticate) {
                  const Jwt* jwt = choice.get<Jwt>();
                  if (jwt == nullptr) continue;
                  bool found = false;
                  for (const Issuer& issuer : config.issuers) found = found || issuer.name == jwt->issuer;
                  if (!found) check.problem(choice, "issuer", "no issuer is called " + quoted(jwt->issuer));
                }
              }
            },
            {"issuers", "routes"});

}  // namespace sallyport::config::sample
