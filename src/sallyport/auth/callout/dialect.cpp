#include "sallyport/auth/callout/dialect.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "sallyport/auth/claim_readers.h"
#include "sallyport/auth/text.h"
#include "sallyport/auth/token.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t most_detail = 200;

Error no_answer(const std::string& what) { return {Reason::auth_unavailable, "callout answer: " + what}; }

std::string excerpt(const std::string* text) { return text ? text->substr(0, most_detail) : std::string(); }

std::string_view name_of(Occasion occasion) {
  switch (occasion) {
    case Occasion::connect:
      return "connect";
    case Occasion::refresh:
      return "refresh";
    case Occasion::recheck:
      return "recheck";
  }
  return {};
}

std::string cookie_line(const Facts& facts) {
  std::string line;
  for (const ShownPart& finding : facts.findings) {
    if (finding.place.kind != RequestPart::Kind::cookie) continue;
    line.append(line.empty() ? "" : "; ").append(finding.place.name).append("=").append(finding.value.reveal());
  }
  return line;
}

json::Object texts_of(const Facts& facts, RequestPart::Kind kind) {
  json::Object texts;
  for (const ShownPart& finding : facts.findings) {
    if (finding.place.kind != kind) continue;
    const std::string name = kind == RequestPart::Kind::header ? http::lowered(finding.place.name) : finding.place.name;
    const auto same = [&](const auto& member) { return member.first == name; };
    if (std::ranges::none_of(texts, same)) texts.emplace_back(name, finding.value.reveal());
  }
  return texts;
}

json::Object request_of(const Facts& facts) {
  json::Object request;
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) request.emplace_back(name, text);
  };
  add("method", facts.method);
  add("scheme", facts.scheme);
  add("host", facts.host);
  add("path", facts.path);
  add("origin", facts.origin);
  request.emplace_back("headers", texts_of(facts, RequestPart::Kind::header));
  request.emplace_back("cookies", texts_of(facts, RequestPart::Kind::cookie));
  request.emplace_back("query", texts_of(facts, RequestPart::Kind::parameter));
  json::Array subprotocols;
  for (const std::string& one : facts.subprotocols) subprotocols.emplace_back(one);
  request.emplace_back("subprotocols", std::move(subprotocols));
  return request;
}

json::Object own_question(const Facts& facts, Occasion occasion, const Identity* present) {
  json::Object peer{{"address", facts.peer}};
  if (!facts.tls.empty()) peer.emplace_back("tls", facts.tls);
  json::Object question{{"version", 1},
                        {"event", name_of(occasion)},
                        {"route", facts.route},
                        {"peer", std::move(peer)},
                        {"request", request_of(facts)}};
  if (present) {
    const Identity& identity = *present;
    json::Object who{{"subject", identity->subject}};
    if (!identity->session_id.empty()) who.emplace_back("session", identity->session_id);
    who.emplace_back("expires_at", to_unix_seconds(identity->expires_at));
    question.emplace_back("identity", std::move(who));
  }
  return question;
}

// The body of a Hasura webhook in POST mode: the client's header fields, under the names that they have in HTTP.
json::Object hasura_question(const Facts& facts) {
  json::Object headers;
  for (const ShownPart& finding : facts.findings) {
    if (finding.place.kind == RequestPart::Kind::header)
      headers.emplace_back(finding.place.name, finding.value.reveal());
  }
  if (std::string cookies = cookie_line(facts); !cookies.empty()) headers.emplace_back("Cookie", std::move(cookies));
  return {{"headers", std::move(headers)}, {"request", nullptr}};
}

// Reads members; one of the wrong type is the service's fault and says nothing about the credential.
class Members {
 public:
  explicit Members(const json::Value& answer) : answer_(answer) {}

  Result<std::string> text(std::string_view name) const {
    return not_the_clients_fault(read_text_claim(answer_, name));
  }
  Result<std::vector<std::string>> list(std::string_view name) const {
    return not_the_clients_fault(read_list_claim(answer_, name));
  }
  Result<std::vector<std::string>> scopes(std::string_view name) const {
    return not_the_clients_fault(read_scopes_claim(answer_, name));
  }
  Result<std::optional<WallTime>> time(std::string_view name) const {
    constexpr std::int64_t latest = 253402300799;  // the end of the year 9999
    const json::Value* value = answer_.find(name);
    std::optional<WallTime> none;
    if (!value || value->is_null()) return none;
    const std::int64_t* seconds = value->integer();
    if (!seconds || *seconds < 0 || *seconds > latest) return no_answer("'" + std::string(name) + "' is no time");
    return std::optional(from_unix_seconds(*seconds));
  }

