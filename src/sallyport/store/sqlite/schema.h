#pragma once

#include "sallyport/store/sqlite/database.h"

namespace sallyport::store {

/// Makes an empty database Sallyport's, brings an older one up to date, and leaves a present one as it is.
/// Errors: `config.invalid` for a database of another program or of a newer Sallyport; `store.unavailable`.
Result<void> migrate_schema(Database& database, const std::string& path);

/// That the database is Sallyport's and has exactly this version's schema; changes nothing. Errors: as
/// migrate_schema().
Result<void> check_schema(Database& database, const std::string& path);

}  // namespace sallyport::store
