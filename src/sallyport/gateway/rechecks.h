#pragma once

#include <map>
#include <string>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/net/loop.h"

namespace sallyport::gateway {

class Session;
class Shard;

/// Asks the sources of truth again, for as long as connections live, whether their identities still hold: all of a route together, every
/// so often as the route says, and those that a mechanism's watch names at once.
/// Threads: its shard's loop. Lifetime: the shard's.
class Rechecks {
 public:
  explicit Rechecks(Shard& shard);

  /// Asks as long as the loop lives.
  void start();
  /// The configuration has changed: all are asked about at once, by what is in force now.
  void reconsider();
  /// Asks at once about those that `mechanism` calls `watch_key`; empty: about all of that mechanism.
  void ask(std::string_view mechanism, std::string_view watch_key);

 private:
  struct Asked {
    std::string connection;
    auth::Identity identity;
  };
  // Those of one route and one way to authenticate.
  using Groups = std::map<std::pair<std::string, std::string>, std::vector<Asked>>;
  struct Turn {
    Instant due;
    bool under_way = false;
  };

  net::Task<void> run();
  net::Task<void> ask_route(std::string route);
  net::Task<void> ask_groups(Groups groups);
  net::Task<void> ask_group(std::string route, std::string step, std::vector<Asked> asked);
  void apply(Session& session, Result<auth::Identity> result, Duration tolerate);
  Duration pause(Duration every);
  static void add(Groups& groups, const Session& session);

  Shard& shard_;
  net::Wake wake_;
  net::Timer timer_;
  std::map<std::string, Turn, std::less<>> turns_;  // of the routes
};

}  // namespace sallyport::gateway