 private:
  template <class T>
  static Result<T> not_the_clients_fault(Result<T> read) {
    if (!read) return no_answer(read.error().detail);
    return read;
  }

  const json::Value& answer_;
};

Result<WallTime> expiry_of(const Members& members, const AnswerDefaults& defaults, std::string_view name,
                           WallTime now) {
  TRY(const auto expires, members.time(name));
  if (expires && *expires <= now) return Error{Reason::credential_expired, "the service names an end that is past"};
  return expires.value_or(now + defaults.lifetime);
}

Result<Proven> read_allow(const json::Value& allow, const AnswerDefaults& defaults, WallTime now) {
  if (!allow.object()) return no_answer("'allow' is no object");
  const Members members(allow);
  Proven proven;
  proven.mechanism = "callout";
  TRY(proven.subject, members.text("subject"));
  if (proven.subject.empty()) return no_answer("'subject' is missing");
  TRY(proven.issuer, members.text("issuer"));
  if (proven.issuer.empty()) proven.issuer = defaults.issuer;
  TRY(proven.tenant, members.text("tenant"));
  TRY(proven.session_id, members.text("session"));
  TRY(proven.token_id, members.text("id"));
  TRY(proven.scopes, members.scopes("scopes"));
  TRY(proven.roles, members.list("roles"));
  TRY(proven.amr, members.list("amr"));
  TRY(proven.acr, members.text("acr"));
  TRY(proven.authenticated_at, members.time("authenticated_at"));
  TRY(proven.issued_at, members.time("issued_at"));
  TRY(proven.expires_at, expiry_of(members, defaults, "expires_at", now));
  if (const json::Value* claims = allow.find("claims")) {
    if (!claims->object()) return no_answer("'claims' is no object");
    proven.claims = *claims;
  }
  return proven;
}

Error read_refuse(const json::Value& refuse) {
  const std::string* reason = refuse.find_string("reason");
  const std::string said = "the service refuses: " + excerpt(reason) + " " + excerpt(refuse.find_string("detail"));
  if (reason && *reason == "expired") return {Reason::credential_expired, said};
  if (reason && *reason == "revoked") return {Reason::credential_revoked, said};
  if (reason && *reason == "forbidden") return {Reason::identity_not_allowed, said};
  return {Reason::credential_invalid, said};
}

Result<Proven> read_own(const json::Value& answer, const AnswerDefaults& defaults, WallTime now) {
  const json::Value* allow = answer.find("allow");
  const json::Value* refuse = answer.find("refuse");
  if ((allow != nullptr) == (refuse != nullptr)) return no_answer("neither or both of 'allow' and 'refuse'");
  if (refuse) return read_refuse(*refuse);
  return read_allow(*allow, defaults, now);
}

// `max-age` of a Cache-Control line; nothing when there is none.
std::optional<std::chrono::seconds> max_age(std::string_view line) {
  constexpr std::string_view name = "max-age=";
  for (const std::string_view element : http::split_list(line)) {
    if (element.size() <= name.size() || !http::equal_ignoring_case(element.substr(0, name.size()), name)) continue;
    const std::string_view digits = element.substr(name.size());
    std::uint32_t seconds = 0;
    const auto [stop, trouble] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (trouble == std::errc() && stop == digits.data() + digits.size()) return std::chrono::seconds(seconds);
  }
  return std::nullopt;
}

// Session variables: names compared without regard to case, values are texts.
Result<Proven> read_hasura(const json::Value& answer, std::string_view cache_control, const AnswerDefaults& defaults,
                           WallTime now) {
  Proven proven;
  proven.mechanism = "callout";
  proven.issuer = defaults.issuer;
  json::Object claims;
  for (const auto& [name, value] : *answer.object()) {
    const std::string folded = http::lowered(name);
    if (!folded.starts_with("x-hasura-")) continue;
    if (!value.string() || !is_clean(*value.string())) return no_answer("'" + folded + "' is no clean text");
    if (std::ranges::any_of(claims, [&](const auto& other) { return other.first == folded; }))
      return no_answer("'" + folded + "' is there twice");
    if (folded == "x-hasura-user-id") proven.subject = *value.string();
    if (folded == "x-hasura-role") proven.roles = {*value.string()};
    claims.emplace_back(folded, value);
  }
  if (proven.subject.empty())
    return Error{Reason::credential_invalid, "the service names no X-Hasura-User-Id: nobody in particular"};
  proven.claims = std::move(claims);
  proven.expires_at = now + max_age(cache_control).value_or(defaults.lifetime);
  if (proven.expires_at <= now) return Error{Reason::credential_expired, "the service's answer holds for no time"};
  return proven;
}

