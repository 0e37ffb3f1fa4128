#include "sallyport/auth/session/sources/sql.h"

#include <algorithm>

#include "sallyport/config/value.h"

namespace sallyport::auth {
namespace {

// As far as a time may lie ahead: in the year 9999.
constexpr std::chrono::milliseconds latest{253'370'764'800'000};

std::string quoted(std::string_view name, SqlDialect dialect) {
  const char quote = dialect == SqlDialect::mysql ? '`' : '"';
  std::string out(1, quote);
  for (const char c : name) {
    if (c == quote) out += quote;
    // A dot parts the schema from the table.
    if (c == '.') {
      out += quote;
      out += '.';
      out += quote;
    } else {
      out += c;
    }
  }
  return out + quote;
}

// When the session ends, in whole milliseconds.
std::string end_of(const std::string& column, ExpiresAs as, SqlDialect dialect) {
  switch (as) {
    case ExpiresAs::milliseconds:
      return column;
    case ExpiresAs::seconds:
      return dialect == SqlDialect::postgres ? column + "::bigint * 1000" : column + " * 1000";
    case ExpiresAs::timestamp:
      break;
  }
  switch (dialect) {
    case SqlDialect::postgres:
      // The cast gives a time without zone the one that is set, as the application's own comparisons do.
      return "floor(extract(epoch from " + column + "::timestamptz) * 1000)::bigint";
    case SqlDialect::mysql:
      return "timestampdiff(microsecond, '1970-01-01', " + column + ") div 1000";
    case SqlDialect::sqlite:
      return "cast(round((julianday(" + column + ") - 2440587.5) * 86400000.0) as integer)";
  }
  return column;
}

}  // namespace

std::string select_sessions(const SqlLayout& layout, SqlDialect dialect, std::size_t keys) {
  const auto of_session = [&](const std::string& column) { return "s." + quoted(column, dialect); };
  const AttributeTable& attributes = layout.attributes;
  std::string sql = "select " + of_session(layout.key) + ", ";
  sql += layout.expires.empty() ? "null" : end_of(of_session(layout.expires), layout.expires_as, dialect);
  if (!layout.data.empty()) sql += ", " + of_session(layout.data);
  for (const std::string& field : layout.fields) sql += ", " + of_session(field);
  if (!attributes.suffix.empty())
    sql += ", a." + quoted(attributes.name, dialect) + ", a." + quoted(attributes.value, dialect);
  sql += " from " + quoted(layout.table, dialect) + " s";
  if (!attributes.suffix.empty()) {
    sql += " left join " + quoted(layout.table + attributes.suffix, dialect) + " a on a." +
           quoted(attributes.parent, dialect) + " = " + of_session(attributes.primary);
  }
  sql += " where " + of_session(layout.key);
  if (dialect == SqlDialect::postgres) return sql + " = any($1)";
  sql += " in (";
  for (std::size_t i = 0; i < keys; ++i) sql += i == 0 ? "?" : ",?";
  return sql + ")";
}

std::size_t columns_of(const SqlLayout& layout) {
  return 2 + (layout.data.empty() ? 0 : 1) + layout.fields.size() + (layout.attributes.suffix.empty() ? 0 : 2);
}

SqlGathering::SqlGathering(const SqlLayout& layout, std::chrono::seconds lifetime, const std::vector<std::string>& keys)
    : layout_(layout), lifetime_(lifetime), found_(keys.size()), too_large_(keys.size()) {
  for (std::size_t i = 0; i < keys.size(); ++i) places_[keys[i]].push_back(i);
}

void SqlGathering::add(std::vector<SqlValue> row) {
  SALLYPORT_CHECK(row.size() == columns_of(layout_));
  if (!row[0]) return;
  // A column of fixed width is filled up with spaces, which no key holds.
  const std::string_view key = std::string_view(*row[0]).substr(0, row[0]->find_last_not_of(' ') + 1);
  const auto at = places_.find(key);
  if (at == places_.end()) return;
  const std::size_t first = at->second.front();
  if (too_large_[first]) return;
  std::optional<StoredSession>& session = found_[first];
  std::size_t column = 1;
  const SqlValue end = std::move(row[column++]);
  if (!session) {
    session.emplace();
    if (end) {
      // Some databases write whole numbers of a wider type with a fraction.
      const auto milliseconds = config::parse_integer(std::string_view(*end).substr(0, end->find('.')));
      // What cannot be read must not make a session last for ever.
      session->expires_at = WallTime(
          std::chrono::milliseconds(milliseconds ? std::clamp<std::int64_t>(*milliseconds, 0, latest.count()) : 0));
      if (milliseconds) *session->expires_at += lifetime_;
    }
    if (!layout_.data.empty()) session->data = std::move(row[column++]).value_or("");
    for (const std::string& name : layout_.fields) {
      if (SqlValue value = std::move(row[column++])) session->fields.emplace_back(name, std::move(*value));
    }
  } else {
    column += (layout_.data.empty() ? 0 : 1) + layout_.fields.size();
  }
  if (!layout_.attributes.suffix.empty() && row[column] && row[column + 1])
    session->fields.emplace_back(layout_.attributes.prefix + *row[column], std::move(*row[column + 1]));
  std::size_t size = session->data.size();
  for (const auto& [name, value] : session->fields) size += name.size() + value.size();
  if (size > SessionSource::largest_session) {
    session.reset();
    too_large_[first] = true;
  }
}

FoundSessions SqlGathering::finish() && {
  for (const auto& [key, places] : places_) {
    for (std::size_t i = 1; i < places.size(); ++i) found_[places[i]] = found_[places.front()];
  }
  return std::move(found_);
}

std::string postgres_array(const std::vector<std::string>& keys) {
  std::string out = "{";
  for (const std::string& key : keys) {
    out += out.size() == 1 ? "\"" : ",\"";
    for (const char c : key) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

}  // namespace sallyport::auth
