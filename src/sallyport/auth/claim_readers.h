#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/json.h"
#include "sallyport/base/result.h"

/// Facts out of claims, in the form in which they may stand in an Identity: see is_clean(). A claim that is absent gives an empty value.
/// Trust:  the form of `claims` is hostile; `name` is configuration, as find_claim() takes it.
/// Errors: `credential.invalid` for another type, and for a text that is empty or not clean.
namespace sallyport::auth {

Result<std::string> read_text_claim(const json::Value& claims, std::string_view name);
Result<std::vector<std::string>> read_list_claim(const json::Value& claims, std::string_view name);
/// A list, or a text with spaces between.
Result<std::vector<std::string>> read_scopes_claim(const json::Value& claims, std::string_view name);

}  // namespace sallyport::auth
