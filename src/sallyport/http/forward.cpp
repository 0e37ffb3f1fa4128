#include "sallyport/http/forward.h"

#include <algorithm>

#include "sallyport/http/grammar.h"
#include "sallyport/http/target.h"

namespace sallyport::http {
namespace {

// Compared folded. Written here, meaningful to one hop only, or a body that an upgrade does not have.
constexpr std::string_view hop_fields[] = {
    "host",
    "connection",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "content-length",
    "http2-settings",
    "expect",
    "max-forwards",
};

// Compared folded. What backends believe when their proxy says it; a client must not be the one that says it.
constexpr std::string_view trusted_fields[] = {
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-host",
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-rewrite-url",
    "x-http-method-override",
    "remote-user",
    "x-remote-user",
    "x-user",
    "x-user-id",
    "x-username",
    "x-authenticated-user",
    "x-auth-user",
    "x-auth-username",
    "x-auth-subject",
    "x-auth-email",
    "x-auth-roles",
    "x-auth-groups",
    "x-client-cert",
    "x-ssl-cert",
    "x-ssl-client-cert",
    "ssl-client-cert",
    "client-cert",
    "client-cert-chain",
};
constexpr std::string_view trusted_prefixes[] = {
    "x-sallyport-", "x-forwarded-", "x-auth-request-", "x-ssl-client-", "ssl-client-", "x-envoy-", "sec-websocket-",
};

bool starts_with_any_case(std::string_view text, std::string_view prefix) {
  return equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}
bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Folded names of what this request, beyond hop_fields and trusted_fields, must not take over from the client.
std::vector<std::string> dropped_names(const Upgrade& upgrade, const ForwardOptions& options) {
  std::vector<std::string> out;
  for (const auto option : upgrade.headers().find_elements("connection")) out.push_back(folded_name(option));
  for (const std::string& name : options.strip.headers) out.push_back(folded_name(name));
  for (const Field field : options.added) out.push_back(folded_name(field.name));
  return out;
}

bool is_stripped(std::string_view subprotocol, const Strip& strip) {
  for (const std::string& name : strip.subprotocols) {
    if (equal_ignoring_case(subprotocol, name)) return true;
  }
  for (const std::string& prefix : strip.subprotocol_prefixes) {
    if (starts_with_any_case(subprotocol, prefix)) return true;
  }
  return false;
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  void field(std::string_view name, std::string_view value) {
    if (!is_token(name) || !is_field_value(value)) {
      if (bad_.empty()) bad_ = is_token(name) ? std::string(name) : "a name that is no token";
      return;
    }
    out_.append(name).append(": ").append(value).append("\r\n");
  }
  Result<void> finish() {
    if (!bad_.empty()) return Error{Reason::internal_bug, "field for the backend cannot be written: " + bad_};
    out_.append("\r\n");
    return {};
  }

 private:
  std::string& out_;
  std::string bad_;
};

}  // namespace

Result<void> check_added_name(std::string_view name) {
  if (!is_token(name)) return Error{Reason::config_invalid, "field name `" + std::string(name) + "` is no token"};
  constexpr std::string_view written[] = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded",
                                          "cookie"};
  const std::string folded = folded_name(name);
  if (std::find(std::begin(hop_fields), std::end(hop_fields), folded) != std::end(hop_fields) ||
      std::find(std::begin(written), std::end(written), folded) != std::end(written) ||
      folded.compare(0, 14, "sec-websocket-") == 0) {
    return Error{Reason::config_invalid, "field name `" + std::string(name) + "` is written by the gateway itself"};
  }
  return {};
}

Result<UpstreamRequest> make_upstream_request(const Upgrade& upgrade, const ForwardOptions& options) {
  if (!is_websocket_key(options.key))
    return Error{Reason::internal_bug, "key for the backend is not the base64 of 16 bytes"};
  std::string path = upgrade.path();
  if (options.path) {
    Result<std::string> replaced = parse_path(*options.path);
    if (!replaced.ok()) return Error{Reason::internal_bug, "path for the backend: " + replaced.error().detail};
    path = std::move(replaced).value();
  }
  const std::string query = upgrade.query().without_parameters(options.strip.parameters);

  UpstreamRequest out;
  std::string& text = out.text;
  text.reserve(1024);
  text.append("GET ").append(path);
  if (!query.empty()) text.append("?").append(query);
  text.append(" HTTP/1.1\r\n");

  Writer writer(text);
  const std::string host = upgrade.authority().text();
  writer.field("Host", options.host == HostField::kept ? host : options.upstream_host);
  writer.field("Upgrade", "websocket");
  writer.field("Connection", "Upgrade");
  writer.field("Sec-WebSocket-Key", options.key);
  writer.field("Sec-WebSocket-Version", "13");
  std::string offer;
  for (const std::string& subprotocol : upgrade.subprotocols()) {
    if (is_stripped(subprotocol, options.strip)) continue;
    out.subprotocols.push_back(subprotocol);
    offer.append(offer.empty() ? "" : ", ").append(subprotocol);
  }
  if (!offer.empty()) writer.field("Sec-WebSocket-Protocol", offer);
  if (!options.deflate.empty()) writer.field("Sec-WebSocket-Extensions", offer_text(options.deflate));

  const std::vector<std::string> dropped = dropped_names(upgrade, options);
  for (const Field field : upgrade.headers()) {
    const std::string folded = folded_name(field.name);
    if (folded == "cookie" || contains(hop_fields, folded) || contains(trusted_fields, folded)) continue;
    if (contains(dropped, folded)) continue;
    if (std::any_of(std::begin(trusted_prefixes), std::end(trusted_prefixes),
                    [&](std::string_view prefix) { return folded.compare(0, prefix.size(), prefix) == 0; })) {
      continue;
    }
    writer.field(field.name, field.value);
  }
  const std::string cookies = upgrade.cookies().without_cookies(options.strip.cookies);
  if (!cookies.empty() && !contains(dropped, "cookie")) writer.field("Cookie", cookies);

  if (!options.client_address.empty()) writer.field("X-Forwarded-For", options.client_address);
  const std::string_view proto = options.client_scheme == Scheme::https ? "https" : "http";
  writer.field("X-Forwarded-Proto", proto);
  writer.field("X-Forwarded-Host", host);
  std::string forwarded = "for=";
  if (options.client_address.empty()) {
    forwarded.append("unknown");
  } else if (options.client_address.find(':') != std::string::npos) {
    forwarded.append("\"[").append(options.client_address).append("]\"");
  } else {
    forwarded.append(options.client_address);
  }
  forwarded.append(";host=\"").append(host).append("\";proto=").append(proto);
  writer.field("Forwarded", forwarded);
  for (const Field field : options.added) {
    if (const auto good = check_added_name(field.name); !good.ok()) {
      return Error{Reason::internal_bug, good.error().detail};
    }
    writer.field(field.name, field.value);
  }
  TRY_OK(writer.finish());
  return out;
}

}  // namespace sallyport::http
