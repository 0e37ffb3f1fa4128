#include "sallyport/gateway/settings.h"

#include <algorithm>
#include <set>

#include "sallyport/config/file.h"
#include "sallyport/gateway/plugs.h"
#include "sallyport/http/authority.h"
#include "sallyport/http/grammar.h"
#include "sallyport/http/origin.h"
#include "sallyport/http/target.h"
#include "sallyport/http/url.h"
#include "sallyport/net/address_range.h"
#include "sallyport/net/socket.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using config::between;
using config::Check;
using config::checked;
using config::dangerous;
using config::example;
using config::field;
using config::kib;
using config::mib;
using config::required;

using Complaint = std::optional<std::string>;

template <class T>
Complaint complaint_of(const Result<T>& result) {
  return result.ok() ? Complaint() : Complaint(result.error().detail);
}

Complaint check_host(const std::string& text) {
  const auto authority = http::parse_authority(text);
  if (authority.ok() && !authority->port && authority->text() == text) return std::nullopt;
  return "host name in lower case, without a port, expected, found " + config::quoted(text);
}

Complaint check_path(const std::string& text) {
  const auto path = http::parse_path(text);
  if (path.ok() && *path == text) return std::nullopt;
  return "path in its normal form, such as /ws, expected, found " + config::quoted(text);
}

config::Schema<CertificateSettings> certificate_schema() {
  return config::schema(
      "tls.certificates", "One certificate with its key.",
      field(&CertificateSettings::certificate, "certificate", "PEM file: the leaf, then its intermediates.", required),
      field(&CertificateSettings::key, "key", "PEM file: its private key, not encrypted.", required));
}

const auto address_range = checked<std::string>(
    [](const std::string& text) -> Complaint { return complaint_of(net::AddressRange::parse(text)); });

config::Schema<TlsSettings> tls_schema() {
  return config::schema(
             "tls", "TLS 1.2 and 1.3 with modern ciphers; there is nothing else to choose.",
             field(&TlsSettings::certificate, "certificate", "PEM file: the leaf, then its intermediates."),
             field(&TlsSettings::key, "key", "PEM file: its private key, not encrypted."),
             field(&TlsSettings::certificates, "certificates",
                   "Several certificates, chosen by the name that the client asks for (SNI); the first is the default.",
                   certificate_schema()),
             field(&TlsSettings::client_ca, "client_ca",
                   "PEM file: the authorities whose certificates clients may present; each is an anchor by itself. "
                   "Absent: "
                   "nobody is asked for one. Read again when it changes, as is `client_crl`; no session is resumed "
                   "where it "
                   "is set."),
             field(&TlsSettings::client_crl, "client_crl",
                   "PEM or DER file: revocation lists. With it every certificate needs a list of its issuer that is "
                   "not past "
                   "its nextUpdate. Replacing it closes the connections of those whom it revokes."),
             field(&TlsSettings::client_auth, "client_auth", "What is asked of clients that have no certificate."),
             field(&TlsSettings::client_depth, "client_depth",
                   "Certificates that may stand between a client's and its anchor.", between(0, 10)),
             field(&TlsSettings::dangerous_client_any_purpose, "dangerous_client_any_purpose",
                   "Takes certificates that do not say that they are for clients (extended key usage clientAuth): what "
                   "the "
                   "same authorities issue for other ends, and has no such statement, opens the door too.",
                   dangerous))
      .exactly_one_of({"certificate", "certificates"})
      .validated_by([](const TlsSettings& tls, Check& check) {
        for (const char* key : {"client_crl", "client_auth", "client_depth", "dangerous_client_any_purpose"}) {
          if (tls.client_ca.empty() && check.is_given(key))
            check.problem(key, "nobody is asked for a certificate", "Add client_ca, or remove this");
        }
        if (tls.certificate.empty() != tls.key.empty())
          check.problem("", "certificate and key go together", "Give both");
      });
}

