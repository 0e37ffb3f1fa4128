#include <algorithm>
#include <chrono>

#include "sallyport/auth/jwt/issuer.h"
#include "sallyport/auth/opaque/opaque_token.h"
#include "sallyport/base/encoding.h"
#include "sallyport/base/log.h"
#include "sallyport/cli/admin_client.h"
#include "sallyport/cli/configuration.h"
#include "sallyport/cli/console.h"
#include "sallyport/cli/key_file.h"
#include "sallyport/cli/verbs.h"
#include "sallyport/config/problem.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/crypto/random.h"
#include "sallyport/jose/jwt.h"

namespace sallyport::cli {
namespace {

constexpr std::string_view time_claims[] = {"exp", "iat", "nbf", "auth_time"};
constexpr auto longest_ttl = std::chrono::hours(24 * 366);
constexpr auto fetch_timeout = std::chrono::seconds(10);

Error misused(std::string detail) { return {Reason::request_invalid, std::move(detail)}; }

/// The token itself, or standard input for `-` or nothing, so that it need not stand where other users can see it.
Result<std::string> read_token(const Arguments& arguments) {
  if (!arguments.operands().empty() && arguments.operands().front() != "-") return arguments.operands().front();
  TRY(const std::string text, read_input());
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return misused("no token on standard input");
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

json::Array words_of(const Arguments& arguments, std::string_view flag) {
  json::Array words;
  for (const std::string& word : arguments.find_all(flag)) words.emplace_back(word);
  return words;
}

Result<std::chrono::seconds> read_ttl(const Arguments& arguments) {
  const auto ttl = config::parse_duration(arguments.value_or("--ttl", "1h"));
  if (!ttl || *ttl < std::chrono::seconds(1) || *ttl > longest_ttl) {
    return misused("--ttl: a duration such as 1h, from 1s to 366d, expected");
  }
  return std::chrono::duration_cast<std::chrono::seconds>(*ttl);
}

// ---- issue

Result<int> issue_opaque(const Arguments& arguments) {
  for (const std::string_view flag : {"--key", "--secret-file", "--issuer", "--audience", "--claim"}) {
    if (arguments.has(flag)) return misused(std::string(flag) + " is for signed tokens, not for --opaque");
  }
  TRY(const std::chrono::seconds ttl, read_ttl(arguments));
  json::Object body{{"sub", *arguments.find("--sub")}, {"ttl", static_cast<std::int64_t>(ttl.count())}};
  if (const auto sid = arguments.find("--sid")) body.emplace_back("sid", *sid);
  if (const auto tenant = arguments.find("--tenant")) body.emplace_back("tenant", *tenant);
  if (arguments.has("--scope")) body.emplace_back("scopes", words_of(arguments, "--scope"));
  if (arguments.has("--role")) body.emplace_back("roles", words_of(arguments, "--role"));
  TRY(const AdminClient client, AdminClient::make(arguments));
  TRY(const json::Value answer, client.call("POST", "/v1/tokens", std::move(body)));
  if (arguments.has("--json")) {
    print(json::dump(answer) + "\n");
    return exit_good;
  }
  const std::string* token = answer.find_string("token");
  const std::string* id = answer.find_string("id");
  if (!token || !id) return Error{Reason::upstream_refused, "the gateway answered without a token"};
  print(*token + "\n");
  complain("its id is " + *id + "; `sallyport token revoke` takes it");
  return exit_good;
}

/// `--claim name=JSON`, or `name=text` for what is no JSON.
Result<void> add_claims(const Arguments& arguments, json::Object& claims) {
  for (const std::string& given : arguments.find_all("--claim")) {
    const std::size_t equals = given.find('=');
    if (equals == 0 || equals == std::string::npos) return misused("--claim: NAME=VALUE expected");
    const std::string name = given.substr(0, equals);
    if (std::ranges::find(claims, name, &std::pair<std::string, json::Value>::first) != claims.end()) {
      return misused("--claim: " + config::quoted(name) + " is there already");
    }
    Result<json::Value> value = json::parse(std::string_view(given).substr(equals + 1));
    claims.emplace_back(name, value.ok() ? std::move(value).value() : json::Value(given.substr(equals + 1)));
  }
  return {};
}

/// The first key of --key, or the secret of --secret-file.
Result<jose::SigningKey> signing_key(const Arguments& arguments) {
  const auto key_file = arguments.find("--key");
  const auto secret_file = arguments.find("--secret-file");
  if (key_file.has_value() == secret_file.has_value())
    return misused("one of --key, --secret-file and --opaque is needed");
  if (key_file) {
    TRY(std::vector<jose::SigningKey> keys, load_keys(*key_file));
    return std::move(keys.front());
  }
  TRY(const Secret secret,
      config::load_secret({config::SecretSource::Kind::file, *secret_file}, config::empty_environment()));
  return jose::SigningKey::make_secret(secret.bytes(), "secret", jose::Algorithm::HS256);
}

Result<int> issue_signed(const Arguments& arguments) {
  for (const std::string_view flag : {"--issuer", "--audience"}) {
    if (!arguments.has(flag)) return misused(std::string(flag) + " is needed for a signed token");
  }
  TRY(const std::chrono::seconds ttl, read_ttl(arguments));
  TRY(const jose::SigningKey key, signing_key(arguments));
  const std::int64_t now = to_unix_seconds(SystemClock().wall());
  json::Array audience = words_of(arguments, "--audience");
  const std::string id = base64url_encode(bytes_of(crypto::random_bytes(16)));
  json::Object claims{{"iss", *arguments.find("--issuer")},
                      {"aud", audience.size() == 1 ? std::move(audience.front()) : json::Value(std::move(audience))},
                      {"sub", *arguments.find("--sub")},
                      {"iat", now},
                      {"exp", now + ttl.count()},
                      {"jti", id}};
  if (const auto sid = arguments.find("--sid")) claims.emplace_back("sid", *sid);
  if (const auto tenant = arguments.find("--tenant")) claims.emplace_back("tenant", *tenant);
  if (arguments.has("--scope")) {
    std::string scopes;
    for (const std::string& scope : arguments.find_all("--scope")) scopes += (scopes.empty() ? "" : " ") + scope;
    claims.emplace_back("scope", scopes);
  }
  if (arguments.has("--role")) claims.emplace_back("roles", words_of(arguments, "--role"));
  TRY_OK(add_claims(arguments, claims));
  const std::string token = jose::sign_jwt(json::Object{{"typ", "JWT"}}, claims, key);
  if (arguments.has("--json")) {
    print(json::dump(json::Object{{"token", token}, {"id", id}, {"expires_at", now + ttl.count()}}) + "\n");
  } else {
    print(token + "\n");
  }
  return exit_good;
}

int token_issue(const Arguments& arguments) {
  const Result<int> issued = arguments.has("--opaque") ? issue_opaque(arguments) : issue_signed(arguments);
  return issued.ok() ? *issued : complain(issued.error());
}

// ---- inspect

std::string relative(std::int64_t seconds, std::int64_t now) {
  const std::chrono::seconds distance(seconds > now ? seconds - now : now - seconds);
  std::string text = config::show(std::chrono::nanoseconds(distance));
  if (distance >= std::chrono::minutes(2)) {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(distance);
    text = minutes >= std::chrono::hours(2)
               ? std::to_string(std::chrono::duration_cast<std::chrono::hours>(minutes).count()) + "h"
               : std::to_string(minutes.count()) + "m";
  }
  return seconds > now ? "in " + text : text + " ago";
}

bool is_time(std::string_view name) { return std::ranges::find(time_claims, name) != std::end(time_claims); }

void append_members(std::string& out, const json::Value& value, std::int64_t now) {
  constexpr std::int64_t year_9999 = 253'402'300'799;
  std::size_t width = 0;
  for (const auto& [name, member] : *value.object()) width = std::max(width, printable(name).size());
  for (const auto& [name, member] : *value.object()) {
    const std::string shown = printable(name);
    out.append("  ").append(shown).append(width - shown.size() + 2, ' ');
    out += printable_json(member);
    const std::int64_t* seconds = member.integer();
    if (seconds && is_time(name) && *seconds >= 0 && *seconds <= year_9999) {
      out.append("  ")
          .append(to_rfc3339(from_unix_seconds(*seconds)).substr(0, 19))
          .append("Z, ")
          .append(relative(*seconds, now));
    }
    out += '\n';
  }
}

Result<json::Value> decode_part(std::string_view part, const char* name) {
  const Result<std::string> text = base64url_decode(part);
  if (!text.ok()) return misused(std::string("the ") + name + " is not base64url: " + text.error().detail);
  Result<json::Value> value = json::parse(*text);
  if (!value.ok()) return misused(std::string("the ") + name + " is no JSON: " + value.error().detail);
  if (!value->object()) return misused(std::string("the ") + name + " is no JSON object");
  return value;
}

struct Decoded {
  json::Value header;
  json::Value claims;
};

Result<Decoded> decode(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return misused("neither a signed token (three parts between dots) nor an opaque token of this gateway");
  }
  TRY(json::Value header, decode_part(token.substr(0, first), "header"));
  TRY(json::Value claims, decode_part(token.substr(first + 1, second - first - 1), "payload"));
  return Decoded{std::move(header), std::move(claims)};
}

int token_inspect(const Arguments& arguments) {
  const Result<std::string> token = read_token(arguments);
  if (!token.ok()) return complain(token.error());
  const std::string hash = hex_encode(crypto::sha256(bytes_of(*token)));
  const bool as_json = arguments.has("--json");
  if (auth::is_opaque_token(*token)) {
    print(as_json ? json::dump(json::Object{{"verified", false}, {"kind", "opaque"}, {"token_hash", hash}}) + "\n"
                  : "An opaque token of a Sallyport gateway, well-formed. Only the gateway's store knows what it is "
                    "worth.\n  token_hash  " +
                        hash + "\n");
    return exit_good;
  }
  const Result<Decoded> decoded = decode(*token);
  if (!decoded.ok()) {
    complain(decoded.error());
    return exit_refused;
  }
  if (as_json) {
    print(json::dump(json::Object{{"verified", false},
                                  {"kind", "jwt"},
                                  {"header", decoded->header},
                                  {"claims", decoded->claims},
                                  {"token_hash", hash}}) +
          "\n");
    return exit_good;
  }
  std::string out = "NOT VERIFIED: anybody could have written this. `sallyport token verify` proves it.\n\nheader\n";
  const std::int64_t now = to_unix_seconds(SystemClock().wall());
  append_members(out, decoded->header, now);
  out += "\nclaims\n";
  append_members(out, decoded->claims, now);
  print(out + "\ntoken_hash " + hash + "\n");
  return exit_good;
}

// ---- verify

net::Task<void> fetch_keys(std::shared_ptr<auth::KeySource> keys, net::Loop& loop,
                           Result<auth::KeySource::Snapshot>& result) {
  const net::Deadline by{loop.clock().now() + fetch_timeout, Reason::keys_unavailable};
  result = co_await keys->newer_than(nullptr, loop, by);
  loop.stop();
}

/// The keys, fetched if they have to be.
Result<auth::KeySource::Snapshot> keys_of(const auth::Issuer& issuer, net::Loop& loop) {
  if (auth::KeySource::Snapshot keys = issuer.keys->snapshot()) return keys;
  const auto from_url = std::dynamic_pointer_cast<auth::UrlKeys>(issuer.keys);
  SALLYPORT_CHECK(from_url != nullptr);
  Result<auth::KeySource::Snapshot> result = auth::KeySource::Snapshot();
  net::HttpClient client(loop);
  crypto::SystemRandom random;
  const auth::KeyUpkeep upkeep(from_url, client, random);
  loop.spawn(fetch_keys(from_url, loop, result));
  loop.run();
  if (result.ok() && *result) return result;
  const std::string why = result.ok() ? from_url->status().last_error : result.error().detail;
  return Error{Reason::keys_unavailable, from_url->settings().url + ": " + why};
}

Result<const auth::IssuerConfig*> choose_issuer(const gateway::Settings& settings,
                                                const std::optional<std::string>& name) {
  if (!name && settings.issuers.size() == 1) return &settings.issuers.front();
  std::vector<std::string_view> names;
  std::string list;
  for (const auth::IssuerConfig& issuer : settings.issuers) {
    if (name && issuer.name == *name) return &issuer;
    names.push_back(issuer.name);
    list += (list.empty() ? "" : ", ") + issuer.name;
  }
  if (!name) return misused("--issuer is needed: one of " + (list.empty() ? "none" : list));
  const std::string_view near = config::nearest(*name, names);
  return misused("no issuer is called " + config::quoted(*name) +
                 (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
}

Result<int> verify(const Arguments& arguments) {
  const config::Environment environment = config::process_environment();
  const Configuration loaded = load_configuration(*arguments.find("--config"), environment);
  if (!loaded.reading.ok()) return loaded.reading.problems.error();
  TRY(const auth::IssuerConfig* const settings, choose_issuer(loaded.reading.config, arguments.find("--issuer")));
  TRY(const std::string token, read_token(arguments));
  const SystemClock clock;
  net::Loop loop(clock);
  TRY(const auto issuer, auth::make_issuer(*settings, environment, loop));
  TRY(const auth::KeySource::Snapshot keys, keys_of(*issuer, loop));
  const jose::JwtVerdict verdict = jose::verify_jwt(token, *keys, issuer->policy, clock.wall());
  const bool as_json = arguments.has("--json");
  if (!verdict.claims.ok()) {
    const Error& error = verdict.claims.error();
    if (as_json) {
      print(json::dump(json::Object{{"verified", false}, {"error", row(error.reason).name}, {"detail", error.detail}}) +
            "\n");
    } else {
      print("REFUSED: " + std::string(row(error.reason).name) + ": " + printable(error.detail) + "\n");
    }
    return exit_refused;
  }
  if (as_json) {
    print(json::dump(json::Object{{"verified", true}, {"issuer", issuer->name}, {"claims", verdict.claims->payload}}) +
          "\n");
  } else {
    std::string out = "VERIFIED by the keys of " + printable(issuer->name) + "\n";
    append_members(out, verdict.claims->payload, to_unix_seconds(clock.wall()));
    print(out);
  }
  return exit_good;
}

int token_verify(const Arguments& arguments) {
  const Result<int> verified = verify(arguments);
  return verified.ok() ? *verified : complain(verified.error());
}

constexpr std::string_view token_operand = "[TOKEN|-]";

}  // namespace

Verb token_issue_verb() {
  return {
      .name = "token issue",
      .line = "Makes a token: signed with a key of yours, or an opaque one of the gateway.",
      .flags = with_admin_flags(
          {{"--sub", "SUBJECT", "Who it speaks for.", Times::needed},
           {"--key", "FILE", "Keys as `keys new` writes them; the first one signs."},
           {"--secret-file", "FILE", "A shared secret, which signs with HS256."},
           {"--issuer", "ISS", "Its `iss`."},
           {"--audience", "AUD", "Its `aud`; may be given several times.", Times::any},
           {"--ttl", "TIME", "From now to its end (1h)."},
           {"--sid", "SESSION", "Its session."},
           {"--tenant", "TENANT", "Its tenant."},
           {"--scope", "SCOPE", "A scope; may be given several times.", Times::any},
           {"--role", "ROLE", "A role; may be given several times.", Times::any},
           {"--claim", "NAME=VALUE", "Another claim, its value in JSON; may be given several times.", Times::any},
           {"--opaque", "", "An opaque token, through the admin API; at most 90 days."},
           {"--json", "", "Writes JSON: token, id, expires_at."}}),
      .details =
          "Writes the token to standard output and nothing else. For tests and small installations; users get theirs "
          "from an\n"
          "identity provider.",
      .example =
          "sallyport token issue --key keys.jwks --issuer https://id.example.com --audience chat --sub alice --ttl 1h",
      .run = token_issue};
}

Verb token_inspect_verb() {
  return {.name = "token inspect",
          .line = "Shows what a token says, without proving any of it.",
          .operands = token_operand,
          .most_operands = 1,
          .flags = {{"--json", "", "Writes JSON: verified (false), kind, header, claims, token_hash."}},
          .details =
              "Reads standard input for `-` or nothing: a token among the arguments can be seen by other users of the "
              "machine.",
          .example = "sallyport token inspect < token.jwt",
          .run = token_inspect};
}

Verb token_verify_verb() {
  return {.name = "token verify",
          .line = "Proves a JSON Web Token as the gateway would.",
          .operands = token_operand,
          .most_operands = 1,
          .flags = {{"--config", "FILE", "The configuration.", Times::needed},
                    {"--issuer", "NAME", "Which of its issuers; not needed when there is one."},
                    {"--json", "", "Writes JSON: verified, and claims or error and detail."}},
          .details =
              "Signature, algorithm, issuer, audience, times and type, by the issuer's keys, which are fetched if they "
              "have a URL.\n"
              "Revocations are known to a running gateway only. Exit status 1: not a token that it would take.",
          .example = "sallyport token verify --config sallyport.yaml --issuer main < token.jwt",
          .run = token_verify};
}

}  // namespace sallyport::cli
