#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/store/sqlite/database.h"
#include "sallyport/store/store.h"

/// The statements behind each call of Store. All of them block.
/// Errors: those of the Store function of the same name; a row that cannot be understood is `store.unavailable`.
namespace sallyport::store::rows {

/// A token's latest use.
struct Use {
  TokenHash hash;
  WallTime at;
};

Result<void> put_token(Database& database, const TokenRow& row);
Result<std::optional<TokenRow>> find_token(Database& database, const TokenHash& hash);
Result<std::optional<TokenRow>> revoke_token(Database& database, const std::string& id, WallTime at);
/// All of them or none.
Result<void> write_uses(Database& database, const std::vector<Use>& uses);
Result<Revocation> add_revocation(Database& database, Revocation revocation);
Result<std::vector<Revocation>> revocations(Database& database, std::uint64_t after, WallTime now);
Result<bool> claim(Database& database, std::string_view key, WallTime until);
Result<void> put_once(Database& database, std::string_view key, std::string_view value, WallTime until);
Result<std::optional<std::string>> take_once(Database& database, std::string_view key, WallTime now);
Result<std::optional<std::string>> find_once(Database& database, std::string_view key, WallTime now);
Result<std::size_t> purge(Database& database, WallTime now);

}  // namespace sallyport::store::rows
