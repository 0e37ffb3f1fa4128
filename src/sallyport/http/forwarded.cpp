#include "sallyport/http/forwarded.h"

#include <algorithm>

#include "sallyport/base/encoding.h"
#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

constexpr std::size_t most_certificates = 16;

// Reads a line of name=value pairs, in which a value may be quoted.
class Pairs {
 public:
  explicit Pairs(std::string_view text) : text_(text) {}
  bool done() const { return text_.empty(); }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_space() {
    while (take(' ') || take('\t')) {
    }
  }
  std::string_view token() {
    const auto end = std::ranges::find_if_not(text_, is_token_char);
    return cut(static_cast<std::size_t>(end - text_.begin()));
  }
  // Up to, without, any of `ends`.
  std::string_view until(std::string_view ends) { return cut(std::min(text_.find_first_of(ends), text_.size())); }
  // A quoted string without its quotes and backslashes.
  std::optional<std::string> quoted() {
    if (!take('"')) return std::nullopt;
    std::string out;
    while (!text_.empty()) {
      char c = text_.front();
      text_.remove_prefix(1);
      if (c == '"') return out;
      if (c == '\\') {
        if (text_.empty()) break;
        c = text_.front();
        text_.remove_prefix(1);
      }
      out.push_back(c);
    }
    return std::nullopt;
  }

 private:
  std::string_view cut(std::size_t count) {
    const std::string_view part = text_.substr(0, count);
    text_.remove_prefix(count);
    return part;
  }
  std::string_view text_;
};

Error malformed() { return {Reason::http_malformed, "Forwarded breaks its grammar"}; }

// One line of `Forwarded`, from left to right.
Result<std::vector<std::string>> nodes_of(std::string_view line) {
  std::vector<std::string> nodes;
  Pairs pairs(line);
  do {
    pairs.skip_space();
    std::optional<std::string> node;
    do {
      const std::string_view name = pairs.token();
      if (name.empty() || !pairs.take('=')) return malformed();
      std::optional<std::string> value = pairs.quoted();
      if (!value) {
        value = std::string(pairs.token());
        if (value->empty()) return malformed();
      }
      if (!equal_ignoring_case(name, "for")) continue;
      if (node) return malformed();
      node = std::move(value);
    } while (pairs.take(';'));
    if (!node) return malformed();
    nodes.push_back(std::move(*node));
    pairs.skip_space();
  } while (pairs.take(','));
  if (!pairs.done()) return malformed();
  return nodes;
}

Error bad_certificate(std::string_view why) { return {Reason::credential_invalid, std::string(why)}; }

// A byte sequence of structured fields (RFC 8941 §3.3.5), without parameters.
Result<std::string> parse_byte_sequence(std::string_view text) {
  if (text.size() < 3 || text.front() != ':' || text.back() != ':')
    return bad_certificate("Client-Cert is no byte sequence");
  auto der = base64_decode(text.substr(1, text.size() - 2));
  if (!der.ok()) return bad_certificate("Client-Cert is not base64");
  return std::move(*der);
}