Result<Proven> read_centrifugo(const json::Value& answer, const AnswerDefaults& defaults, WallTime now) {
  for (const char* refusal : {"disconnect", "error"}) {
    const json::Value* said = answer.find(refusal);
    if (!said || said->is_null()) continue;
    const std::string* words = said->find_string("reason");
    if (!words) words = said->find_string("message");
    return Error{Reason::credential_invalid, "the service refuses: " + excerpt(words)};
  }
  const json::Value* result = answer.find("result");
  if (!result || !result->object()) return no_answer("none of 'result', 'error' and 'disconnect'");
  const Members members(*result);
  Proven proven;
  proven.mechanism = "callout";
  proven.issuer = defaults.issuer;
  const json::Value* user = result->find("user");
  if (!user || (user->string() && user->string()->empty()))
    return Error{Reason::credential_invalid, "the service names no user: nobody in particular"};
  TRY(proven.subject, members.text("user"));
  TRY(proven.expires_at, expiry_of(members, defaults, "expire_at", now));
  json::Object claims;
  for (const char* name : {"info", "meta"}) {
    if (const json::Value* value = result->find(name)) claims.emplace_back(name, *value);
  }
  if (!claims.empty()) proven.claims = std::move(claims);
  return proven;
}

}  // namespace

Facts make_facts(const std::string& route, const Evidence& evidence, std::vector<ShownPart> credentials,
                 std::span<const RequestPart> shows) {
  Facts facts;
  facts.route = route;
  facts.peer = evidence.peer.address.ip();
  facts.tls = evidence.peer.tls_version;
  facts.findings = std::move(credentials);
  if (!evidence.request || evidence.in_band) return facts;
  const http::Request& request = *evidence.request;
  facts.method = request.method();
  facts.scheme = request.scheme() == http::Scheme::https ? "https" : "http";
  facts.host = request.authority().text();
  facts.path = request.path();
  if (evidence.origin == http::OriginProof::allowed)
    facts.origin = request.headers().find("origin").value_or(std::string_view());
  for (const std::string& one : evidence.subprotocols) {
    const std::string_view start = std::string_view(one).substr(0, token_subprotocol_prefix.size());
    if (!http::equal_ignoring_case(start, token_subprotocol_prefix)) facts.subprotocols.push_back(one);
  }
  for (ShownPart& finding : find_shown(evidence, shows)) facts.findings.push_back(std::move(finding));
  return facts;
}

net::HttpRequest make_question(Dialect dialect, const Facts& facts, Occasion occasion, const Identity* present) {
  net::HttpRequest request;
  request.method = "POST";
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  switch (dialect) {
    case Dialect::sallyport:
      request.body = json::dump(own_question(facts, occasion, present));
      break;
    case Dialect::hasura:
      request.body = json::dump(hasura_question(facts));
      break;
    case Dialect::centrifugo:
      request.body = json::dump(
          json::Object{{"client", ""}, {"transport", "websocket"}, {"protocol", "json"}, {"encoding", "json"}});
      for (const ShownPart& finding : facts.findings) {
        if (finding.place.kind == RequestPart::Kind::header)
          request.headers.emplace_back(finding.place.name, finding.value.reveal());
      }
      if (std::string cookies = cookie_line(facts); !cookies.empty()) request.headers.emplace_back("Cookie", cookies);
      break;
  }
  return request;
}

Result<Proven> read_decision(Dialect dialect, const net::HttpResponse& response, const AnswerDefaults& defaults,
                             WallTime now) {
  if (response.status == 401) return Error{Reason::credential_invalid, "the service answers 401"};
  if (response.status == 403) return Error{Reason::identity_not_allowed, "the service answers 403"};
  if (response.status != 200) return no_answer("status " + std::to_string(response.status));
  const Result<json::Value> answer = json::parse(response.body);
  if (!answer) return no_answer(answer.error().detail);
  if (!answer->object()) return no_answer("no JSON object");
  switch (dialect) {
    case Dialect::sallyport:
      return read_own(*answer, defaults, now);
    case Dialect::hasura:
      return read_hasura(*answer, response.cache_control, defaults, now);
    case Dialect::centrifugo:
      return read_centrifugo(*answer, defaults, now);
  }
  return no_answer("of no known form");
}

}  // namespace sallyport::auth