config::Schema<AuthorizeSettings> authorize_schema() {
  return config::schema(
             "listen.authorize",
             "Makes the listener the auth service of a proxy (nginx `auth_request`, Traefik ForwardAuth, Envoy and "
             "HAProxy ext_authz): each request to it asks whether a handshake may pass. Only the handshake is checked: "
             "the proxy relays, and nothing here can close what it relays.",
             field(&AuthorizeSettings::form, "form",
                   "How the proxy tells what it was asked for. It must write these fields itself, in place of a "
                   "client's.",
                   required),
             field(&AuthorizeSettings::prefix, "prefix",
                   "With `path`: what stands before the original path. Absent: nothing.", example("/check"),
                   checked<std::string>([](const std::string& text) -> Complaint {
                     if (text.ends_with('/'))
                       return "path that does not end in a slash expected, found " + config::quoted(text);
                     return check_path(text);
                   })),
             field(&AuthorizeSettings::client_field, "client_field",
                   "The field in which the proxy names the client's address, at the right end of a list or alone.",
                   checked<std::string>([](const std::string& text) -> Complaint {
                     if (http::is_token(text)) return std::nullopt;
                     return "name of a header field expected, found " + config::quoted(text);
                   })),
             field(&AuthorizeSettings::trusted, "trusted",
                   "Addresses of the proxies that may ask; nobody else gets an answer.", config::items(1, 1000),
                   example("[10.0.0.0/8]"), checked<std::string>([](const std::string& text) {
                     return complaint_of(net::AddressRange::parse(text));
                   })),
             field(&AuthorizeSettings::token, "token",
                   "A secret of at least 16 bytes that the proxy shows as `X-Sallyport-Authorize`. Absent: its address "
                   "is "
                   "enough."))
      .validated_by([](const AuthorizeSettings& authorize, Check& check) {
        if (authorize.form != http::OriginalForm::path && check.is_given("prefix"))
          check.problem("prefix", "only the form path has one", "Remove it");
      });
}

config::Schema<ProxyProtocolSettings> proxy_protocol_schema() {
  return config::schema(
      "listen.proxy_protocol",
      "The PROXY protocol, version 1 or 2: a load balancer says whose connection it passes on. Then it must, "
      "and nobody else can connect here.",
      field(&ProxyProtocolSettings::trusted, "trusted", "The load balancers.", required, example("[10.0.0.0/8]"),
            address_range));
}

config::Schema<ForwardedCertificateSettings> forwarded_certificate_schema() {
  return config::schema(
      "trusted_proxies.certificate",
      "The certificate that a client proved to hold to the proxy. The proxy vouches for that proof alone; the chain is "
      "verified "
      "here.",
      field(&ForwardedCertificateSettings::header, "header", "Where the proxies write it."),
      field(&ForwardedCertificateSettings::client_ca, "client_ca", "As in `listen.tls`.", required),
      field(&ForwardedCertificateSettings::client_crl, "client_crl", "As in `listen.tls`."),
      field(&ForwardedCertificateSettings::client_depth, "client_depth", "As in `listen.tls`.", between(0, 10)));
}

config::Schema<TrustedProxiesSettings> trusted_proxies_schema() {
  return config::schema(
      "trusted_proxies",
      "Who may say for whom they speak. From anybody else such fields are not believed, and no backend ever gets them "
      "as they "
      "came.",
      field(&TrustedProxiesSettings::addresses, "addresses",
            "The proxies. The client is the last address in the header that is none of them, counted from the right.",
            required, example("[10.0.0.0/8]"), address_range),
      field(&TrustedProxiesSettings::header, "header",
            "The field that all of them write; the other is not looked at, for a client may have written that."),
      field(&TrustedProxiesSettings::certificate, "certificate", "The client's certificate. Absent: none is taken.",
            forwarded_certificate_schema()));
}

config::Schema<AddressSettings> addresses_schema() {
  return config::schema(
      "routes.addresses",
      "From where clients may come, asked before any credential is looked at: IPv4 and IPv6 addresses and ranges.",
      field(&AddressSettings::allow, "allow", "Only from these. Empty: from anywhere.",
            example("[192.0.2.0/24, \"2001:db8::/32\"]"), address_range),
      field(&AddressSettings::deny, "deny", "Not from these, even where allow has them.", address_range));
}

config::Schema<LockoutSettings> lockout_schema() {
  return config::schema(
             "limits.lockout",
             "Whoever fails to prove a credential again and again waits, longer each time, and is told how long by "
             "`Retry-After`. Who has proved the very credential that they present, from the same network within a day, "
             "is let "
             "through whatever their neighbours do.",
             field(&LockoutSettings::failures, "failures",
                   "Failures in a row of one credential, or of whom it claims to speak for, seen from one IPv4 address "
                   "or "
                   "IPv6 /64.",
                   between(1, 1'000'000)),
             field(&LockoutSettings::failures_per_ip, "failures_per_ip",
                   "Of one IPv4 address or IPv6 /64, with whatever credentials. Expired and revoked ones do not count.",
                   between(1, 1'000'000)),
             field(&LockoutSettings::first, "first", "The first wait; each failure after it doubles it.",
                   between(100ms, 1h)),
             field(&LockoutSettings::longest, "longest",
                   "The longest wait, and how long a failure is remembered beyond it.", between(100ms, 24h)))
      .validated_by([](const LockoutSettings& lockout, Check& check) {
        if (lockout.longest < lockout.first) check.problem("longest", "shorter than first", "Make it longer");
      });
}

