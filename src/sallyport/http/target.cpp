#include "sallyport/http/target.h"

#include <algorithm>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

Error malformed(std::string detail) { return {Reason::http_malformed, std::move(detail)}; }

constexpr bool is_unreserved(char c) { return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

// `pchar` without escapes and without the semicolon.
constexpr bool is_path_char(char c) {
  return is_unreserved(c) || (c != '\0' && std::string_view("!$&'()*+,=:@").find(c) != std::string_view::npos);
}

// The byte that the escape at `at` stands for, or -1.
int escaped_byte(std::string_view text, std::size_t at) {
  if (text.size() - at < 3) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

std::string decode_form(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') {
      out.push_back(static_cast<char>(escaped_byte(text, at)));
      at += 2;
    } else {
      out.push_back(text[at] == '+' ? ' ' : text[at]);
    }
  }
  return out;
}

std::vector<Parameter> Query::parameters() const {
  std::vector<Parameter> out;
  std::string_view rest = text_;
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const std::string_view text = rest.substr(0, end);
    if (!text.empty()) {
      const auto equals = text.find('=');
      const std::string_view value = equals == std::string_view::npos ? std::string_view() : text.substr(equals + 1);
      out.push_back({text.substr(0, equals), value, text});
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return out;
}

Result<std::optional<std::string>> Query::find(std::string_view name) const {
  std::optional<std::string> found;
  for (const Parameter& parameter : parameters()) {
    if (decode_form(parameter.name) != name) continue;
    if (found) return Error{Reason::credential_ambiguous, "query parameter " + std::string(name) + " is there twice"};
    found = decode_form(parameter.value);
  }
  return found;
}

std::string Query::without_parameters(std::span<const std::string> names) const {
  std::string out;
  for (const Parameter& parameter : parameters()) {
    if (std::find(names.begin(), names.end(), decode_form(parameter.name)) != names.end()) continue;
    if (!out.empty()) out.push_back('&');
    out.append(parameter.text);
  }
  return out;
}

Result<Query> parse_query(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      return malformed("query has a space, control or non-ASCII byte");
    }
    if (c == '#' || c == '"' || c == '<' || c == '>') return malformed("query has a byte that must be escaped");
    if (c == '%') {
      const int byte = escaped_byte(text, at);
      if (byte < 0) return malformed("query has a broken percent escape");
      if (byte == 0) return malformed("query has an escaped NUL");
    }
  }
  Query out;
  out.text_ = std::string(text);
  return out;
}

Result<std::string> parse_path(std::string_view text) {
  if (text.empty() || text.front() != '/') return malformed("path does not start with a slash");
  std::string out;
  std::string decoded;
  out.reserve(text.size());
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '/' || is_path_char(c)) {
      out.push_back(c);
      decoded.push_back(c);
      continue;
    }
    if (c == ';') return malformed("path has a semicolon");
    if (c != '%') return malformed("path has a byte that must be escaped");
    const int byte = escaped_byte(text, at);
    if (byte < 0) return malformed("path has a broken percent escape");
    if (byte < 0x20 || byte == 0x7f) return malformed("path has an escaped control byte");
    if (byte == '/' || byte == '\\' || byte == ';')
      return malformed("path has an escaped slash, backslash or semicolon");
    const char value = static_cast<char>(byte);
    decoded.push_back(value);
    if (is_unreserved(value)) {
      out.push_back(value);
    } else {
      constexpr std::string_view digits = "0123456789ABCDEF";
      out.push_back('%');
      out.push_back(digits[static_cast<std::size_t>(byte) >> 4]);
      out.push_back(digits[static_cast<std::size_t>(byte) & 15]);
    }
    at += 2;
  }
  for (auto at = decoded.find('%'); at != std::string::npos; at = decoded.find('%', at + 1)) {
    if (escaped_byte(decoded, at) >= 0) return malformed("path is escaped twice");
  }
  if (!is_utf8(decoded)) return malformed("path is not UTF-8 when decoded");
  std::string_view rest = std::string_view(decoded).substr(1);
  while (true) {
    const auto slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    const bool last = slash == std::string_view::npos;
    if (segment.empty() && !last) return malformed("path has an empty segment");
    if (!segment.empty() && (segment.back() == '.' || segment.back() == ' ')) {
      return malformed("path has a segment that ends in a dot or a space");
    }
    if (last) return out;
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace sallyport::http
