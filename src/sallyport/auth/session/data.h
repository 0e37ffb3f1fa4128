#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/json.h"
#include "sallyport/base/result.h"

/// A session of somebody else's application, as far as it can be read without bringing anything in it to life.
namespace sallyport::auth::session {

/// What the decoders of this folder read at most, whoever wrote it.
/// Units: bytes, levels, values.
inline constexpr std::size_t max_stored_size = 1024 * 1024;
inline constexpr std::size_t max_cookie_size = 32 * 1024;
inline constexpr std::size_t max_inflated_size = 256 * 1024;
inline constexpr int max_depth = 32;
inline constexpr std::size_t max_values = 20'000;
inline constexpr std::size_t max_unreadable = 64;

/// A place that holds something which is left as it lies: an object of the language's own, a reference, bytes that are no text.
struct Unreadable {
  std::vector<std::string> at;  ///< the names that lead there
  std::string what;             ///< for operators: what lies there and what to change
};

/// What a session says. Where something is unreadable, `values` has null.
struct SessionData {
  json::Value values = json::Object{};  ///< an object
  std::vector<Unreadable> unreadable;
  std::optional<WallTime> written_at;  ///< when its signature says that it was made
  std::optional<WallTime> expires_at;  ///< when it says itself that it ends
  std::string id;                      ///< of a session that lies in its cookie, where it has one
};

/// A place in a session.
class DataPath {
 public:
  /// Reads `user.id`, or a JSON pointer (RFC 6901) when it starts with a slash: `/warden.user.user.key/0/0`. A number leads into a
  /// list.
  /// Errors: `config.invalid`, its detail written for whoever wrote the configuration.
  static Result<DataPath> parse(std::string_view text);

  const std::string& text() const { return text_; }
  const std::vector<std::string>& names() const { return names_; }
  /// What is there: nullptr for nothing and for null.
  /// Errors: `credential.invalid` when the path leads to or through something unreadable; the detail says what to change.
  Result<const json::Value*> find(const SessionData& data) const;

 private:
  std::string text_;
  std::vector<std::string> names_;
};

/// The object that `text` is.
/// Trust:  `text` is hostile, or from a store that the application writes.
/// Errors: `credential.invalid` when it is none, or goes beyond the bounds above; a serialization that would have to be brought to
///         life (Python pickle, Ruby Marshal, Java) is called by its name, and `advice` says what to change.
Result<SessionData> parse_json_session(std::string_view text, std::string_view advice);

/// What `text` is when its first bytes are those of a serialization that is never read: `a Python pickle`. Empty: none of them.
std::string_view foreign_serialization(std::string_view text);

/// Whether `text` is UTF-8 from end to end.
bool is_utf8(std::string_view text);

/// A value that may hold no more than so many others, counted while it is read.
class Budget {
 public:
  /// False from the first value on that is too many.
  bool take() { return taken_++ < max_values; }

 private:
  std::size_t taken_ = 0;
};

inline Error unsound(std::string detail) { return Error{Reason::credential_invalid, std::move(detail)}; }

}  // namespace sallyport::auth::session