config::Schema<ListenSettings> listen_schema() {
  return config::schema(
             "listen", "Where clients connect.",
             field(&ListenSettings::address, "address", "IP address and port; port 0 takes any free one and logs it.",
                   required, example("0.0.0.0:8443")),
             field(&ListenSettings::tls, "tls", "Absent: plain `ws`, which is allowed on loopback only.", tls_schema()),
             field(&ListenSettings::http2, "http2",
                   "Speaks HTTP/2 with clients that prefer it, so that several sockets share one connection. Off: "
                   "another "
                   "protocol is another surface to attack."),
             field(&ListenSettings::authorize, "authorize",
                   "Takes no sockets, but questions of a proxy about them. Absent: an ordinary listener.",
                   authorize_schema()),
             field(&ListenSettings::proxy_protocol, "proxy_protocol",
                   "A load balancer passes connections on, and says whose. Absent: a PROXY header is no request.",
                   proxy_protocol_schema()),
             field(&ListenSettings::dangerous_plaintext, "dangerous_plaintext",
                   "Takes plain `ws` from other machines: everything, credentials included, can be read on the way.",
                   dangerous))
      .at_most_one_of({"authorize", "proxy_protocol"})
      .validated_by([](const ListenSettings& listen, Check& check) {
        if (listen.http2 && !listen.tls)
          check.problem("http2", "HTTP/2 is agreed upon in the TLS handshake", "Add tls, or remove http2");
        if (listen.http2 && listen.authorize) check.problem("http2", "proxies ask by HTTP/1.1", "Remove http2");
        const auto endpoint = net::Endpoint::parse_ip(listen.address.host, listen.address.port);
        if (listen.tls || listen.dangerous_plaintext || !endpoint.ok() || endpoint->is_loopback()) return;
        check.problem("", "a listener without tls must be on a loopback address",
                      "Add tls: {certificate: ..., key: ...}, or listen on 127.0.0.1");
      });
}

config::Schema<AdminSettings> admin_schema() {
  return config::schema("admin", "The port for operators: metrics, health, revocation. Never for clients.",
                        field(&AdminSettings::address, "address", "IP address and port.", example("127.0.0.1:9443")),
                        field(&AdminSettings::token, "token",
                              "The bearer token that operators present; at least 16 bytes.", required),
                        field(&AdminSettings::tls, "tls", "Needed unless the address is loopback.", tls_schema()))
      .validated_by([](const AdminSettings& admin, Check& check) {
        const auto endpoint = net::Endpoint::parse_ip(admin.address.host, admin.address.port);
        if (admin.tls || !endpoint.ok() || endpoint->is_loopback()) return;
        check.problem("address", "the admin port without tls must be on a loopback address",
                      "Add tls, or use 127.0.0.1");
      });
}

config::Schema<AssertionSettings> assertion_schema() {
  return config::schema("assertion", "The signed identity that backends get in `X-Sallyport-Identity`.",
                        field(&AssertionSettings::keys_file, "keys_file",
                              "Private keys as `sallyport keys new` writes them. Absent: a fresh key at each start, "
                              "which only this process has."),
                        field(&AssertionSettings::issuer, "issuer", "Its `iss`.", config::length(1, 256)),
                        field(&AssertionSettings::lifetime, "lifetime", "From `iat` to `exp`.", between(1s, 1h)));
}

config::Schema<MatchSettings> match_schema() {
  return config::schema(
             "routes.match",
             "Which upgrades are this route's. An exact path goes before a prefix, a longer prefix before a shorter.",
             field(&MatchSettings::host, "host", "The Host that the client asks for, without its port.", required,
                   example("chat.example.com"), checked<std::string>(check_host)),
             field(&MatchSettings::path, "path", "This path and no other.", example("/ws"),
                   checked<std::string>(check_path)),
             field(&MatchSettings::prefix, "prefix", "Every path that begins so; must end in a slash.", example("/ws/"),
                   checked<std::string>([](const std::string& text) -> Complaint {
                     if (!text.ends_with('/'))
                       return "prefix that ends in a slash expected, found " + config::quoted(text);
                     return check_path(text);
                   })))
      .exactly_one_of({"path", "prefix"});
}

config::Schema<UpstreamSettings> upstream_schema() {
  const auto upstream_url =
      checked<std::string>([](const std::string& text) { return complaint_of(http::parse_upstream_url(text)); });
  return config::schema("routes.upstream", "The backend behind the route; dialled only for an admitted identity.",
                        field(&UpstreamSettings::url, "url",
                              "`ws://host:port/`, `wss://host:port/` or `unix:/path`. A path replaces the client's.",
                              example("ws://127.0.0.1:9000/"), upstream_url),
                        field(&UpstreamSettings::urls, "urls",
                              "Several backends: the healthy one with the fewest connections is taken.", upstream_url),
                        field(&UpstreamSettings::ca_file, "ca_file",
                              "Authorities that `wss` backends are verified with. Absent: the system's."),
                        field(&UpstreamSettings::connect_timeout, "connect_timeout",
                              "For connecting, and again for the answer to the handshake.", between(10ms, 60s)),
                        field(&UpstreamSettings::keep_host, "keep_host",
                              "Sends the client's Host to the backend instead of the backend's own."))
      .exactly_one_of({"url", "urls"});
}

