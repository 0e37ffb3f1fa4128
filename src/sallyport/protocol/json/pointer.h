#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"

namespace sallyport::protocol {

/// The place of a value in a JSON text, as names from the root object down; in an array a name is an index.
class JsonPointer {
 public:
  /// Errors: `config.invalid`.
  /// Spec:   RFC 6901; stricter: at least one name and at most 8, none empty, all printable ASCII of at most 64 bytes, so that what
  ///         differs from a name in case only can be told for certain.
  static Result<JsonPointer> parse(std::string_view text);

  /// Never empty.
  const std::vector<std::string>& names() const { return names_; }
  /// True when this is the place of `other`, or one that contains it.
  bool covers(const JsonPointer& other) const;

 private:
  explicit JsonPointer(std::vector<std::string> names) : names_(std::move(names)) {}
  std::vector<std::string> names_;
};

}  // namespace sallyport::protocol
