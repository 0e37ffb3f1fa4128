#include "sallyport/auth/session/mapping.h"

#include <algorithm>

#include "sallyport/auth/claims.h"
#include "sallyport/auth/session/text.h"
#include "sallyport/auth/text.h"

namespace sallyport::auth::session {
namespace {

constexpr std::size_t max_name_size = 512;

Error wrong(const DataPath& path, const char* what) { return unsound("session: '" + path.text() + "' " + what); }

// The text itself, or the digits of an integer.
Result<std::string> read_name(const json::Value& value, const DataPath& path) {
  if (const std::int64_t* number = value.integer()) return std::to_string(*number);
  const std::string* text = value.string();
  if (!text) return wrong(path, "is neither text nor integer; name a place inside it");
  if (text->empty() || text->size() > max_name_size || !is_clean(*text)) {
    return wrong(path, "is empty, too long, holds a control character or ends in a space");
  }
  return *text;
}

// Whether `value` is what applications write for somebody who is not logged in.
bool is_nobody(const json::Value& value) {
  if (const bool* flag = value.boolean()) return !*flag;
  if (const std::int64_t* number = value.integer()) return *number == 0;
  if (const std::string* text = value.string()) return text->empty() || *text == "0";
  return false;
}

Result<std::string> read_subject(const SessionData& data, const std::vector<DataPath>& paths) {
  for (const DataPath& path : paths) {
    TRY(const json::Value* value, path.find(data));
    if (!value) continue;
    if (is_nobody(*value)) return wrong(path, "names nobody: nobody is logged in");
    return read_name(*value, path);
  }
  SALLYPORT_CHECK(!paths.empty());
  return wrong(paths.front(), "is not there: nobody is logged in, or `identity` must name another place");
}

Result<std::string> read_text(const SessionData& data, const std::optional<DataPath>& path) {
  if (!path) return std::string();
  TRY(const json::Value* value, path->find(data));
  if (!value) return std::string();
  return read_name(*value, *path);
}

enum class SingleText : std::uint8_t { one_item, split_at_spaces };

Result<std::vector<std::string>> read_list(const SessionData& data, const std::optional<DataPath>& path,
                                           SingleText single) {
  std::vector<std::string> list;
  if (!path) return list;
  TRY(const json::Value* value, path->find(data));
  if (!value) return list;
  if (value->string() && single == SingleText::split_at_spaces) {
    if (!is_clean(*value->string())) return wrong(*path, "holds a control character or ends in a space");
    std::string_view rest = *value->string();
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      if (end > 0) list.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return list;
  }
  if (value->string()) {
    TRY(auto item, read_name(*value, *path));
    list.push_back(std::move(item));
    return list;
  }
  if (!value->array()) return wrong(*path, "is no list");
  const auto place = [&](const Unreadable& one) {
    return one.at.size() > path->names().size() &&
           std::equal(path->names().begin(), path->names().end(), one.at.begin());
  };
  if (std::ranges::any_of(data.unreadable, place)) return wrong(*path, "holds something that is not read");
  for (const json::Value& item : *value->array()) {
    TRY(auto name, read_name(item, *path));
    list.push_back(std::move(name));
  }
  return list;
}

Result<std::optional<WallTime>> read_time(const SessionData& data, const std::optional<DataPath>& path) {
  if (!path) return std::optional<WallTime>();
  TRY(const json::Value* value, path->find(data));
  if (!value) return std::optional<WallTime>();
  if (const std::string* text = value->string()) {
    if (const auto time = parse_time(*text)) return time;
  }
  // Seconds until the year 5138, from then on milliseconds.
  constexpr double most_seconds = 1e11;
  double number = -1;
  if (value->integer()) number = static_cast<double>(*value->integer());
  if (value->real()) number = *value->real();
  if (!(number > 0 && number < most_seconds * 1000)) return wrong(*path, "is no time");
  const double milliseconds = number < most_seconds ? number * 1000 : number;
  return std::optional(WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds))));
}

}  // namespace

Result<Proven> read_identity(const SessionData& data, const Mapping& mapping) {
  Proven proven;
  TRY(proven.subject, read_subject(data, mapping.subject));
  TRY(proven.tenant, read_text(data, mapping.tenant));
  TRY(proven.acr, read_text(data, mapping.acr));
  TRY(proven.scopes, read_list(data, mapping.scopes, SingleText::split_at_spaces));
  TRY(proven.roles, read_list(data, mapping.roles, SingleText::one_item));
  TRY(proven.amr, read_list(data, mapping.amr, SingleText::one_item));
  TRY(proven.authenticated_at, read_time(data, mapping.authenticated_at));
  proven.claims = keep_claims(data.values, mapping.claims);
  return proven;
}

}  // namespace sallyport::auth::session
