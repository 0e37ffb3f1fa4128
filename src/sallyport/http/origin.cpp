#include "sallyport/http/origin.h"

#include <algorithm>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

Error not_allowed(std::string detail) { return {Reason::origin_not_allowed, std::move(detail)}; }
Error config_error(std::string_view text, std::string detail) {
  return {Reason::config_invalid, "origin `" + std::string(text) + "`: " + std::move(detail)};
}

std::optional<std::uint16_t> implied_port(std::string_view scheme) {
  if (scheme == "https" || scheme == "wss") return default_port(Scheme::https);
  if (scheme == "http" || scheme == "ws") return default_port(Scheme::http);
  return std::nullopt;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_alpha(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '+' || c == '-' || c == '.'; });
}

// Whether a page of `origin` and the host it speaks to share host and port. Host names no port where it is the default
// one; which one that is, 80 or 443, follows from the page, for TLS may end in front of us.
bool is_own(const Origin& origin, const Authority& own) {
  if (origin.host() != own.host || origin.kind() != own.kind) return false;
  return own.port ? origin.port() == *own.port : origin.has_default_port();
}

Result<void> check_second_witness(std::string_view site, const Origin* origin, const Authority& own) {
  if (site != "same-origin" && site != "same-site" && site != "cross-site" && site != "none") {
    return not_allowed("Sec-Fetch-Site has an unknown value");
  }
  const bool same = origin != nullptr && is_own(*origin, own);
  if (site == "same-origin" && !same) return not_allowed("Sec-Fetch-Site says same-origin, but Origin is not the Host");
  // A page without TLS on the same host is cross-site to a socket with TLS (schemeful same-site), so only https
  // contradicts.
  if ((site == "cross-site" || site == "same-site") && same && origin->scheme() == "https") {
    return not_allowed("Sec-Fetch-Site says " + std::string(site) + ", but Origin is the Host");
  }
  return {};
}

}  // namespace

bool Origin::has_default_port() const {
  return authority_.port.has_value() && authority_.port == implied_port(scheme_);
}

Result<Origin> parse_origin(std::string_view text) {
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return not_allowed("Origin has no `://`");
  if (!is_scheme(text.substr(0, colon))) return not_allowed("Origin has a malformed scheme");
  const std::string_view rest = text.substr(colon + 3);
  const std::string_view host = rest.substr(0, rest.find(':'));
  if (!host.empty() && host.back() == '.') return not_allowed("Origin has a host that ends in a dot");
  Result<Authority> authority = parse_authority(rest);
  if (!authority.ok()) return not_allowed("Origin: " + authority.error().detail);
  Origin out;
  out.scheme_ = lowered(text.substr(0, colon));
  out.authority_ = std::move(authority).value();
  if (!out.authority_.port) out.authority_.port = implied_port(out.scheme_);
  return out;
}

bool OriginPattern::allows(const Origin& origin) const {
  switch (kind_) {
    case Kind::exact:
      return origin == *origin_;
    case Kind::below: {
      if (origin.scheme() != origin_->scheme() || origin.port() != origin_->port() || origin.kind() != HostKind::name)
        return false;
      const std::string_view host = origin.host();
      const std::string_view domain = origin_->host();
      return host.size() > domain.size() + 1 && host.substr(host.size() - domain.size()) == domain &&
             host[host.size() - domain.size() - 1] == '.';
    }
    case Kind::null:
      return false;
  }
  return false;
}

Result<OriginPattern> parse_origin_pattern(std::string_view text) {
  OriginPattern out;
  if (text == "null") return out;
  if (text.empty()) return config_error(text, "is empty");
  if (text == "*") return config_error(text, "would allow every site; list the origins");
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return config_error(text, "has no scheme; write `https://` before the host");
  std::string_view rest = text.substr(colon + 3);
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    return config_error(text, "an origin ends after host and port; leave out the path and any final slash");
  }
  if (rest.find('@') != std::string_view::npos) return config_error(text, "an origin has no user");
  std::string plain(text);
  const bool below = rest.substr(0, 2) == "*.";
  if (below) plain.erase(colon + 3, 2);
  if (plain.find('*') != std::string::npos) {
    return config_error(text,
                        "`*` stands only for whole labels at the left of a domain, as in `https://*.example.com`");
  }
  Result<Origin> origin = parse_origin(plain);
  if (!origin.ok()) return config_error(text, origin.error().detail);
  if (below && origin->kind() != HostKind::name) return config_error(text, "an address has no names below it");
  if (below && origin->host().find('.') == std::string::npos) {
    return config_error(text, "would allow every site below a top-level domain");
  }
  out.kind_ = below ? OriginPattern::Kind::below : OriginPattern::Kind::exact;
  out.origin_ = std::move(origin).value();
  return out;
}

Result<OriginPolicy> make_origin_policy(std::span<const std::string> patterns) {
  std::vector<OriginPattern> out;
  for (const std::string& text : patterns) {
    TRY(OriginPattern pattern, parse_origin_pattern(text));
    out.push_back(std::move(pattern));
  }
  return OriginPolicy(std::move(out));
}

Result<OriginProof> OriginPolicy::check(const Headers& headers, const Authority& own) const {
  const auto origins = headers.find_all("origin");
  const auto sites = headers.find_all("sec-fetch-site");
  if (origins.size() > 1) return not_allowed("Origin is there twice");
  if (sites.size() > 1) return not_allowed("Sec-Fetch-Site is there twice");
  if (origins.empty()) {
    for (const Field field : headers) {
      if (equal_ignoring_case(field.name.substr(0, 10), "sec-fetch-")) {
        return Error{Reason::origin_missing, "a browser's " + std::string(field.name) + " without an Origin"};
      }
    }
    return OriginProof::absent;
  }
  if (origins.front() == "null") {
    if (!sites.empty()) TRY_OK(check_second_witness(sites.front(), nullptr, own));
    if (std::any_of(patterns_.begin(), patterns_.end(), [](const auto& pattern) { return pattern.is_null(); })) {
      return OriginProof::allowed;
    }
    return not_allowed("Origin is null");
  }
  TRY(const Origin origin, parse_origin(origins.front()));
  if (!sites.empty()) TRY_OK(check_second_witness(sites.front(), &origin, own));
  if (std::none_of(patterns_.begin(), patterns_.end(), [&](const auto& pattern) { return pattern.allows(origin); })) {
    return not_allowed("Origin is not on the route's list");
  }
  return OriginProof::allowed;
}

}  // namespace sallyport::http
