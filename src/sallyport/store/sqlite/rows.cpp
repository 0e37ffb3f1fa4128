#include "sallyport/store/sqlite/rows.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "sallyport/base/bytes.h"

namespace sallyport::store::rows {
namespace {

#define SALLYPORT_TOKEN_COLUMNS                                                                             \
  "hash, id, subject, session_id, tenant, scopes, roles, issued_at, expires_at, last_used_at, revoked_at, " \
  "issuer, route"

Error damaged(std::string_view what) {
  return {Reason::store_unavailable, "a row in the database is damaged: " + std::string(what)};
}

// A list in one column: netstrings, `4:read,5:write,`, which hold any bytes.
std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += std::to_string(item.size()) + ":" + item + ",";
  return text;
}

Result<std::vector<std::string>> split(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || digits >= text.size() || text[digits] != ':') return damaged("a list");
    text.remove_prefix(digits + 1);
    if (size >= text.size() || text[size] != ',') return damaged("a list");
    items.emplace_back(text.substr(0, size));
    text.remove_prefix(size + 1);
  }
  return items;
}

Result<TokenRow> read_token(Query& query) {
  TokenRow row;
  const std::string_view hash = query.bytes();
  if (hash.size() != row.hash.size()) return damaged("a token's hash");
  std::copy(hash.begin(), hash.end(), row.hash.begin());
  row.id = query.bytes();
  row.subject = query.bytes();
  row.session_id = query.bytes();
  row.tenant = query.bytes();
  TRY(row.scopes, split(query.bytes()));
  TRY(row.roles, split(query.bytes()));
  row.issued_at = query.time();
  row.expires_at = query.time();
  row.last_used_at = query.optional_time();
  row.revoked_at = query.optional_time();
  row.issuer = query.bytes();
  row.route = query.bytes();
  return row;
}

Result<std::optional<TokenRow>> only_token(Query& query) {
  TRY(const bool found, query.next());
  if (!found) return std::optional<TokenRow>();
  TRY(TokenRow row, read_token(query));
  TRY_OK(query.finish());
  return std::optional(std::move(row));
}

// The one row of value and end, unless that has come.
Result<std::optional<std::string>> only_value(Query& query, WallTime now) {
  TRY(const bool found, query.next());
  if (!found) return std::optional<std::string>();
  std::string value(query.bytes());
  const WallTime until = query.time();
  TRY_OK(query.finish());
  if (until <= now) return std::optional<std::string>();
  return std::optional(std::move(value));
}

Result<Revocation> read_revocation(Query& query) {
  Revocation revocation;
  revocation.id = static_cast<std::uint64_t>(query.integer());
  const std::string name(query.bytes());
  const auto handle = handle_named(name);
  if (!handle) return damaged("a revocation's handle");
  revocation.handle = *handle;
  revocation.value = query.bytes();
  revocation.issuer = query.optional_bytes();
  revocation.issued_before = query.optional_time();
  revocation.created_at = query.time();
  revocation.keep_until = query.time();
  revocation.reason = query.bytes();
  return revocation;
}

}  // namespace

