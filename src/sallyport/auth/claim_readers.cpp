#include "sallyport/auth/claim_readers.h"

#include <algorithm>

#include "sallyport/auth/claims.h"
#include "sallyport/auth/text.h"

namespace sallyport::auth {
namespace {

Error wrong(std::string_view claim, const char* what) {
  return Error{Reason::credential_invalid, "claim '" + std::string(claim) + "' " + what};
}

}  // namespace

Result<std::string> read_text_claim(const json::Value& claims, std::string_view name) {
  const json::Value* value = find_claim(claims, name);
  if (!value) return std::string();
  const std::string* text = value->string();
  if (!text) return wrong(name, "is no text");
  if (text->empty() || !is_clean(*text)) return wrong(name, "is empty, holds a control character or ends in a space");
  return *text;
}

Result<std::vector<std::string>> read_list_claim(const json::Value& claims, std::string_view name) {
  std::vector<std::string> list;
  const json::Value* value = find_claim(claims, name);
  if (!value) return list;
  if (!value->array()) return wrong(name, "is no list");
  for (const json::Value& item : *value->array()) {
    const std::string* text = item.string();
    if (!text || text->empty() || !is_clean(*text)) return wrong(name, "holds something other than clean texts");
    list.push_back(*text);
  }
  return list;
}

Result<std::vector<std::string>> read_scopes_claim(const json::Value& claims, std::string_view name) {
  const json::Value* value = find_claim(claims, name);
  if (!value || !value->string()) return read_list_claim(claims, name);
  std::vector<std::string> scopes;
  std::string_view rest = *value->string();
  if (!is_clean(rest)) return wrong(name, "holds a control character or ends in a space");
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) scopes.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return scopes;
}

}  // namespace sallyport::auth
