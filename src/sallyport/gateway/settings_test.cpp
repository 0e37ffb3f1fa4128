#include "sallyport/gateway/settings.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "sallyport/auth/anonymous/config.h"
#include "sallyport/auth/jwt/config.h"
#include "sallyport/auth/opaque/config.h"
#include "sallyport/gateway/plugs.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;

// Line 1 is the first, as in an editor.
const std::string good = R"(listen:
  - address: 0.0.0.0:8443
    tls: { certificate: tls/cert.pem, key: tls/key.pem }
  - address: 127.0.0.1:8080
admin: { address: 127.0.0.1:9443, token_file: secrets/admin }
store: { sqlite: { path: data/sallyport.db } }
issuers:
  - name: main
    issuer: https://id.example.com
    audience: [chat]
    algorithms: [ES256, EdDSA]
    keys: { jwks_url: https://id.example.com/.well-known/jwks.json }
routes:
  - name: chat
    match: { host: chat.example.com, path: /ws }
    upstream: { url: ws://127.0.0.1:9000/ }
    origins: [https://app.example.com, https://*.tenant.example.com]
    authenticate:
      - jwt: { issuer: main, from: [header, subprotocol, cookie:access_token, query:token] }
      - opaque: {}
    refresh: { in_band: true, notice: 30s, grace: 10s }
    limits: { message_size: 64KiB, messages: 100/s, connections_per_identity: 20, connections_per_ip: 100 }
  - name: feed
    match: { host: chat.example.com, prefix: /feed/ }
    upstream: { urls: [wss://a.example.com/, unix:/run/feed.sock] }
    authenticate: [ { opaque: { from: [header] } } ]
    control: never
    refusal: close
)";

config::Reading<Settings> read(std::string_view text) {
  return read_settings(text, "/etc/sallyport/gw.yaml", config::empty_environment());
}
std::string problems_of(std::string_view text) { return read(text).problems.text(); }

// The good configuration with one piece replaced.
std::string with(std::string_view piece, std::string_view replacement) {
  std::string text = good;
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

// Exactly one problem, in this line, of this setting, that says this.
void check_problem(std::string_view text, int line, std::string_view path, std::string_view says) {
  const std::string problems = problems_of(text);
  CAPTURE(problems);
  CHECK(std::ranges::count(problems, '\n') == 1);
  CHECK(problems.find("gw.yaml:" + std::to_string(line) + ": " + std::string(path) + ": ") != std::string::npos);
  CHECK(problems.find(says) != std::string::npos);
}

}  // namespace

TEST_SUITE("settings") {
  TEST_CASE("a complete configuration is read") {
    const auto reading = read(good);
    CHECK(reading.problems.text() == "");
    CHECK(reading.dangers.empty());
    const Settings& settings = reading.config;
    REQUIRE(settings.listen.size() == 2);
    CHECK(settings.listen[0].address == config::Address{"0.0.0.0", 8443});
    REQUIRE(settings.listen[0].tls.has_value());
    CHECK(settings.listen[0].tls->certificate.path == "/etc/sallyport/tls/cert.pem");
    CHECK(!settings.listen[1].tls.has_value());
    REQUIRE(settings.admin.has_value());
    CHECK(settings.admin->token.where == "/etc/sallyport/secrets/admin");
    CHECK(settings.store.kind == "sqlite");
    REQUIRE(settings.issuers.size() == 1);
    CHECK(settings.issuers[0].algorithms.size() == 2);
    REQUIRE(settings.routes.size() == 2);
    const RouteSettings& chat = settings.routes[0];
    CHECK(chat.match.host == "chat.example.com");
    CHECK(chat.origins.size() == 2);
    REQUIRE(chat.authenticate.size() == 2);
    CHECK(chat.authenticate[0].get<auth::JwtConfig>()->issuer == "main");
    CHECK(chat.authenticate[1].get<auth::OpaqueConfig>() != nullptr);
    CHECK(chat.refresh.grace == 10s);
    CHECK(chat.limits.message_size == config::kib(64));
    CHECK(chat.control == Control::offered);
    CHECK(chat.refusal == Refusal::status);
    const RouteSettings& feed = settings.routes[1];
    CHECK(feed.match.prefix == "/feed/");
    CHECK(feed.upstream.urls.size() == 2);
    CHECK(feed.control == Control::never);
    CHECK(feed.refusal == Refusal::close);
  }

  TEST_CASE("what is left out is denied or bounded") {
    const auto reading = read(good);
    const RouteSettings& feed = reading.config.routes[1];
    CHECK(feed.origins.empty());
    CHECK(feed.limits.connections_per_ip == 100);
    CHECK(feed.limits.messages == config::Rate{100, 1s});
    CHECK(feed.max_session == 24h);
    CHECK(feed.ping.every == 30s);
    CHECK(reading.config.limits.pending == 1000);
    CHECK(reading.config.limits.handshakes_per_ip == config::Rate{50, 1s});
    CHECK(reading.config.drain_timeout == 30s);
    CHECK(reading.config.assertion.keys_file.empty());
  }

  TEST_CASE("what must be there is asked for") {
    CHECK(problems_of("").find("gw.yaml") != std::string::npos);
    const std::string problems = problems_of("{}\n");
    for (const char* path : {"listen: required", "store: required", "routes: required"})
      CHECK(problems.find(path) != std::string::npos);
    check_problem(with("    authenticate: [ { opaque: { from: [header] } } ]\n", ""), 23, "routes[1].authenticate",
                  "required");
    check_problem(with("[ { opaque: { from: [header] } } ]", "[]"), 26, "routes[1].authenticate", "");
    check_problem(with("match: { host: chat.example.com, path: /ws }", "match: { path: /ws }"), 15,
                  "routes[0].match.host", "required");
  }

  TEST_CASE("every problem is told at once, each at its place") {
    std::string bad = good;
    const auto replace = [&](std::string_view piece, std::string_view replacement) {
      bad.replace(bad.find(piece), piece.size(), replacement);
    };
    replace("0.0.0.0:8443", "localhost:8443");
    replace("algorithms: [ES256, EdDSA]", "algorithms: [ES256, none]");
    replace("https://app.example.com", "app.example.com");
    replace("ws://127.0.0.1:9000/", "http://127.0.0.1:9000/");
    replace("message_size: 64KiB", "mesage_size: 64KiB");
    replace("wss://a.example.com/", "a.example.com");
    const std::string problems = problems_of(bad);
    CAPTURE(problems);
    CHECK(problems.find("gw.yaml:2: listen[0].address: ") != std::string::npos);
    CHECK(problems.find("gw.yaml:11: issuers[0].algorithms[1]: ") != std::string::npos);
    CHECK(problems.find("gw.yaml:16: routes[0].upstream.url: ") != std::string::npos);
    CHECK(problems.find("gw.yaml:17: routes[0].origins[0]: ") != std::string::npos);
    CHECK(problems.find("gw.yaml:22: routes[0].limits.mesage_size: unknown key. Did you mean message_size?") !=
          std::string::npos);
    CHECK(problems.find("gw.yaml:25: routes[1].upstream.urls[0]: ") != std::string::npos);
    CHECK(std::ranges::count(problems, '\n') == 6);
  }

  TEST_CASE("clients come in the clear on loopback only") {
    check_problem(with("address: 127.0.0.1:8080", "address: 0.0.0.0:8080"), 4, "listen[1]", "loopback");
    check_problem(with("address: 127.0.0.1:8080", "address: 192.0.2.1:8080"), 4, "listen[1]", "loopback");
    check_problem(with("address: 127.0.0.1:8080", "address: \"[::]:8080\""), 4, "listen[1]", "loopback");
    CHECK(problems_of(with("address: 127.0.0.1:8080", "address: \"[::1]:8080\"")) == "");
    CHECK(problems_of(with("address: 127.0.0.1:8080", "address: 127.1.2.3:8080")) == "");
    const auto reading = read(with("address: 127.0.0.1:8080", "address: 0.0.0.0:8080\n    dangerous_plaintext: true"));
    CHECK(reading.problems.text() == "");
    REQUIRE(reading.dangers.size() == 1);
    CHECK(reading.dangers[0].name == "dangerous_plaintext");
    CHECK(reading.dangers[0].path == "listen[1].dangerous_plaintext");
    CHECK(reading.dangers[0].mark.line == 5);
  }

  TEST_CASE("HTTP/2 is off, and agreed upon in TLS only") {
    CHECK(!read(good).config.listen[0].http2);
    const auto reading = read(with("0.0.0.0:8443", "0.0.0.0:8443\n    http2: true"));
    CHECK(reading.problems.text() == "");
    CHECK(reading.config.listen[0].http2);
    const Http2Limits& limits = reading.config.limits.http2;
    CHECK(limits.streams == 100);
    CHECK(limits.resets == config::Rate{200, 1min});
    CHECK(limits.empty_frames == config::Rate{500, 1min});
    CHECK(limits.idle_timeout == 30s);
    check_problem(with("127.0.0.1:8080", "127.0.0.1:8080\n    http2: true"), 5, "listen[1].http2", "TLS handshake");
    check_problem(good + "limits: { http2: { streams: 0 } }\n", 29, "limits.http2.streams", "1");
  }

  TEST_CASE("a listener is asked by trusted proxies only, in one form") {
    const auto asked = [](const std::string& how) {
      return with("address: 127.0.0.1:8080", "address: 127.0.0.1:8080\n    authorize: " + how);
    };
    CHECK(!read(good).config.listen[1].authorize);
    const auto reading = read(asked("{ form: x_original }"));
    CHECK(reading.problems.text() == "");
    REQUIRE(reading.config.listen[1].authorize);
    CHECK(reading.config.listen[1].authorize->trusted == std::vector<std::string>{"127.0.0.0/8", "::1"});
    CHECK(reading.config.listen[1].authorize->client_field == "X-Forwarded-For");
    CHECK(problems_of(asked("{ form: path, prefix: /check, client_field: X-Client }")) == "");
    CHECK(problems_of(asked("{ form: x_forwarded, trusted: [10.0.0.0/8], token: env:TOKEN }")) == "");
    check_problem(asked("{}"), 5, "listen[1].authorize.form", "required");
    check_problem(asked("{ form: any }"), 5, "listen[1].authorize.form", "x_original");
    check_problem(asked("{ form: x_original, prefix: /check }"), 5, "listen[1].authorize.prefix", "only the form path");
    check_problem(asked("{ form: path, prefix: /check/ }"), 5, "listen[1].authorize.prefix", "slash");
    check_problem(asked("{ form: path, client_field: \"a b\" }"), 5, "listen[1].authorize.client_field", "header");
    check_problem(asked("{ form: path, trusted: [10.0.0.1/8] }"), 5, "listen[1].authorize.trusted[0]", "10.0.0.1/8");
    check_problem(asked("{ form: path, trusted: [] }"), 5, "listen[1].authorize.trusted", "1");
    check_problem(with("0.0.0.0:8443", "0.0.0.0:8443\n    http2: true\n    authorize: { form: path }"), 3,
                  "listen[0].http2", "HTTP/1.1");
  }

  TEST_CASE("compression is off, and what makes no sense of it is refused") {
    CHECK(!read(good).config.routes[0].compression.client);
    CHECK(!read(good).config.routes[0].compression.backend);
    const std::string refresh = "    refresh: { in_band: true, notice: 30s, grace: 10s }\n";
    const auto compressing = [&](const std::string& settings) {
      return with(refresh, refresh + "    compression: { " + settings + " }\n");
    };
    const auto both = read(compressing("client: true, backend: true, context_takeover: true, window_bits: 12"));
    CHECK(both.problems.text() == "");
    CHECK(both.config.routes[0].compression.client);
    CHECK(both.config.routes[0].compression.window_bits == 12);
    const std::string path = "routes[0].compression";
    for (const char* nothing : {"context_takeover: true", "window_bits: 10", "max_ratio: 20"}) {
      const std::string key = std::string(nothing).substr(0, std::string_view(nothing).find(':'));
      check_problem(compressing(nothing), 22, path + "." + key, "nothing is compressed");
    }
    check_problem(compressing("client: true, window_bits: 8"), 22, path + ".window_bits", "9");
    check_problem(compressing("client: true, max_ratio: 0"), 22, path + ".max_ratio", "1");
    check_problem(compressing("client: true, dangerous_pass_through: true"), 22, path + ".dangerous_pass_through",
                  "excludes client and backend");
    check_problem(compressing("dangerous_pass_through: true"), 22, path + ".dangerous_pass_through", "control channel");
    const auto passing =
        read(with(refresh, refresh + "    control: never\n    compression: { dangerous_pass_through: true }\n"));
    CHECK(passing.problems.text() == "");
    REQUIRE(passing.dangers.size() == 1);
    CHECK(passing.dangers[0].path == path + ".dangerous_pass_through");
  }

  TEST_CASE("messages are read where the route says how") {
    CHECK(!read(good).config.routes[0].messages);
    const std::string refresh = "    refresh: { in_band: true, notice: 30s, grace: 10s }\n";
    const auto reading = [&](const std::string& settings) {
      return with(refresh, refresh + "    messages: { " + settings + " }\n");
    };
    const std::string path = "routes[0].messages";
    const auto both =
        read(reading("protocol: json, operation: { verb: /type, resource: /room, resource_optional: [ping] }"));
    CHECK(both.problems.text() == "");
    REQUIRE(both.config.routes[0].messages);
    CHECK(both.config.routes[0].messages->operation.resource == "/room");
    CHECK(make_adapter(*both.config.routes[0].messages));
    check_problem(reading("protocol: xml, operation: { verb: /type }"), 22, path + ".protocol", "json");
    check_problem(reading("operation: { verb: /type }"), 22, path + ".protocol", "required");
    check_problem(reading("protocol: json"), 22, path + ".operation", "required");
    check_problem(reading("protocol: json, operation: {}"), 22, path + ".operation.verb", "required");
    check_problem(reading("protocol: json, operation: { verb: type }"), 22, path + ".operation.verb", "slash");
    check_problem(reading("protocol: json, operation: { verb: /type, resource: /type/x }"), 22,
                  path + ".operation.resource", "the same member");
    check_problem(with(refresh, refresh + "    messages: { protocol: json, operation: { verb: /type } }\n"
                                          "    control: never\n"
                                          "    compression: { dangerous_pass_through: true }\n"),
                  24, "routes[0].compression.dangerous_pass_through", "messages must be read");
  }

  TEST_CASE("operators come in the clear on loopback only, always") {
    check_problem(with("admin: { address: 127.0.0.1:9443", "admin: { address: 0.0.0.0:9443"), 5, "admin.address",
                  "loopback");
    CHECK(problems_of(with("admin: { address: 127.0.0.1:9443",
                           "admin: { tls: { certificate: c, key: k }, address: 0.0.0.0:9443")) == "");
  }

  TEST_CASE("a certificate needs its key, and one way to name it") {
    check_problem(with("tls: { certificate: tls/cert.pem, key: tls/key.pem }", "tls: { certificate: tls/cert.pem }"), 3,
                  "listen[0].tls", "together");
    check_problem(with("tls: { certificate: tls/cert.pem, key: tls/key.pem }", "tls: { key: tls/key.pem }"), 3,
                  "listen[0].tls", "exactly one");
    check_problem(with("key: tls/key.pem }", "key: tls/key.pem, certificates: [ { certificate: c, key: k } ] }"), 3,
                  "listen[0].tls", "exactly one");
    CHECK(problems_of(with("tls: { certificate: tls/cert.pem, key: tls/key.pem }",
                           "tls: { certificates: [ { certificate: c, key: k }, { certificate: d, key: l } ] }")) == "");
  }

  TEST_CASE("client certificates are asked for by a listener, or passed on by a proxy") {
    const auto tls = [](std::string_view more) {
      return with("tls: { certificate: tls/cert.pem, key: tls/key.pem }",
                  "tls: { certificate: tls/cert.pem, key: tls/key.pem, " + std::string(more) + " }");
    };
    const auto asked =
        read(tls("client_ca: tls/clients.pem, client_crl: tls/crl.pem, client_auth: request, client_depth: 1"));
    CHECK(asked.problems.text() == "");
    const TlsSettings& settings = *asked.config.listen[0].tls;
    CHECK(settings.client_ca.path == "/etc/sallyport/tls/clients.pem");
    CHECK(settings.client_auth == ClientAuth::request);
    CHECK(settings.client_depth == 1);
    CHECK(read(tls("client_ca: a.pem")).config.listen[0].tls->client_auth == ClientAuth::require);
    for (const char* alone : {"client_crl: tls/crl.pem", "client_auth: require", "client_depth: 1"})
      check_problem(tls(alone), 3, "listen[0].tls." + std::string(alone).substr(0, std::string(alone).find(':')),
                    "nobody is asked");
    const auto danger = read(tls("client_ca: a.pem, dangerous_client_any_purpose: true"));
    REQUIRE(danger.dangers.size() == 1);

    const std::string route = "authenticate: [ { opaque: { from: [header] } } ]";
    check_problem(with(route, "authenticate: [ { mtls: {} } ]"), 26, "routes[1].authenticate[0]",
                  "no client is ever asked");
    std::string served = tls("client_ca: a.pem");
    CHECK(problems_of(served.replace(served.find(route), route.size(), "authenticate: [ { mtls: {} } ]")) == "");
    std::string passed_on = with(route, "authenticate: [ { mtls: {} } ]");
    passed_on += "trusted_proxies: { addresses: [10.0.0.0/8], certificate: { client_ca: a.pem } }\n";
    CHECK(problems_of(passed_on) == "");
  }

  TEST_CASE("addresses and ranges are read as such") {
    const std::string limits = "    control: never\n";
    const auto of_route = [&](std::string_view addresses) {
      return with(limits, "    addresses: " + std::string(addresses) + "\n" + limits);
    };
    CHECK(problems_of(of_route("{ allow: [192.0.2.0/24, \"2001:db8::/32\"], deny: [192.0.2.7] }")) == "");
    check_problem(of_route("{ allow: [192.0.2.1/24] }"), 27, "routes[1].addresses.allow[0]", "behind the prefix");
    check_problem(of_route("{ deny: [example.com] }"), 27, "routes[1].addresses.deny[0]", "an IP address or a range");
    check_problem(good + "trusted_proxies: { addresses: [] }\n", 29, "trusted_proxies.addresses", "");
    check_problem(good + "trusted_proxies: { addresses: [10.0.0.0/33] }\n", 29, "trusted_proxies.addresses[0]",
                  "a prefix of 0 to 32");
    const auto proxied = [](std::string_view trusted) {
      return with("  - address: 127.0.0.1:8080\n",
                  "  - address: 127.0.0.1:8080\n    proxy_protocol: { trusted: " + std::string(trusted) + " }\n");
    };
    CHECK(read(proxied("[10.0.0.0/8]")).config.listen[1].proxy_protocol->trusted ==
          std::vector<std::string>{"10.0.0.0/8"});
    check_problem(proxied("[]"), 5, "listen[1].proxy_protocol.trusted", "");
  }

  TEST_CASE("a lock-out has bounds") {
    CHECK(read(good).config.limits.lockout.failures == 5);
    CHECK(problems_of(good + "limits: { lockout: { failures: 10, first: 2s, longest: 5m } }\n") == "");
    check_problem(good + "limits: { lockout: { first: 2m, longest: 1m } }\n", 29, "limits.lockout.longest", "shorter");
    check_problem(good + "limits: { lockout: { failures: 0 } }\n", 29, "limits.lockout.failures", "");
  }

  TEST_CASE("a mechanism's issuer exists") {
    check_problem(with("issuer: main,", "issuer: mian,"), 19, "routes[0].authenticate[0]", "no issuer called \"mian\"");
  }

  TEST_CASE("tokens of our own are an issuer's, and the routes that are a login for them exist") {
    const auto service = [](const std::string& routes) {
      return "token_service: {issuer: https://chat.example.com, audience: [chat], keys_file: k, routes: [" + routes +
             "]}\nroutes:\n";
    };
    const std::string ours = with("issuer: main, from", "issuer: token_service, from");
    CHECK(problems_of(ours).find("no issuer called \"token_service\"") != std::string::npos);
    const auto added = [&](std::string text, const std::string& routes) {
      return text.replace(text.find("routes:\n"), 8, service(routes));
    };
    CHECK(problems_of(added(ours, "chat")) == "");
    CHECK(problems_of(added(good, "chat")) == "");
    CHECK(problems_of(added(good, "chat, nowhere")).find("no route called \"nowhere\"") != std::string::npos);
    CHECK(problems_of(added(with("name: main", "name: token_service"), "chat")).find("token_service") !=
          std::string::npos);
  }

  TEST_CASE("a mechanism stands once on a route") {
    check_problem(with("      - opaque: {}\n", "      - jwt: { issuer: main }\n"), 20, "routes[0].authenticate[1]",
                  "has this mechanism already");
  }

  TEST_CASE("names are each one's own") {
    check_problem(with("- name: feed", "- name: chat"), 23, "routes[1].name", "another route has this name");
    const std::string issuer =
        good.substr(good.find("  - name: main"), good.find("routes:") - good.find("  - name: main"));
    check_problem(with("routes:", issuer + "routes:"), 13, "issuers[1].name", "another issuer has this name");
    check_problem(with("prefix: /feed/", "path: /ws"), 24, "routes[1].match", "another route matches the same");
  }

  TEST_CASE("a match is written the one way that an upgrade is read") {
    for (const char* path : {"ws", "/ws/../x", "/a//b", "/%77s", "/ws?x", "/ws#x", "\"/w s\"", "\"\""}) {
      CAPTURE(path);
      check_problem(with("path: /ws", "path: " + std::string(path)), 15, "routes[0].match.path", "");
    }
    for (const char* host : {"Chat.example.com", "chat.example.com:443", "\"*.example.com\"", "chat.example.com.",
                             "\"\"", "https://chat.example.com"}) {
      CAPTURE(host);
      check_problem(with("host: chat.example.com, path", "host: " + std::string(host) + ", path"), 15,
                    "routes[0].match.host", "");
    }
    check_problem(with("prefix: /feed/", "prefix: /feed"), 24, "routes[1].match.prefix", "ends in a slash");
    check_problem(with("prefix: /feed/", "prefix: /feed/, path: /x"), 24, "routes[1].match", "exactly one");
    check_problem(with(", path: /ws", ""), 15, "routes[0].match", "exactly one");
  }

  TEST_CASE("an origin is an origin") {
    for (const char* origin : {"app.example.com", "https://app.example.com/", "https://*", "https://*.com",
                               "https://app.*.com", "\"*\"", "https://user@app.example.com", "\"\""}) {
      CAPTURE(origin);
      check_problem(with("[https://app.example.com,", "[" + std::string(origin) + ","), 17, "routes[0].origins[0]", "");
    }
    CHECK(problems_of(with("https://app.example.com,", "\"null\", https://192.0.2.1:8443,")) == "");
  }

  TEST_CASE("a backend is a backend") {
    for (const char* url :
         {"http://127.0.0.1/", "127.0.0.1:9000", "ws:///x", "ws://user:pw@a/", "unix:relative", "\"\""}) {
      CAPTURE(url);
      check_problem(with("url: ws://127.0.0.1:9000/", "url: " + std::string(url)), 16, "routes[0].upstream.url", "");
    }
    check_problem(with("url: ws://127.0.0.1:9000/", "keep_host: true"), 16, "routes[0].upstream", "exactly one");
    check_problem(with("url: ws://127.0.0.1:9000/", "url: ws://a/, urls: [ws://b/]"), 16, "routes[0].upstream",
                  "exactly one");
  }

  TEST_CASE("letting in everybody is a danger that is told") {
    const auto reading = read(
        with("[ { opaque: { from: [header] } } ]", "[ { opaque: {} }, { dangerous_anonymous: { subject: guest } } ]"));
    CHECK(reading.problems.text() == "");
    REQUIRE(reading.config.routes.size() == 2);
    CHECK(reading.config.routes[1].authenticate[1].get<auth::AnonymousConfig>()->subject == "guest");
    REQUIRE(reading.dangers.size() == 1);
    CHECK(reading.dangers[0].name == "dangerous_anonymous");
    CHECK(reading.dangers[0].mark.line == 26);
  }

  TEST_CASE("numbers have bounds") {
    check_problem(with("message_size: 64KiB", "message_size: 0"), 22, "routes[0].limits.message_size", "");
    check_problem(with("message_size: 64KiB", "message_size: 65MiB"), 22, "routes[0].limits.message_size", "");
    check_problem(with("messages: 100/s", "messages: 0/s"), 22, "routes[0].limits.messages", "");
    check_problem(with("grace: 10s", "grace: 301s"), 21, "routes[0].refresh.grace", "");
    check_problem(with("grace: 10s", "grace: -1s"), 21, "routes[0].refresh.grace", "");
    check_problem(good + "threads: 257\n", 29, "threads", "");
    check_problem(good + "limits: { pending: 0 }\n", 29, "limits.pending", "");
  }

  TEST_CASE("a secret does not stand in the file") {
    const std::string problems = problems_of(with("token_file: secrets/admin", "token: hunter2hunter2hunter2"));
    CHECK(problems.find("gw.yaml:5: admin.token: ") != std::string::npos);
    CHECK(problems.find("hunter2") == std::string::npos);
  }
}

}  // namespace sallyport::gateway