config::Schema<AllOf> all_of_schema() {
  return config::schema<AllOf>(
             "routes.authenticate.all_of",
             "Mechanisms of which each must prove its part. The first speaks for the identity; the others bound its "
             "life, add to its `amr`, and can be revoked like it.",
             field(&AllOf::parts, "all_of", "Two mechanisms or more.", config::items(2, 8),
                   example("[{mtls: {}}, {jwt: {issuer: main}}]"),
                   config::one_of(config::choices(authenticator_plugs()))))
      .written_as_list();
}

std::vector<config::Alternative> ways_to_authenticate() {
  std::vector<config::Alternative> ways = config::choices(authenticator_plugs());
  ways.push_back(config::choice("all_of", all_of_schema()));
  return ways;
}

config::Schema<WaitingSettings> waiting_schema() {
  return config::schema(
             "routes.waiting",
             "How a client says who it is inside a socket that was accepted already. Until then no backend is dialled.",
             field(&WaitingSettings::protocol, "protocol", "For first_message: how the first message is written."),
             field(
                 &WaitingSettings::credential, "credential",
                 "For first_message: where in it the credential stands; a JSON pointer for json, graphql-ws and "
                 "socketio (there into the auth data), a header for stomp, `password` or `username` for mqtt. Absent: "
                 "`/token`, `/payload/token`, `/token`, `Authorization`, `password`.",
                 example("/payload/Authorization")),
             field(&WaitingSettings::timeout, "timeout", "How long it may take.", between(100ms, 10min)),
             field(&WaitingSettings::message_size, "message_size", "Bytes of the first message.",
                   between(config::ByteSize{64}, mib(1))))
      .validated_by([](const WaitingSettings& waiting, Check& check) {
        if (!check.is_given("credential")) return;
        if (const auto complaint = auth::complaint_about_place(waiting.protocol, waiting.credential))
          check.problem("credential", *complaint);
      });
}

config::Schema<RecheckSettings> recheck_schema() {
  return config::schema(
      "routes.recheck",
      "Asks the source of truth again for as long as a connection lives: the key that signed a token, the row of an "
      "opaque one, the session, the service that decided. A no, or another identity, ends the connection at once.",
      field(&RecheckSettings::every, "every", "How often, give or take a tenth.", between(100ms, 24h)),
      field(&RecheckSettings::tolerate, "tolerate",
            "How long the source may be out of reach before connections end for it.", between(0s, 24h)));
}

config::Schema<ExchangeSettings> exchange_schema() {
  return config::schema(
      "routes.exchange",
      "Gives whoever has authenticated an opaque session token on the control channel, which the connection lives by "
      "from "
      "then on and with which the client can come again: the credential itself may be short-lived. It keeps subject, "
      "tenant, session id, scopes and roles, and is revoked like any opaque token.",
      field(&ExchangeSettings::lifetime, "lifetime", "Of the session token.", between(1s, 24h)));
}

void check_exchange(const RouteSettings& route, Check& check) {
  if (!route.exchange) return;
  const auto is_opaque = [](const config::Choice& way) { return way.kind == "opaque"; };
  if (std::ranges::none_of(route.authenticate, is_opaque))
    check.problem("exchange", "the route does not take the opaque tokens that it would give",
                  "Add opaque: {} to authenticate");
  if (route.control == Control::never)
    check.problem("exchange", "the token is told on the control channel, which nobody has here",
                  "Set control: offered or always");
  const auth::Requirements& require = route.require;
  if (!require.claims.empty() || !require.acr.empty() || !require.amr.empty() || require.max_age)
    check.problem(
        "exchange",
        "a session token says nothing of claims, acr, amr and the time of authentication, which require asks for",
        "Require scopes and roles only");
}

config::Schema<RefreshSettings> refresh_schema() {
  return config::schema(
      "routes.refresh", "How a connection outlives its credential.",
      field(&RefreshSettings::in_band, "in_band",
            "Takes a fresh credential inside the socket, on the control channel."),
      field(&RefreshSettings::notice, "notice", "How long before the end the client is told.", between(0s, 1h)),
      field(&RefreshSettings::grace, "grace",
            "How long after the end a fresh credential is still waited for, where there is a control channel.",
            between(0s, 300s)));
}

config::Schema<MessagesSettings> messages_schema() {
  return config::schema(
      "routes.messages",
      "Understands every message of a client before the backend gets it. What is not understood for certain ends the "
      "connection, and nothing of it reaches the backend.",
      field(&MessagesSettings::protocol, "protocol", "How the messages are written.", required),
      field(&MessagesSettings::operation, "operation", "Where a message says what it asks for.", required,
            protocol::json_schema()));
}

