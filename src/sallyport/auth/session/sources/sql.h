#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/session/layout.h"
#include "sallyport/auth/session/sources/query_threads.h"

/// The one query that all databases with tables are asked, and what becomes of its rows. Names come from the configuration and are
/// quoted; keys are parameters, always.
namespace sallyport::auth {

enum class SqlDialect : std::uint8_t { postgres, mysql, sqlite };

/// Keys that one query may ask for; more are asked in parts.
inline constexpr std::size_t most_keys_of_a_query = 10'000;

/// A statement with `keys` parameters, or in PostgreSQL one, an array. Its columns: the key; the end in milliseconds since 1970, or null;
/// the data, if there is such a column; the further columns; name and value of an attribute, if they have a table.
std::string select_sessions(const SqlLayout& layout, SqlDialect dialect, std::size_t keys);

/// How many columns that has.
std::size_t columns_of(const SqlLayout& layout);

/// A value of a row; nullopt is NULL.
using SqlValue = std::optional<std::string>;

/// The sessions under `keys`, gathered from rows in any order.
class SqlGathering {
 public:
  SqlGathering(const SqlLayout& layout, std::chrono::seconds lifetime, const std::vector<std::string>& keys);

  /// Takes a row of select_sessions(). One whose key was not asked for, byte for byte, is left out: databases hold more texts for equal
  /// than sessions may be.
  void add(std::vector<SqlValue> row);
  FoundSessions finish() &&;

 private:
  const SqlLayout& layout_;
  std::chrono::seconds lifetime_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> places_;
  FoundSessions found_;
  std::vector<bool> too_large_;
};

/// `{"a","b"}`: an array as PostgreSQL reads it. Trust: `keys` may hold anything.
std::string postgres_array(const std::vector<std::string>& keys);

}  // namespace sallyport::auth
