#include "sallyport/auth/token.h"

#include <algorithm>

#include "sallyport/base/encoding.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

constexpr std::string_view bearer_scheme = "bearer";
constexpr std::string_view dpop_scheme = "dpop";

bool starts_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && http::equal_ignoring_case(text.substr(0, start.size()), start);
}

// b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
bool is_token_text(std::string_view text) {
  while (text.size() > 1 && text.back() == '=') text.remove_suffix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return http::is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/';
  });
}

// Gathers what the places hold: at most one may be left in the end.
class Finding {
 public:
  Result<void> take(std::string_view text, TokenPlace place, TokenScheme scheme = TokenScheme::bearer) {
    if (found_) return Error{Reason::credential_ambiguous, "a token in the " + where(place) + " and another"};
    if (text.empty()) return Error{Reason::credential_invalid, "an empty token in the " + where(place)};
    if (text.size() > max_token_size) {
      return Error{Reason::credential_invalid,
                   "a token of " + std::to_string(text.size()) + " bytes in the " + where(place)};
    }
    if (!is_token_text(text)) {
      return Error{Reason::credential_invalid, "a byte that no token holds in the one in the " + where(place)};
    }
    found_.emplace(PresentedToken{Secret(std::string(text)), place, scheme});
    return {};
  }
  std::optional<PresentedToken> done() && { return std::move(found_); }

 private:
  static std::string where(TokenPlace place) {
    switch (place) {
      case TokenPlace::header:
        return "Authorization line";
      case TokenPlace::subprotocol:
        return "subprotocols";
      case TokenPlace::cookie:
        return "cookie";
      case TokenPlace::query:
        return "query";
      case TokenPlace::in_band:
        return "control message";
    }
    return {};
  }
  std::optional<PresentedToken> found_;
};

// What stands behind `scheme` in an Authorization line; nothing when the line is of another.
std::optional<std::string_view> behind_scheme(std::string_view line, std::string_view scheme) {
  if (!starts_ignoring_case(line, scheme)) return std::nullopt;
  const std::string_view rest = line.substr(scheme.size());
  if (!rest.empty() && http::is_token_char(rest.front())) return std::nullopt;  // the start of another scheme's name
  return rest.starts_with(' ') ? rest.substr(1) : rest;
}

Result<void> look_in_header(const http::Headers& headers, TokenSchemes schemes, Finding& finding) {
  const auto lines = headers.find_all("authorization");
  if (lines.empty()) return {};
  if (lines.size() > 1) return Error{Reason::credential_ambiguous, "more than one Authorization line"};
  const std::string_view line = lines.front();
  if (const auto token = behind_scheme(line, bearer_scheme)) return finding.take(*token, TokenPlace::header);
  if (schemes == TokenSchemes::bearer) return {};
  if (const auto token = behind_scheme(line, dpop_scheme))
    return finding.take(*token, TokenPlace::header, TokenScheme::dpop);
  return {};
}

Result<void> look_in_subprotocols(std::span<const std::string> offered, Finding& finding) {
  for (const std::string_view subprotocol : offered) {
    if (!starts_ignoring_case(subprotocol, token_subprotocol_prefix)) continue;
    TRY_OK(finding.take(subprotocol.substr(token_subprotocol_prefix.size()), TokenPlace::subprotocol));
  }
  return {};
}

Result<void> look_in_cookie(const Evidence& evidence, const std::string& name, Finding& finding) {
  const http::Cookies cookies = evidence.request->cookies();
  TRY(const auto value, cookies.find(name));
  if (!value) return {};
  // A page of any site can make a browser send it; only the Origin tells whose page it was.
  if (evidence.origin == http::OriginProof::absent) {
    return Error{Reason::origin_missing, "cookie '" + name + "' without an Origin"};
  }
  return finding.take(*value, TokenPlace::cookie);
}

Result<void> look_in_query(const http::Query& query, const std::string& name, Finding& finding) {
  TRY(const auto value, query.find(name));
  if (!value) return {};
  return finding.take(*value, TokenPlace::query);
}

