#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/json.h"
#include "sallyport/base/result.h"
#include "sallyport/crypto/algorithm.h"
#include "sallyport/jose/jwk.h"

namespace sallyport::auth {

/// Somebody who signs requests: a device, a service. No text in it holds a control character.
struct Client {
  std::string name;     ///< what the file calls it; never empty
  std::string subject;  ///< who its connections belong to; the name, unless the file says otherwise
  std::string tenant;
  std::vector<std::string> scopes;
  std::vector<std::string> roles;
  json::Object labels;  ///< texts: device, site, …

  bool operator==(const Client&) const;
};

/// One of a client's keys. It has one algorithm, whatever a signature says of itself.
struct ClientKey {
  std::string kid;
  jose::Jwk key;
  crypto::Algorithm algorithm;
  std::optional<WallTime> not_before;
  std::optional<WallTime> not_after;  ///< good until here
  std::shared_ptr<const Client> client;
};

/// The clients of a file and their keys. A value.
class Clients {
 public:
  /// Reads `{"clients": [{"name": …, "keys": [JWK, …]}, …]}`; the whole form is in this folder's README.
  /// Trust:  whoever wrote `text` decides who may connect.
  /// Units:  at most 100,000 keys.
  /// Errors: `config.invalid`, saying which client and which key: no such JSON, an unknown member, a name or a `kid` that is there twice or
  ///         is empty, a text with a control character, a key that cannot be trusted (see Jwk::parse) or that lacks `kid` or, being RSA or
  ///         a secret, a fitting `alg`, an algorithm that request signatures do not have, an interval that ends before it begins.
  static Result<Clients> parse(std::string_view text);

  /// The key called `kid`, whether its time has come or not; nullptr when there is none.
  const ClientKey* find(std::string_view kid) const;
  const std::map<std::string, ClientKey, std::less<>>& keys() const { return keys_; }

 private:
  std::map<std::string, ClientKey, std::less<>> keys_;
};

/// `2026-11-22T18:00:00Z`: seconds, in UTC. Errors: `config.invalid` for any other spelling, and for a day that does not exist.
Result<WallTime> parse_key_time(std::string_view text);

}  // namespace sallyport::auth
