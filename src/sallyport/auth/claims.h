#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sallyport/base/json.h"

namespace sallyport::auth {

/// One name of a JSON pointer without its escapes; nothing when they are none of RFC 6901 §3.
std::optional<std::string> unescape_pointer(std::string_view escaped);

/// The member of `value` called `name`, or of a list the element with that decimal index (RFC 6901 §4); nullptr when there is none.
/// Lifetime: `value`'s.
const json::Value* member_or_element(const json::Value& value, std::string_view name);

/// The member of `claims` called `name`, or what is at the JSON pointer (RFC 6901) that `name` is when it starts with a slash; nullptr
/// when there is none.
/// Lifetime: `claims`'.
const json::Value* find_claim(const json::Value& claims, std::string_view name);

/// The top-level member in which find_claim() starts to look for `name`.
std::string top_level_name(std::string_view name);

/// The members of `claims` that are called so, in their order; null when there are none.
json::Value keep_claims(const json::Value& claims, std::span<const std::string> names);

}  // namespace sallyport::auth
