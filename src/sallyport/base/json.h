#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sallyport/base/result.h"

/// Strict JSON (RFC 8259) for values of a few kilobytes: tokens, key sets, the admin API, control messages.
namespace sallyport::json {

class Value;
using Array = std::vector<Value>;
/// In the order of the text; names are unique.
using Object = std::vector<std::pair<std::string, Value>>;

class Value {
 public:
  using Storage = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;
  Value() : storage_(nullptr) {}
  Value(std::nullptr_t) : storage_(nullptr) {}
  Value(bool value) : storage_(value) {}
  Value(std::int64_t value) : storage_(value) {}
  Value(int value) : storage_(std::int64_t{value}) {}
  Value(double value) : storage_(value) {}
  Value(std::string value) : storage_(std::move(value)) {}
  Value(std::string_view value) : storage_(std::string(value)) {}
  Value(const char* value) : storage_(std::string(value)) {}
  Value(Array value) : storage_(std::move(value)) {}
  Value(Object value) : storage_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(storage_); }
  /// The content when it is of that type, nullptr otherwise. A number written without fraction or exponent is an integer.
  const bool* boolean() const { return std::get_if<bool>(&storage_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&storage_); }
  const double* real() const { return std::get_if<double>(&storage_); }
  const std::string* string() const { return std::get_if<std::string>(&storage_); }
  const Array* array() const { return std::get_if<Array>(&storage_); }
  const Object* object() const { return std::get_if<Object>(&storage_); }

  /// The member called `name`, or nullptr when this is no object or has none.
  const Value* find(std::string_view name) const;
  /// The member's text, or nullptr when it is absent or no string.
  const std::string* find_string(std::string_view name) const;

 private:
  Storage storage_;
};

/// Reads one JSON text.
/// Trust:  `text` is hostile.
/// Errors: `request.invalid`, with the fault or the duplicate name in the detail.
/// Spec:   RFC 8259; stricter: duplicate member names are refused at every level (compared after unescaping), nesting beyond
///         `max_depth` is refused; integers outside int64 become doubles. Refused as well: integers beyond 64 bits, reals
///         beyond double, a byte order mark, invalid UTF-8, lone surrogates.
/// Threads: any; each thread keeps one buffer as large as the largest text it has read.
Result<Value> parse(std::string_view text, int max_depth = 32);

/// Compact text of `value`.
std::string dump(const Value& value);

/// Appends `text` as a JSON string, quotes included. Invalid UTF-8 is replaced by U+FFFD, so any bytes may be logged.
void append_quoted(std::string& out, std::string_view text);

}  // namespace sallyport::json
