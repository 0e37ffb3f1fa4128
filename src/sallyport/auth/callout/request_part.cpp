#include "sallyport/auth/callout/request_part.h"

#include <algorithm>

#include "sallyport/auth/token.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth {
namespace {

constexpr std::string_view authorization = "Authorization";

Error config_error(std::string_view text, const std::string& what) {
  return {Reason::config_invalid, "\"" + std::string(text.substr(0, 60)) + "\": " + what};
}

// Whether a field may be shown to a service under its own name.
Result<void> check_field(std::string_view text, std::string_view name) {
  if (http::equal_ignoring_case(name, "cookie")) return config_error(text, "name a cookie: cookie:NAME");
  for (const std::string_view own : {"accept", "content-type", "content-encoding", "x-sallyport-signature"}) {
    if (http::equal_ignoring_case(name, own)) return config_error(text, "belongs to the question itself");
  }
  if (const auto usable = http::check_added_name(name); !usable) return config_error(text, usable.error().detail);
  return {};
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_authorization(const ShownPart& finding) {
  return finding.place.kind == RequestPart::Kind::header &&
         http::equal_ignoring_case(finding.place.name, authorization);
}

ShownPart bearer(const Secret& token) {
  return {{RequestPart::Kind::header, std::string(authorization)}, Secret("Bearer " + std::string(token.reveal()))};
}

Result<std::optional<Secret>> find_value(const Evidence& evidence, const RequestPart& place) {
  std::optional<Secret> none;
  const http::Request& request = *evidence.request;
  switch (place.kind) {
    case RequestPart::Kind::header: {
      const auto lines = request.headers().find_all(place.name);
      if (lines.empty()) return none;
      if (lines.size() > 1) return Error{Reason::credential_ambiguous, "more than one " + place.name + " line"};
      return std::optional(Secret(std::string(lines.front())));
    }
    case RequestPart::Kind::cookie: {
      const http::Cookies cookies = request.cookies();
      TRY(const auto value, cookies.find(place.name));
      if (!value) return none;
      // A page of any site can make a browser send it; only the Origin tells whose page it was.
      if (evidence.origin == http::OriginProof::absent)
        return Error{Reason::origin_missing, "cookie '" + place.name + "' without an Origin"};
      return std::optional(Secret(std::string(*value)));
    }
    case RequestPart::Kind::parameter: {
      TRY(auto value, request.query().find(place.name));
      if (!value) return none;
      return std::optional(Secret(std::move(*value)));
    }
    case RequestPart::Kind::subprotocol: {
      const TokenSource source{TokenPlace::subprotocol, {}};
      TRY(auto token, find_token(evidence, {&source, 1}));
      if (!token) return none;
      return std::optional(std::move(token->token));
    }
  }
  return none;
}

}  // namespace

Result<RequestPart> parse_request_part(std::string_view text) {
  const auto colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view name = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (text == "subprotocol") return RequestPart{RequestPart::Kind::subprotocol, {}};
  if (kind == "header" && http::is_token(name)) {
    TRY_OK(check_field(text, name));
    return RequestPart{RequestPart::Kind::header, std::string(name)};
  }
  if (kind == "cookie" && http::is_token(name)) return RequestPart{RequestPart::Kind::cookie, std::string(name)};
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (kind == "query" && !name.empty() && std::ranges::all_of(name, is_visible))
    return RequestPart{RequestPart::Kind::parameter, std::string(name)};
  return config_error(text, "header:NAME, cookie:NAME, query:NAME or subprotocol expected");
}

Result<std::vector<RequestPart>> parse_request_parts(std::span<const std::string> texts) {
  std::vector<RequestPart> places;
  for (const std::string& text : texts) {
    TRY(RequestPart place, parse_request_part(text));
    const bool twice = std::ranges::any_of(places, [&](const RequestPart& other) {
      const bool same_name = place.kind == RequestPart::Kind::header ? http::equal_ignoring_case(place.name, other.name)
                                                                     : place.name == other.name;
      return place.kind == other.kind && same_name;
    });
    if (twice) return config_error(text, "is named twice");
    places.push_back(std::move(place));
  }
  return places;
}

std::string show(const RequestPart& place) {
  switch (place.kind) {
    case RequestPart::Kind::header:
      return "header:" + place.name;
    case RequestPart::Kind::cookie:
      return "cookie:" + place.name;
    case RequestPart::Kind::parameter:
      return "query:" + place.name;
    case RequestPart::Kind::subprotocol:
      return "subprotocol";
  }
  return {};
}

Result<std::vector<ShownPart>> find_credentials(const Evidence& evidence, std::span<const RequestPart> places) {
  std::vector<ShownPart> found;
  if (evidence.in_band) {
    TRY(const auto token, find_token(evidence, {}));
    if (token) found.push_back(bearer(token->token));
    return found;
  }
  for (const RequestPart& place : places) {
    TRY(auto value, find_value(evidence, place));
    if (!value) continue;
    if (value->empty()) return Error{Reason::credential_invalid, "nothing at " + show(place)};
    if (value->size() > max_token_size)
      return Error{Reason::credential_invalid, std::to_string(value->size()) + " bytes at " + show(place)};
    if (!is_ascii(value->reveal())) return Error{Reason::credential_invalid, "bytes beyond ASCII at " + show(place)};
    ShownPart finding =
        place.kind == RequestPart::Kind::subprotocol ? bearer(*value) : ShownPart{place, std::move(*value)};
    if (is_authorization(finding) && std::ranges::any_of(found, is_authorization))
      return Error{Reason::credential_ambiguous, "an Authorization line and a subprotocol with a token"};
    found.push_back(std::move(finding));
  }
  return found;
}

std::vector<ShownPart> find_shown(const Evidence& evidence, std::span<const RequestPart> places) {
  std::vector<ShownPart> found;
  if (!evidence.request) return found;
  for (const RequestPart& place : places) {
    if (place.kind == RequestPart::Kind::header) {
      std::string joined;
      for (const std::string_view line : evidence.request->headers().find_all(place.name))
        joined.append(joined.empty() ? "" : ", ").append(line);
      if (!joined.empty()) found.push_back({place, Secret(std::move(joined))});
      continue;
    }
    auto value = find_value(evidence, place);
    if (value && *value && !(*value)->empty()) found.push_back({place, std::move(**value)});
  }
  return found;
}

}  // namespace sallyport::auth
