#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"

namespace sallyport::http {

/// One `name=value` of a query, as written, and the whole of it.
struct Parameter {
  std::string_view name;
  std::string_view value;
  std::string_view text;
};

/// A query without its `?`, kept byte for byte; every percent in it starts a valid escape.
class Query {
 public:
  Query() = default;
  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }
  /// Split at `&`, empty pieces left out.
  /// Lifetime: views into this Query.
  std::vector<Parameter> parameters() const;
  /// The decoded value of the parameter whose decoded name is `name`, or nothing when there is none.
  /// Errors: `credential.ambiguous` when there are two.
  Result<std::optional<std::string>> find(std::string_view name) const;
  /// The text that is left when every parameter whose decoded name is one of `names` is taken out.
  std::string without_parameters(std::span<const std::string> names) const;
  bool operator==(const Query&) const = default;

 private:
  friend Result<Query> parse_query(std::string_view text);
  std::string text_;
};

/// What a name or value of a query means: escapes decoded, a plus as a space. Of text that parse_query() took.
std::string decode_form(std::string_view text);

/// Errors: `http.malformed` for a `#`, quote, angle bracket, space, control or non-ASCII byte, a broken escape, an
///         escaped NUL.
/// Spec:   RFC 3986 §3.4; looser: the bytes `[ ] { } | \ ^` and the grave accent pass, since browsers send them
///         unescaped.
Result<Query> parse_query(std::string_view text);

/// The path in its only spelling: what may stand unescaped does, every other escape in upper case. Routing, policy and
/// the backend all get this text, so none of them can read it differently.
/// Trust:  `text` is hostile.
/// Errors: `http.malformed`; nothing else.
/// Spec:   RFC 3986 §3.3, §6.2.2. Stricter, each because some backend reads it as another path: refused are dot
///         segments in any encoding (never resolved), empty segments, segments that end in a dot or a space, an escaped
///         slash or backslash, raw or escaped semicolons (path parameters), escaped control bytes, an escaped percent
///         before two hex digits (double encoding), escapes that are not UTF-8, and bytes outside `pchar`.
Result<std::string> parse_path(std::string_view text);

}  // namespace sallyport::http