void check_timing(const RouteSettings& route, Check& check) {
  if (route.timing == Timing::handshake) {
    for (const char* key : {"waiting", "subprotocols"}) {
      if (check.is_given(key)) check.problem(key, "means nothing with timing: handshake", "Remove it, or set timing");
    }
    return;
  }
  const bool by_control =
      route.timing == Timing::out_of_band || route.waiting.protocol == auth::OpeningProtocol::control;
  if (by_control && route.control == Control::never) {
    check.problem("control", "the control channel is how a client says who it is here",
                  "Set control: offered or always");
  }
  if (route.timing == Timing::out_of_band && check.is_given("waiting.protocol")) {
    check.problem("waiting.protocol", "means nothing with timing: out_of_band", "Remove it");
  }
  if (route.compression.client) {
    check.problem("compression.client", "is agreed to with the backend's answer, which comes too late with this timing",
                  "Set it to false");
  }
}

config::Schema<RouteLimits> route_limits_schema() {
  return config::schema("routes.limits", "What one connection, identity or address may use.",
                        field(&RouteLimits::message_size, "message_size", "Bytes of a client's message.",
                              between(config::ByteSize{1}, mib(64))),
                        field(&RouteLimits::backend_message_size, "backend_message_size",
                              "Bytes of a backend's message.", between(config::ByteSize{1}, mib(256))),
                        field(&RouteLimits::messages, "messages", "Messages and pings of one client."),
                        field(&RouteLimits::connections_per_identity, "connections_per_identity",
                              "Open at a time, for one issuer and subject.", between(1, 1'000'000)),
                        field(&RouteLimits::connections_per_ip, "connections_per_ip",
                              "Open at a time, for one IPv4 address or IPv6 /64.", between(1, 1'000'000)));
}

config::Schema<CompressionSettings> compression_schema() {
  return config::schema(
             "routes.compression",
             "permessage-deflate (RFC 7692), agreed on with each side by itself. Off unless asked for: the size of "
             "what is "
             "compressed tells whoever sees it something about secrets that stand beside text of an attacker's choice.",
             field(&CompressionSettings::client, "client", "Agrees to it with clients that offer it."),
             field(&CompressionSettings::backend, "backend", "Offers it to the backend."),
             field(&CompressionSettings::context_takeover, "context_takeover",
                   "Lets a message point into the ones before it. Compresses short messages far better, and costs each "
                   "connection memory for every direction that is compressed: see `window_bits`."),
             field(&CompressionSettings::window_bits, "window_bits",
                   "How far back that is: 2 to this many bytes. With `context_takeover` a connection keeps at most "
                   "2^window_bits + 9 KiB for each direction that is read and 8 times 2^window_bits + 9 KiB for each "
                   "that "
                   "is written.",
                   between(9, 15)),
             field(
                 &CompressionSettings::max_ratio, "max_ratio",
                 "A message may inflate to so many times its size, or to 4 KiB; `limits` hold for what it inflates to. "
                 "Asked while inflating, so that nothing beyond is ever made.",
                 between(1, 1032)),
             field(
                 &CompressionSettings::dangerous_pass_through, "dangerous_pass_through",
                 "Instead of all that: the client's offer goes to the backend, its answer comes back, and compressed "
                 "messages go through unseen. Their text may be no UTF-8, `limits` see their compressed size only, and "
                 "the backend must withstand what they inflate to.",
                 dangerous))
      .validated_by([](const CompressionSettings& compression, Check& check) {
        const bool compresses = compression.client || compression.backend;
        if (compression.dangerous_pass_through && compresses) {
          check.problem("dangerous_pass_through",
                        "dangerous_pass_through excludes client and backend: those two agree between themselves",
                        "Keep one of the two ways");
        }
        if (compresses) return;
        for (const char* key : {"context_takeover", "window_bits", "max_ratio"}) {
          if (check.is_given(key))
            check.problem(key, "nothing is compressed by the gateway on this route",
                          "Set client: true or backend: true, or remove this");
        }
      });
}

config::Schema<PingSettings> ping_schema() {
  return config::schema(
      "routes.ping", "How a peer that is silent is asked whether it is still there.",
      field(&PingSettings::every, "every", "Silence after which a ping is sent.", between(100ms, 1h)),
      field(&PingSettings::timeout, "timeout", "Silence after that which ends the connection.", between(100ms, 1h)));
}