Result<void> put_token(Database& database, const TokenRow& row) {
  Query insert = database.query("INSERT INTO token (" SALLYPORT_TOKEN_COLUMNS
                                ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
  insert.bind(text_of(row.hash)).bind(row.id).bind(row.subject).bind(row.session_id).bind(row.tenant);
  insert.bind(joined(row.scopes)).bind(joined(row.roles)).bind(row.issued_at).bind(row.expires_at);
  insert.bind(row.last_used_at).bind(row.revoked_at).bind(row.issuer).bind(row.route);
  TRY_OK(insert.finish());
  if (database.changes() == 1) return {};
  TRY(const auto same_hash, find_token(database, row.hash));
  if (same_hash) return Error{Reason::request_invalid, "a token with this hash exists"};
  return Error{Reason::request_invalid, "a token with id '" + row.id + "' exists"};
}

Result<std::optional<TokenRow>> find_token(Database& database, const TokenHash& hash) {
  Query query = database.query("SELECT " SALLYPORT_TOKEN_COLUMNS " FROM token WHERE hash = ?");
  query.bind(text_of(hash));
  return only_token(query);
}

Result<std::optional<TokenRow>> revoke_token(Database& database, const std::string& id, WallTime at) {
  Query query = database.query(
      "UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? RETURNING " SALLYPORT_TOKEN_COLUMNS);
  query.bind(at).bind(id);
  return only_token(query);
}

Result<void> write_uses(Database& database, const std::vector<Use>& uses) {
  if (uses.empty()) return {};
  Transaction transaction(database);
  TRY_OK(transaction.begin());
  for (const Use& use : uses) {
    Query update =
        database.query("UPDATE token SET last_used_at = max(coalesce(last_used_at, ?1), ?1) WHERE hash = ?2");
    update.bind(use.at).bind(text_of(use.hash));
    TRY_OK(update.finish());
  }
  return transaction.commit();
}

Result<Revocation> add_revocation(Database& database, Revocation revocation) {
  Query insert = database.query(
      "INSERT INTO revocation (handle, value, issuer, issued_before, created_at, keep_until, reason) VALUES (?, ?, ?, "
      "?, ?, ?, ?)");
  insert.bind(name_of(revocation.handle)).bind(revocation.value).bind(revocation.issuer).bind(revocation.issued_before);
  insert.bind(revocation.created_at).bind(revocation.keep_until).bind(revocation.reason);
  TRY_OK(insert.finish());
  revocation.id = static_cast<std::uint64_t>(database.last_insert_id());
  return revocation;
}

Result<std::vector<Revocation>> revocations(Database& database, std::uint64_t after, WallTime now) {
  std::vector<Revocation> found;
  if (after > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return found;
  Query query = database.query(
      "SELECT id, handle, value, issuer, issued_before, created_at, keep_until, reason FROM revocation"
      " WHERE id > ? AND keep_until > ? ORDER BY id");
  query.bind(static_cast<std::int64_t>(after)).bind(now);
  for (;;) {
    TRY(const bool more, query.next());
    if (!more) return found;
    TRY(Revocation revocation, read_revocation(query));
    found.push_back(std::move(revocation));
  }
}

Result<bool> claim(Database& database, std::string_view key, WallTime until) {
  Query insert = database.query("INSERT INTO claim (key, until) VALUES (?, ?) ON CONFLICT DO NOTHING");
  insert.bind(key).bind(until);
  TRY_OK(insert.finish());
  return database.changes() == 1;
}

Result<void> put_once(Database& database, std::string_view key, std::string_view value, WallTime until) {
  Query insert = database.query("INSERT INTO once (key, value, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
  insert.bind(key).bind(value).bind(until);
  TRY_OK(insert.finish());
  if (database.changes() == 1) return {};
  return Error{Reason::request_invalid, "a value is kept under this key"};
}

Result<std::optional<std::string>> take_once(Database& database, std::string_view key, WallTime now) {
  Query query = database.query("DELETE FROM once WHERE key = ? RETURNING value, until");
  query.bind(key);
  return only_value(query, now);
}

Result<std::optional<std::string>> find_once(Database& database, std::string_view key, WallTime now) {
  Query query = database.query("SELECT value, until FROM once WHERE key = ?");
  query.bind(key);
  return only_value(query, now);
}

Result<std::size_t> purge(Database& database, WallTime now) {
  Transaction transaction(database);
  TRY_OK(transaction.begin());
  std::size_t forgotten = 0;
  for (const char* sql : {"DELETE FROM token WHERE expires_at <= ?", "DELETE FROM revocation WHERE keep_until <= ?",
                          "DELETE FROM claim WHERE until <= ?", "DELETE FROM once WHERE until <= ?"}) {
    Query erase = database.query(sql);
    erase.bind(now);
    TRY_OK(erase.finish());
    forgotten += database.changes();
  }
  TRY_OK(transaction.commit());
  return forgotten;
}

}  // namespace sallyport::store::rows
