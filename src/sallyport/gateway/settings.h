#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/auth/jwt/issuer.h"
#include "sallyport/auth/opening/opening.h"
#include "sallyport/auth/requirements.h"
#include "sallyport/auth/token_service/config.h"
#include "sallyport/config/schema.h"
#include "sallyport/config/value.h"
#include "sallyport/gateway/lockout.h"
#include "sallyport/http/original.h"
#include "sallyport/protocol/json/config.h"

namespace sallyport::http {

/// The text form in the configuration.
std::vector<config::EnumName<OriginalForm>> enum_names(OriginalForm);

}  // namespace sallyport::http

/// What a configuration file says, with every default filled in. Plain values; load_settings() is the only reader of the text.
namespace sallyport::gateway {

struct CertificateSettings {
  config::FilePath certificate;
  config::FilePath key;
};

/// What is asked of clients that have no certificate.
enum class ClientAuth : std::uint8_t { require, request };
std::vector<config::EnumName<ClientAuth>> enum_names(ClientAuth);

struct TlsSettings {
  config::FilePath certificate;
  config::FilePath key;
  std::vector<CertificateSettings> certificates;
  config::FilePath client_ca;
  config::FilePath client_crl;
  ClientAuth client_auth = ClientAuth::require;
  std::uint32_t client_depth = 3;
  bool dangerous_client_any_purpose = false;
};

struct ProxyProtocolSettings {
  std::vector<std::string> trusted;
};

struct AuthorizeSettings {
  http::OriginalForm form = http::OriginalForm::x_original;
  std::string prefix;
  std::string client_field = "X-Forwarded-For";
  std::vector<std::string> trusted = {"127.0.0.0/8", "::1"};
  config::SecretSource token;
};

struct ListenSettings {
  config::Address address;
  std::optional<TlsSettings> tls;
  bool http2 = false;
  std::optional<AuthorizeSettings> authorize;
  std::optional<ProxyProtocolSettings> proxy_protocol;
  bool dangerous_plaintext = false;
};

/// Where a proxy writes whom it speaks for.
enum class ForwardedHeader : std::uint8_t { x_forwarded_for, forwarded };
std::vector<config::EnumName<ForwardedHeader>> enum_names(ForwardedHeader);

/// Where a proxy writes the certificate that it took from a client.
enum class CertificateHeader : std::uint8_t { client_cert, xfcc };
std::vector<config::EnumName<CertificateHeader>> enum_names(CertificateHeader);

struct ForwardedCertificateSettings {
  CertificateHeader header = CertificateHeader::client_cert;
  config::FilePath client_ca;
  config::FilePath client_crl;
  std::uint32_t client_depth = 3;
};

struct TrustedProxiesSettings {
  std::vector<std::string> addresses;
  ForwardedHeader header = ForwardedHeader::x_forwarded_for;
  std::optional<ForwardedCertificateSettings> certificate;
};

struct AdminSettings {
  config::Address address{"127.0.0.1", 9443};
  config::SecretSource token;
  std::optional<TlsSettings> tls;
};

struct AssertionSettings {
  config::FilePath keys_file;
  std::string issuer = "sallyport";
  std::chrono::seconds lifetime{60};
};

struct MatchSettings {
  std::string host;
  std::string path;
  std::string prefix;
};

struct UpstreamSettings {
  std::string url;
  std::vector<std::string> urls;
  config::FilePath ca_file;
  std::chrono::milliseconds connect_timeout{5000};
  bool keep_host = false;
};

struct RefreshSettings {
  bool in_band = true;
  std::chrono::seconds notice{30};
  std::chrono::seconds grace{10};
};

/// Who gets the control channel inside the socket.
enum class Control : std::uint8_t { offered, always, never };
std::vector<config::EnumName<Control>> enum_names(Control);

/// How a peer that is turned away before the 101 learns of it.
enum class Refusal : std::uint8_t { status, close };
std::vector<config::EnumName<Refusal>> enum_names(Refusal);

/// Mechanisms of which each must prove its part of one identity.
struct AllOf {
  std::vector<config::Choice> parts;
};

/// When a client says who it is.
enum class Timing : std::uint8_t { handshake, first_message, out_of_band };
std::vector<config::EnumName<Timing>> enum_names(Timing);

struct WaitingSettings {
  auth::OpeningProtocol protocol = auth::OpeningProtocol::control;
  std::string credential;
  std::chrono::milliseconds timeout{10'000};
  config::ByteSize message_size = config::kib(16);
};

struct ExchangeSettings {
  std::chrono::seconds lifetime = std::chrono::hours(1);
};

struct AddressSettings {
  std::vector<std::string> allow;
  std::vector<std::string> deny;
};

struct RecheckSettings {
  std::chrono::milliseconds every{60'000};
  std::chrono::milliseconds tolerate{60'000};
};

/// How the messages of a route's clients are written. A name here is an adapter of the layer `protocol`.
enum class Protocol : std::uint8_t { json };
std::vector<config::EnumName<Protocol>> enum_names(Protocol);

struct MessagesSettings {
  Protocol protocol = Protocol::json;
  protocol::JsonConfig operation;
};

struct RouteLimits {
  config::ByteSize message_size = config::kib(64);
  config::ByteSize backend_message_size = config::mib(1);
  config::Rate messages{100, std::chrono::seconds(1)};
  std::uint32_t connections_per_identity = 20;
  std::uint32_t connections_per_ip = 100;
};

struct CompressionSettings {
  bool client = false;
  bool backend = false;
  bool context_takeover = false;
  std::uint8_t window_bits = 15;
  std::uint32_t max_ratio = 200;
  bool dangerous_pass_through = false;
};

struct PingSettings {
  std::chrono::milliseconds every{30'000};
  std::chrono::milliseconds timeout{20'000};
};

struct RouteSettings {
  std::string name;
  MatchSettings match;
  UpstreamSettings upstream;
  AddressSettings addresses;
  std::vector<std::string> origins;
  std::vector<config::Choice> authenticate;
  auth::Requirements require;
  Timing timing = Timing::handshake;
  WaitingSettings waiting;
  std::vector<std::string> subprotocols;
  RecheckSettings recheck;
  std::optional<ExchangeSettings> exchange;
  std::optional<MessagesSettings> messages;
  RefreshSettings refresh;
  Control control = Control::offered;
  Refusal refusal = Refusal::status;
  RouteLimits limits;
  PingSettings ping;
  CompressionSettings compression;
  std::chrono::seconds max_session = std::chrono::hours(24);
};

struct Http2Limits {
  std::uint32_t streams = 100;
  config::Rate resets{200, std::chrono::minutes(1)};
  config::Rate empty_frames{500, std::chrono::minutes(1)};
  std::chrono::milliseconds idle_timeout{30'000};
};

struct GatewayLimits {
  std::uint32_t pending = 1000;
  std::uint32_t pending_per_ip = 100;
  std::uint32_t waiting = 10'000;
  std::uint32_t waiting_per_ip = 100;
  config::Rate handshakes_per_ip{50, std::chrono::seconds(1)};
  std::chrono::milliseconds tls_timeout{10'000};
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds auth_timeout{10'000};
  std::chrono::milliseconds close_timeout{5'000};
  std::chrono::milliseconds slow_consumer{30'000};
  LockoutSettings lockout;
  Http2Limits http2;
};

struct Settings {
  std::vector<ListenSettings> listen;
  std::optional<TrustedProxiesSettings> trusted_proxies;
  std::optional<AdminSettings> admin;
  config::Choice store;
  std::uint32_t threads = 0;
  AssertionSettings assertion;
  std::vector<auth::IssuerConfig> issuers;
  std::optional<auth::TokenServiceConfig> token_service;
  std::vector<RouteSettings> routes;
  GatewayLimits limits;
  std::chrono::milliseconds drain_timeout{30'000};
  std::vector<std::string> acknowledge;
};

/// The one declaration of the configuration file.
config::Schema<Settings> settings_schema();

/// What a file says, or every problem with it; `dangers` are the guarantees that it lowers.
/// Errors: pure: nothing but `text` and `environment` is looked at.
config::Reading<Settings> read_settings(std::string_view text, const std::string& file,
                                        const config::Environment& environment);

}  // namespace sallyport::gateway
