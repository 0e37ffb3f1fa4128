#pragma once

#include <memory>
#include <string>

#include "sallyport/auth/session/source.h"
#include "sallyport/auth/session/store_url.h"
#include "sallyport/base/secret.h"
#include "sallyport/net/tls.h"

namespace sallyport::auth {

struct RedisServer {
  StoreUrl url;                               ///< its database is a number, or empty
  std::shared_ptr<const Secret> password;     ///< nullptr: none
  std::shared_ptr<const net::ClientTls> tls;  ///< nullptr: none
};

/// Sessions in Redis, each a text or a hash under `prefix` and its key. One connection answers all loops, a second one watches: it hears
/// of changes by keyspace notifications where the server has them on, and where it has not, the watch's trouble() says which setting is
/// missing. After every loss of that connection all are named as changed.
std::shared_ptr<SessionSource> make_redis_source(RedisServer server, std::string prefix, RedisKind kind);

/// Whether a server whose `notify-keyspace-events` is `flags` tells of all that happens to a session; empty, or what must be set.
std::string missing_notifications(std::string_view flags, RedisKind kind);

/// A pattern of PSUBSCRIBE that `text` alone matches.
std::string escape_pattern(std::string_view text);

}  // namespace sallyport::auth