config::Schema<RouteSettings> route_schema() {
  return config::schema(
             "routes", "One endpoint: who may come, by which proof, and where to.",
             field(&RouteSettings::name, "name", "Names the route in logs and metrics.", required,
                   config::length(1, 64)),
             field(&RouteSettings::match, "match", "Which upgrades are this route's.", required, match_schema()),
             field(&RouteSettings::upstream, "upstream", "The backend.", required, upstream_schema()),
             field(&RouteSettings::addresses, "addresses", "From where clients may come. Absent: from anywhere.",
                   addresses_schema()),
             field(&RouteSettings::origins, "origins",
                   "Origins of the pages that may connect. `https://*.example.com` means one or more labels below, "
                   "never the "
                   "domain itself. "
                   "Empty: none, so only clients that are no browsers.",
                   example("[https://app.example.com]"), checked<std::string>([](const std::string& text) {
                     return complaint_of(http::parse_origin_pattern(text));
                   })),
             field(&RouteSettings::authenticate, "authenticate",
                   "Mechanisms in this order; the first whose credential is presented decides. None: nobody gets in.",
                   required, config::one_of(ways_to_authenticate())),
             field(&RouteSettings::require, "require", "What an identity must be like, beyond being proved.",
                   auth::requirements_schema()),
             field(&RouteSettings::timing, "timing", "When a client says who it is."),
             field(&RouteSettings::waiting, "waiting",
                   "For timing first_message and out_of_band: how a client says who it is.", waiting_schema()),
             field(
                 &RouteSettings::subprotocols, "subprotocols",
                 "For timing first_message and out_of_band: the subprotocols that the backend speaks. The first of the "
                 "client's that is one of them is agreed to before the backend is asked.",
                 example("[graphql-transport-ws]"), checked<std::string>([](const std::string& text) -> Complaint {
                   if (http::is_token(text)) return std::nullopt;
                   return "the name of a subprotocol expected, found " + config::quoted(text);
                 })),
             field(&RouteSettings::recheck, "recheck",
                   "Asks the source of truth again for as long as a connection lives.", recheck_schema()),
             field(
                 &RouteSettings::exchange, "exchange",
                 "Lets a connection live by a session token instead of the credential that opened it. Absent: it does "
                 "not.",
                 exchange_schema()),
             field(&RouteSettings::messages, "messages",
                   "Understands every message of a client before the backend gets it. Absent: messages go on unread.",
                   messages_schema()),
             field(&RouteSettings::refresh, "refresh", "How a connection outlives its credential.", refresh_schema()),
             field(&RouteSettings::control, "control", "Who gets the control channel inside the socket."),
             field(&RouteSettings::refusal, "refusal", "How a peer that is turned away learns of it."),
             field(&RouteSettings::limits, "limits", "What one connection, identity or address may use.",
                   route_limits_schema()),
             field(&RouteSettings::ping, "ping", "How a silent peer is asked whether it is still there.",
                   ping_schema()),
             field(&RouteSettings::compression, "compression", "Compressed messages.", compression_schema()),
             field(&RouteSettings::max_session, "max_session",
                   "Longest life of a connection, however often it is refreshed.",
                   between(1s, std::chrono::seconds(24h * 30))))
      .validated_by(
          [](const RouteSettings& route, Check& check) {
            if (!route.compression.dangerous_pass_through) return;
            if (route.messages) {
              check.problem("compression.dangerous_pass_through",
                            "messages must be read to be understood, which dangerous_pass_through ends",
                            "Remove messages, or use compression.client and compression.backend");
            }
            if (route.control == Control::never) return;
            check.problem(
                "compression.dangerous_pass_through",
                "the control channel needs every message to be looked into, which dangerous_pass_through ends",
                "Set control: never, or use compression.client and compression.backend");
          },
          {"control", "compression", "messages"})
      .validated_by(check_exchange, {"authenticate", "exchange", "control", "require"})
      .validated_by(check_timing, {"timing", "waiting", "subprotocols", "control", "compression", "refusal"});
}