Result<void> look_at(const TokenSource& source, const Evidence& evidence, TokenSchemes schemes, Finding& finding) {
  switch (source.place) {
    case TokenPlace::header:
      return look_in_header(evidence.request->headers(), schemes, finding);
    case TokenPlace::subprotocol:
      return look_in_subprotocols(evidence.subprotocols, finding);
    case TokenPlace::cookie:
      return look_in_cookie(evidence, source.name, finding);
    case TokenPlace::query:
      return look_in_query(evidence.request->query(), source.name, finding);
    case TokenPlace::in_band:
      return {};
  }
  return {};
}

// The start of a JWS or JWE in compact form, whose header is a JSON object.
bool is_json_web(std::string_view token) {
  const auto dots = std::ranges::count(token, '.');
  if (dots != 2 && dots != 4) return false;
  const auto header = base64url_decode(token.substr(0, token.find('.')));
  if (!header) return false;
  const auto start = header->find_first_not_of(" \t\r\n");
  return start != std::string::npos && (*header)[start] == '{';
}

}  // namespace

bool is_among(std::string_view token, TokenForms forms) {
  if (is_of_own_kind(token)) return false;
  return forms == TokenForms::any || is_json_web(token) == (forms == TokenForms::json_web);
}

Result<TokenSource> parse_token_source(std::string_view text) {
  const auto colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const bool named = colon != std::string_view::npos;
  const std::string_view name = named ? text.substr(colon + 1) : std::string_view();
  if (kind == "header" && !named) return TokenSource{TokenPlace::header, {}};
  if (kind == "subprotocol" && !named) return TokenSource{TokenPlace::subprotocol, {}};
  if (kind == "cookie" && http::is_token(name)) return TokenSource{TokenPlace::cookie, std::string(name)};
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (kind == "query" && !name.empty() && std::all_of(name.begin(), name.end(), is_visible)) {
    return TokenSource{TokenPlace::query, std::string(name)};
  }
  return Error{Reason::config_invalid, "header, subprotocol, cookie:NAME or query:NAME expected, found \"" +
                                           std::string(text.substr(0, 60)) + '"'};
}

Result<std::vector<TokenSource>> parse_token_sources(std::span<const std::string> texts) {
  std::vector<TokenSource> sources;
  for (const std::string& text : texts) {
    TRY(TokenSource source, parse_token_source(text));
    if (std::find(sources.begin(), sources.end(), source) != sources.end()) {
      return Error{Reason::config_invalid, '"' + show(source) + "\" is named twice"};
    }
    sources.push_back(std::move(source));
  }
  if (sources.empty()) return Error{Reason::config_invalid, "at least one place to look for the token expected"};
  return sources;
}

std::string show(const TokenSource& source) {
  switch (source.place) {
    case TokenPlace::header:
      return "header";
    case TokenPlace::subprotocol:
      return "subprotocol";
    case TokenPlace::cookie:
      return "cookie:" + source.name;
    case TokenPlace::query:
      return "query:" + source.name;
    case TokenPlace::in_band:
      return "in_band";
  }
  return {};
}

Result<std::optional<PresentedToken>> find_token(const Evidence& evidence, std::span<const TokenSource> sources,
                                                 TokenSchemes schemes) {
  Finding finding;
  if (evidence.in_band) {
    const bool proofs = schemes == TokenSchemes::bearer_or_dpop;
    const std::string_view text = proofs ? evidence.in_band->substr(0, evidence.in_band->find(' ')) : *evidence.in_band;
    TRY_OK(finding.take(text, TokenPlace::in_band));
  } else if (evidence.request) {
    for (const TokenSource& source : sources) TRY_OK(look_at(source, evidence, schemes, finding));
  }
  return std::move(finding).done();
}

void add_to(http::Strip& strip, std::span<const TokenSource> sources) {
  const auto add = [](std::vector<std::string>& list, std::string_view name) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.emplace_back(name);
  };
  for (const TokenSource& source : sources) {
    switch (source.place) {
      case TokenPlace::header:
        add(strip.headers, "Authorization");
        break;
      case TokenPlace::subprotocol:
        add(strip.subprotocol_prefixes, token_subprotocol_prefix);
        break;
      case TokenPlace::cookie:
        add(strip.cookies, source.name);
        break;
      case TokenPlace::query:
        add(strip.parameters, source.name);
        break;
      case TokenPlace::in_band:
        break;
    }
  }
}

}  // namespace sallyport::auth