Result<std::vector<std::string>> parse_client_cert(const Headers& headers) {
  std::vector<std::string> chain;
  const auto leaves = headers.find_all("client-cert");
  const auto others = headers.find_elements("client-cert-chain");
  if (leaves.empty() && others.empty()) return chain;
  if (leaves.size() != 1) return bad_certificate("Client-Cert is not there once");
  TRY(std::string leaf, parse_byte_sequence(leaves.front()));
  chain.push_back(std::move(leaf));
  if (others.size() >= most_certificates) return bad_certificate("Client-Cert-Chain is too long");
  for (const std::string_view other : others) {
    TRY(std::string der, parse_byte_sequence(other));
    chain.push_back(std::move(der));
  }
  return chain;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

// The certificates of a PEM text, with nothing else in it but space.
Result<std::vector<std::string>> parse_pem(std::string_view pem) {
  constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view end = "-----END CERTIFICATE-----";
  const auto skip_space = [&] {
    const auto first = std::ranges::find_if_not(pem, [](char c) { return c == '\r' || c == '\n' || c == ' '; });
    pem.remove_prefix(static_cast<std::size_t>(first - pem.begin()));
  };
  std::vector<std::string> chain;
  for (skip_space(); !pem.empty(); skip_space()) {
    const auto stop = pem.find(end);
    if (!pem.starts_with(begin) || stop == std::string_view::npos || chain.size() == most_certificates)
      return bad_certificate("a forwarded certificate is not PEM");
    std::string base64(pem.substr(begin.size(), stop - begin.size()));
    std::erase_if(base64, [](char c) { return c == '\r' || c == '\n' || c == ' '; });
    auto der = base64_decode(base64);
    if (!der.ok() || der->empty()) return bad_certificate("a forwarded certificate is not base64");
    chain.push_back(std::move(*der));
    pem.remove_prefix(stop + end.size());
  }
  return chain;
}

Result<std::vector<std::string>> parse_xfcc(const Headers& headers) {
  const auto lines = headers.find_all("x-forwarded-client-cert");
  if (lines.empty()) return std::vector<std::string>();
  if (lines.size() > 1) return bad_certificate("X-Forwarded-Client-Cert comes twice");
  Pairs pairs(lines.front());
  std::optional<std::string> leaf;
  std::optional<std::string> chain;
  do {
    pairs.skip_space();
    const std::string_view name = pairs.token();
    if (name.empty() || !pairs.take('=')) return bad_certificate("X-Forwarded-Client-Cert is no list of pairs");
    std::optional<std::string> value = pairs.quoted();
    if (!value) value = std::string(pairs.until(";,"));
    std::optional<std::string>* place = equal_ignoring_case(name, "cert")    ? &leaf
                                        : equal_ignoring_case(name, "chain") ? &chain
                                                                             : nullptr;
    if (!place) continue;
    if (*place) return bad_certificate("X-Forwarded-Client-Cert has a certificate twice");
    *place = std::move(value);
  } while (pairs.take(';'));
  // More elements: others spoke for the client before the proxy that is trusted.
  if (!pairs.done()) return bad_certificate("X-Forwarded-Client-Cert has more than one element");
  if (!leaf && !chain) return bad_certificate("X-Forwarded-Client-Cert names a client without its certificate");
  const auto pem = percent_decoded(chain ? *chain : *leaf);
  if (!pem) return bad_certificate("X-Forwarded-Client-Cert is not percent-encoded");
  TRY(auto certificates, parse_pem(*pem));
  if (certificates.empty()) return bad_certificate("X-Forwarded-Client-Cert names a client without its certificate");
  return certificates;
}

}  // namespace

Result<std::vector<std::string>> forwarded_for(const Headers& headers, ForwardedBy field) {
  std::vector<std::string> nodes;
  if (field == ForwardedBy::x_forwarded_for) {
    for (const std::string_view element : headers.find_elements("x-forwarded-for")) nodes.emplace_back(element);
  } else {
    for (const std::string_view line : headers.find_all("forwarded")) {
      TRY(auto more, nodes_of(line));
      std::ranges::move(more, std::back_inserter(nodes));
    }
  }
  std::ranges::reverse(nodes);
  return nodes;
}

std::string address_of_node(std::string_view node) {
  if (equal_ignoring_case(node, "unknown") || node.starts_with('_')) return {};
  if (node.starts_with('[')) {
    const auto end = node.find(']');
    const bool sound = end != std::string_view::npos && (end + 1 == node.size() || node[end + 1] == ':');
    return std::string(sound ? node.substr(1, end - 1) : node);
  }
  const auto colon = node.find(':');
  const bool with_port = colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos;
  return std::string(with_port ? node.substr(0, colon) : node);
}

Result<std::vector<std::string>> forwarded_certificates(const Headers& headers, CertificateField field) {
  return field == CertificateField::client_cert ? parse_client_cert(headers) : parse_xfcc(headers);
}

}  // namespace sallyport::http
