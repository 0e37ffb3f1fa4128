#include "sallyport/admin/members.h"

#include <algorithm>

#include "sallyport/auth/text.h"
#include "sallyport/config/problem.h"
#include "sallyport/config/value.h"

namespace sallyport::admin {
namespace {

constexpr std::size_t longest_text = 512;
constexpr std::size_t most_words = 256;
constexpr std::int64_t year_9999 = 253'402'300'799;

Error invalid(std::string detail) { return {Reason::request_invalid, std::move(detail)}; }

Error expected(std::string_view name, std::string_view what) {
  return invalid("member " + config::quoted(name) + ": " + std::string(what) + " expected");
}

}  // namespace

Result<Members> Members::make(const json::Value& body, const std::vector<std::string_view>& known) {
  if (!body.object()) return invalid("a JSON object expected");
  for (const auto& [name, value] : *body.object()) {
    if (std::ranges::find(known, std::string_view(name)) != known.end()) continue;
    const std::string_view near = config::nearest(name, known);
    return invalid("unknown member " + config::quoted(name) +
                   (near.empty() ? std::string() : "; did you mean " + config::quoted(near) + "?"));
  }
  return Members(body);
}

Result<std::optional<std::string>> Members::text(std::string_view name) const {
  const json::Value* value = body_->find(name);
  if (!value) return std::optional<std::string>();
  const std::string* text = value->string();
  if (!text || text->empty() || text->size() > longest_text || !auth::is_clean(*text)) {
    return expected(name, "a text of 1 to 512 bytes without control characters or spaces around it");
  }
  return std::optional<std::string>(*text);
}

Result<std::string> Members::required_text(std::string_view name) const {
  TRY(std::optional<std::string> found, text(name));
  if (!found) return invalid("member " + config::quoted(name) + " is missing");
  return *std::move(found);
}

Result<std::vector<std::string>> Members::words(std::string_view name) const {
  std::vector<std::string> words;
  const json::Value* value = body_->find(name);
  if (!value) return words;
  const Error error = expected(name, "a list of at most 256 words of 1 to 512 bytes");
  if (!value->array() || value->array()->size() > most_words) return error;
  for (const json::Value& item : *value->array()) {
    const std::string* word = item.string();
    const bool fits = word && !word->empty() && word->size() <= longest_text && auth::is_clean(*word) &&
                      word->find(' ') == std::string::npos;
    if (!fits) return error;
    words.push_back(*word);
  }
  return words;
}

Result<std::chrono::seconds> Members::duration(std::string_view name, std::chrono::seconds otherwise,
                                               std::chrono::seconds longest) const {
  const json::Value* value = body_->find(name);
  if (!value) return otherwise;
  std::optional<std::chrono::seconds> read;
  if (const std::int64_t* seconds = value->integer()) {
    if (*seconds >= 1 && *seconds <= longest.count()) read = std::chrono::seconds(*seconds);
  } else if (const std::string* text = value->string()) {
    const auto parsed = config::parse_duration(*text);
    if (parsed && *parsed >= std::chrono::seconds(1) && *parsed <= longest) {
      read = std::chrono::duration_cast<std::chrono::seconds>(*parsed);
    }
  }
  if (!read) {
    return expected(name, "a duration such as \"1h\", or a number of seconds, from 1s to " +
                              config::show(std::chrono::nanoseconds(longest)));
  }
  return *read;
}

Result<std::optional<WallTime>> Members::time(std::string_view name, WallTime now) const {
  const json::Value* value = body_->find(name);
  if (!value) return std::optional<WallTime>();
  if (const std::string* text = value->string(); text && *text == "now") return std::optional<WallTime>(now);
  const std::int64_t* seconds = value->integer();
  if (!seconds || *seconds < 0 || *seconds > year_9999) return expected(name, "\"now\" or seconds since 1970");
  return std::optional<WallTime>(from_unix_seconds(*seconds));
}

}  // namespace sallyport::admin