config::Schema<Http2Limits> http2_limits_schema() {
  return config::schema(
      "limits.http2", "What one HTTP/2 connection may use. Beyond it the connection ends, with all its sockets.",
      field(&Http2Limits::streams, "streams", "Sockets and requests at a time; one more is refused.",
            between(1, 10'000)),
      field(&Http2Limits::resets, "resets",
            "Streams that the client gives up before their end, or that broke the protocol. Giving up is cheap for the "
            "client only (rapid reset)."),
      field(&Http2Limits::empty_frames, "empty_frames",
            "Frames that carry nothing: PING, SETTINGS, PRIORITY, empty DATA, window updates that no data explains."),
      field(&Http2Limits::idle_timeout, "idle_timeout", "How long a connection may have no stream that was accepted.",
            between(100ms, 1h)));
}

config::Schema<GatewayLimits> gateway_limits_schema() {
  return config::schema(
      "limits", "What peers may use before they have proved anything, over all routes.",
      field(&GatewayLimits::pending, "pending", "Sockets that have not been admitted yet.", between(1, 1'000'000)),
      field(&GatewayLimits::pending_per_ip, "pending_per_ip", "Of these, what one IPv4 address or IPv6 /64 may hold.",
            between(1, 1'000'000)),
      field(&GatewayLimits::waiting, "waiting",
            "Sockets that were accepted and have yet to say who they are (timing first_message and out_of_band). When "
            "all places are taken, whoever has waited the longest goes.",
            between(1, 1'000'000)),
      field(&GatewayLimits::waiting_per_ip, "waiting_per_ip", "Of these, what one IPv4 address or IPv6 /64 may hold.",
            between(1, 1'000'000)),
      field(&GatewayLimits::handshakes_per_ip, "handshakes_per_ip",
            "New connections of one IPv4 address or IPv6 /64, HTTP/2 streams included. Beyond it: 429; beyond twice "
            "that: "
            "no TLS handshake, no stream."),
      field(&GatewayLimits::tls_timeout, "tls_timeout", "For the TLS handshake.", between(100ms, 60s)),
      field(&GatewayLimits::header_timeout, "header_timeout", "For the whole request head.", between(100ms, 60s)),
      field(&GatewayLimits::auth_timeout, "auth_timeout", "For proving a credential, stores and key sets included.",
            between(100ms, 60s)),
      field(&GatewayLimits::close_timeout, "close_timeout", "For a peer's answer to a close frame.",
            between(100ms, 60s)),
      field(&GatewayLimits::slow_consumer, "slow_consumer", "How long a peer may leave its messages untaken.",
            between(100ms, 10min)),
      field(&GatewayLimits::lockout, "lockout", "How long whoever fails again and again waits.", lockout_schema()),
      field(&GatewayLimits::http2, "http2", "What one HTTP/2 connection may use.", http2_limits_schema()));
}

bool asks_for_certificates(const Settings& settings) {
  const auto asks = [](const ListenSettings& listen) { return listen.tls && !listen.tls->client_ca.empty(); };
  return std::ranges::any_of(settings.listen, asks) ||
         (settings.trusted_proxies && settings.trusted_proxies->certificate);
}

void check_names(const Settings& settings, Check& check) {
  std::set<std::string> issuers;
  for (std::size_t i = 0; i < settings.issuers.size(); ++i) {
    if (!issuers.insert(settings.issuers[i].name).second) {
      check.problem("issuers[" + std::to_string(i) + "].name", "another issuer has this name", "Give each its own");
    }
  }
  if (settings.token_service && !issuers.insert(std::string(auth::token_service_name)).second)
    check.problem("issuers", "token_service is the name of the tokens of our own", "Give the issuer another name");
  std::set<std::string> names;
  std::set<std::string> matches;
  for (std::size_t i = 0; i < settings.routes.size(); ++i) {
    const RouteSettings& route = settings.routes[i];
    const std::string path = "routes[" + std::to_string(i) + "]";
    if (!names.insert(route.name).second)
      check.problem(path + ".name", "another route has this name", "Give each its own");
    const std::string match = route.match.host + " " + route.match.path + " " + route.match.prefix;
    if (!matches.insert(match).second)
      check.problem(path + ".match", "another route matches the same", "Remove one of the two");
    std::set<std::string> ways;
    for (std::size_t k = 0; k < route.authenticate.size(); ++k) {
      const std::string where = path + ".authenticate[" + std::to_string(k) + "]";
      std::string way;
      std::set<std::string> kinds;
      for (const config::Choice& part : parts_of(route.authenticate[k])) {
        way += (way.empty() ? "" : "+") + part.kind;
        if (!kinds.insert(part.kind).second)
          check.problem(where, part.kind + " is a part already", "Remove one of the two");
        if (part.kind.starts_with("dangerous_") && part.kind != route.authenticate[k].kind)
          check.problem(where, part.kind + " proves nothing and cannot be a part", "Remove it");
        if (part.kind == "mtls" && !asks_for_certificates(settings))
          check.problem(where, "no client is ever asked for a certificate",
                        "Add listen[].tls.client_ca, or trusted_proxies.certificate");
        const std::optional<std::string> issuer = issuer_of(part);
        if (!issuer || issuers.contains(*issuer)) continue;
        check.problem(where, "there is no issuer called " + config::quoted(*issuer), "Add it under issuers");
      }
      if (!ways.insert(way).second) {
        check.problem(where, "the route has this mechanism already, and its credential is judged by the first",
                      "Keep one of them; another issuer needs a route of its own");
      }
    }
  }
  if (!settings.token_service) return;
  for (std::size_t i = 0; i < settings.token_service->routes.size(); ++i) {
    const std::string& route = settings.token_service->routes[i];
    if (!names.contains(route))
      check.problem("token_service.routes[" + std::to_string(i) + "]",
                    "there is no route called " + config::quoted(route), "Give the name of a route");
  }
}

}  // namespace
}  // namespace sallyport::gateway

