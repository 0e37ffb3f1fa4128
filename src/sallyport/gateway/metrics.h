#pragma once

#include <array>

#include "sallyport/base/metric.h"
#include "sallyport/base/reason.h"

namespace sallyport::gateway {

/// What one loop counts. Labels come from closed lists (reasons, directions), so the number of series is fixed.
struct Metrics {
  metric::Counter sockets_accepted;
  metric::Counter tls_handshakes;
  metric::Counter tls_resumed;
  metric::Counter connections_accepted;
  metric::Counter authorized;
  metric::Gauge connections_open;
  std::array<metric::Counter, reason_count> refused;
  std::array<metric::Counter, reason_count> closed;
  metric::Counter refreshed;
  metric::Counter revocation_closes;
  /// Identities that were asked about again.
  struct Rechecks {
    metric::Counter held;
    metric::Counter changed;
    metric::Counter refused;
    metric::Counter unknown;
  };
  Rechecks rechecks;
  /// Those who must wait, by what is held against them.
  struct Lockouts {
    metric::Counter claimant;
    metric::Counter network;
  };
  Lockouts lockouts;
  metric::Counter control_spoofed;
  struct Direction {
    metric::Counter messages;
    metric::Counter bytes;
  };
  Direction from_client;
  Direction from_backend;
  metric::Counter store_calls;
  metric::Histogram handshake_seconds;
  metric::Counter http2_connections;
  metric::Gauge http2_open;
  metric::Counter http2_streams;
  metric::Counter http2_accepted;
  metric::Counter http2_resets;
  std::array<metric::Counter, reason_count> http2_closed;
  metric::Counter bugs;
};

}  // namespace sallyport::gateway
