#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/json.h"
#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"
#include "sallyport/crypto/algorithm.h"

/// The file of clients that sign their requests (`signed_request.keys_file`), as `sallyport keys new --client` changes it.
namespace sallyport::cli {

/// A key to be made for a client, and what is to be said of the client besides.
struct NewClientKey {
  std::string client;
  crypto::Algorithm algorithm = crypto::Algorithm::EdDSA;
  std::optional<std::string> kid;             ///< absent: a name that nothing else has
  std::optional<std::chrono::seconds> valid;  ///< from now on; absent: without an end
  std::optional<std::chrono::seconds>
      retire;            ///< when the other keys of the client end, from now on; absent: as they are
  json::Object members;  ///< `tenant`, `scopes`, …: take the place of those of the same name
  std::vector<std::pair<std::string, std::string>> labels;
};

struct MadeClientKey {
  std::string kid;
  std::optional<WallTime> not_after;
  Secret clients;  ///< the text of the whole file of clients
  Secret key;      ///< `{"keys": [JWK]}` with the private part, for the client
};

/// A fresh key, and `clients` with what verifies it in it. `clients` is the text of the present file; empty: there is none.
/// Errors: `config.invalid` when the file is none, or would be none with the key in it: a `kid` that is taken, say.
Result<MadeClientKey> make_client_key(std::string_view clients, const NewClientKey& wanted, WallTime now);

}  // namespace sallyport::cli