namespace sallyport::http {

std::vector<config::EnumName<OriginalForm>> enum_names(OriginalForm) {
  return {
      {OriginalForm::x_original, "x_original",
       "`X-Original-Method`, `-Host`, `-URI` and `-Proto`, or `X-Original-Method` and `-URL`: nginx, HAProxy."},
      {OriginalForm::x_forwarded, "x_forwarded", "`X-Forwarded-Method`, `-Host`, `-Uri` and `-Proto`: Traefik, Caddy."},
      {OriginalForm::path, "path",
       "The question's own method and Host, its path behind `prefix`, and `X-Forwarded-Proto`: Envoy."}};
}

}  // namespace sallyport::http

namespace sallyport::gateway {

std::vector<config::EnumName<ClientAuth>> enum_names(ClientAuth) {
  return {{ClientAuth::require, "require", "No connection without a certificate."},
          {ClientAuth::request, "request", "They go on without; what they present must hold all the same."}};
}

std::vector<config::EnumName<ForwardedHeader>> enum_names(ForwardedHeader) {
  return {{ForwardedHeader::x_forwarded_for, "x-forwarded-for", "`X-Forwarded-For`, a list of addresses."},
          {ForwardedHeader::forwarded, "forwarded", "`Forwarded` (RFC 7239)."}};
}

std::vector<config::EnumName<CertificateHeader>> enum_names(CertificateHeader) {
  return {{CertificateHeader::client_cert, "client-cert", "`Client-Cert` and `Client-Cert-Chain` (RFC 9440)."},
          {CertificateHeader::xfcc, "x-forwarded-client-cert",
           "`X-Forwarded-Client-Cert` with `Cert` or `Chain`, as Envoy writes it."}};
}

std::vector<config::EnumName<Control>> enum_names(Control) {
  return {{Control::offered, "offered", "Clients that offer the subprotocol `sallyport.v1`."},
          {Control::always, "always", "Every client of the route."},
          {Control::never, "never", "Nobody: a connection ends with its credential."}};
}

std::vector<config::EnumName<Refusal>> enum_names(Refusal) {
  return {{Refusal::status, "status", "An HTTP status; browsers hide it from the page."},
          {Refusal::close, "close", "The upgrade is completed only to be closed with a code that the page can read."}};
}

std::vector<config::EnumName<Protocol>> enum_names(Protocol) {
  return {{Protocol::json, "json", "JSON objects in texts, with the verb and the resource in members of theirs."}};
}

std::vector<config::EnumName<Timing>> enum_names(Timing) {
  return {{Timing::handshake, "handshake", "In the opening handshake; nobody else is let in."},
          {Timing::first_message, "first_message", "In the first message inside the socket."},
          {Timing::out_of_band, "out_of_band",
           "Through another request, `POST /.sallyport/bind`, with a code that the socket is given."}};
}

config::Schema<Settings> settings_schema() {
  return config::schema(
             "sallyport", "The configuration of the gateway.",
             field(&Settings::listen, "listen", "Where clients connect.", required, listen_schema()),
             field(&Settings::trusted_proxies, "trusted_proxies",
                   "Who may say for whom they speak. Absent: nobody, the other end of a connection is the client.",
                   trusted_proxies_schema()),
             field(&Settings::admin, "admin", "The port for operators. Absent: none.", admin_schema()),
             field(&Settings::store, "store", "What outlives a connection: opaque tokens and revocations.", required,
                   config::one_of(config::choices(store_plugs()))),
             field(&Settings::threads, "threads", "Loops, each on a thread of its own. 0: one per core.",
                   between(0, 256)),
             field(&Settings::assertion, "assertion", "The signed identity that backends get.", assertion_schema()),
             field(&Settings::issuers, "issuers", "Whose JSON Web Tokens can be accepted.", auth::issuer_schema()),
             field(&Settings::token_service, "token_service",
                   "Tokens of our own, for teams without an identity provider. Absent: none.",
                   auth::token_service_schema()),
             field(&Settings::routes, "routes", "The endpoints.", required, route_schema()),
             field(&Settings::limits, "limits", "What peers may use before they have proved anything.",
                   gateway_limits_schema()),
             field(&Settings::drain_timeout, "drain_timeout",
                   "How long live connections may take to end at a shutdown.", between(0s, 1h)),
             field(&Settings::acknowledge, "acknowledge",
                   "The `dangerous_*` settings that are in force on purpose; `check` refuses any other."))
      .validated_by(check_names, {"issuers", "listen", "token_service", "routes", "trusted_proxies"});
}

config::Reading<Settings> read_settings(std::string_view text, const std::string& file,
                                        const config::Environment& environment) {
  return config::read(settings_schema(), text, file, {.folder = config::folder_of(file), .environment = environment});
}

}  // namespace sallyport::gateway
