#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sallyport {

/// What a peer that was turned away may do about it.
enum class Retry : std::uint8_t {
  never,  ///< the same attempt will fail again
  renew,  ///< obtain a fresh credential first
  later,  ///< the same attempt may succeed after a pause
};

// clang-format off
/// Why a peer is turned away, from the first byte to the close frame: the one table behind statuses, close codes, log fields,
/// metric labels, the reference page and the client's constants.
/// Columns: identifier, public name, HTTP status before the 101, close code after it, retry, all that the peer is told.
/// Units: `told` is at most 123 bytes, the room in a close frame (RFC 6455 §5.5, §5.5.1).
/// Spec:  close codes 4000-4999 are ours to define (RFC 6455 §7.4.2); 1012-1014 are registered with IANA.
#define SALLYPORT_REASONS(X) \
  X(internal_bug,              "internal.bug",              500, 1011, later, "internal error") \
  X(http_malformed,            "http.malformed",            400, 1002, never, "malformed request") \
  X(http_method_not_allowed,   "http.method_not_allowed",   405, 1002, never, "method not allowed") \
  X(http_upgrade_required,     "http.upgrade_required",     426, 1002, never, "websocket upgrade, version 13, required") \
  X(http_headers_too_large,    "http.headers_too_large",    431, 1009, never, "request header too large") \
  X(http_timeout,              "http.timeout",              408, 1002, later, "request not completed in time") \
  X(http_unsupported,          "http.unsupported",          501, 1002, never, "not supported") \
  X(http2_malformed,           "http2.malformed",           400, 1002, never, "HTTP/2 protocol error") \
  X(http2_idle,                "http2.idle",                408, 1001, later, "no stream for too long") \
  X(route_not_found,           "route.not_found",           404, 1008, never, "no such endpoint") \
  X(tls_failed,                "tls.failed",                400, 1002, never, "TLS handshake failed") \
  X(proxy_malformed,           "proxy.malformed",           400, 1002, never, "PROXY header expected") \
  X(origin_not_allowed,        "origin.not_allowed",        403, 4403, never, "origin not allowed") \
  X(origin_missing,            "origin.missing",            403, 4403, never, "origin required for this credential") \
  X(credential_missing,        "credential.missing",        401, 4401, renew, "credential required") \
  X(credential_ambiguous,      "credential.ambiguous",      400, 4401, never, "more than one credential") \
  X(credential_invalid,        "credential.invalid",        401, 4401, renew, "credential not accepted") \
  X(credential_expired,        "credential.expired",        401, 4401, renew, "credential expired") \
  X(credential_revoked,        "credential.revoked",        401, 4401, renew, "credential revoked") \
  X(credential_replayed,       "credential.replayed",       401, 4401, renew, "credential used before") \
  X(credential_late,           "credential.late",           408, 4408, renew, "no credential in time") \
  X(credential_other_subject,  "credential.other_subject",  401, 4401, renew, "credential of another subject") \
  X(identity_not_allowed,      "identity.not_allowed",      403, 4403, never, "identity not allowed") \
  X(identity_step_up,          "identity.step_up",          401, 4401, renew, "fresher or stronger authentication required") \
  X(address_not_allowed,       "address.not_allowed",       403, 4403, never, "address not allowed") \
  X(session_expired,           "session.expired",           401, 4401, renew, "session lifetime reached") \
  X(auth_timeout,              "auth.timeout",              503, 4408, later, "authentication not completed in time") \
  X(limit_handshake_rate,      "limit.handshake_rate",      429, 4429, later, "too many attempts") \
  X(limit_http2_resets,        "limit.http2_resets",        429, 4429, later, "too many streams given up") \
  X(limit_http2_frames,        "limit.http2_frames",        429, 4429, later, "too many frames that carry nothing") \
  X(limit_lockout,             "limit.lockout",             429, 4429, later, "too many refused attempts") \
  X(limit_waiting,             "limit.waiting",             503, 1013, later, "try again later") \
  X(limit_pending,             "limit.pending",             503, 1013, later, "try again later") \
  X(limit_connections_ip,      "limit.connections_ip",      429, 4429, later, "too many connections from this address") \
  X(limit_connections_identity,"limit.connections_identity",429, 4429, later, "too many connections of this identity") \
  X(limit_message_rate,        "limit.message_rate",        429, 4429, later, "too many messages") \
  X(message_too_big,           "message.too_big",           413, 1009, never, "message too big") \
  X(message_not_utf8,          "message.not_utf8",          400, 1007, never, "text is not UTF-8") \
  X(message_not_deflate,       "message.not_deflate",       400, 1007, never, "compressed message is damaged") \
  X(message_bomb,              "message.bomb",              413, 1009, never, "message inflates too far") \
  X(message_malformed,         "message.malformed",         400, 4400, never, "message not understood") \
  X(message_unsupported,       "message.unsupported",       415, 1003, never, "kind of message not supported") \
  X(frame_malformed,           "frame.malformed",           400, 1002, never, "websocket protocol error") \
  X(control_malformed,         "control.malformed",         400, 4400, never, "control message not understood") \
  X(store_unavailable,         "store.unavailable",         503, 1013, later, "try again later") \
  X(keys_unavailable,          "keys.unavailable",          503, 1013, later, "try again later") \
  X(auth_unavailable,          "auth.unavailable",          503, 1013, later, "try again later") \
  X(upstream_unavailable,      "upstream.unavailable",      502, 1014, later, "backend unavailable") \
  X(upstream_refused,          "upstream.refused",          502, 1014, later, "backend unavailable") \
  X(upstream_timeout,          "upstream.timeout",          504, 1014, later, "backend unavailable") \
  X(upstream_protocol,         "upstream.protocol",         502, 1011, later, "backend protocol error") \
  X(upstream_closed,           "upstream.closed",           502, 1014, later, "backend closed the connection") \
  X(server_draining,           "server.draining",           503, 1012, later, "server restarting") \
  X(server_overloaded,         "server.overloaded",         503, 1013, later, "try again later") \
  X(peer_closed,               "peer.closed",               400, 1000, later, "closed") \
  X(peer_gone,                 "peer.gone",                 400, 1006, later, "connection lost") \
  X(peer_unresponsive,         "peer.unresponsive",         408, 1001, later, "no answer to ping") \
  X(peer_too_slow,             "peer.too_slow",             408, 1008, later, "messages not read in time") \
  X(closed_by_operator,        "closed.by_operator",        403, 4403, later, "closed by an operator") \
  X(admin_unauthorized,        "admin.unauthorized",        401, 1008, never, "admin token required") \
  X(request_invalid,           "request.invalid",           400, 1008, never, "request not understood") \
  X(request_not_found,         "request.not_found",         404, 1008, never, "not found") \
  X(config_invalid,            "config.invalid",            500, 1011, never, "configuration invalid")
// clang-format on

enum class Reason : std::uint8_t {
#define SALLYPORT_REASON(id, name, status, close, retry, told) id,
  SALLYPORT_REASONS(SALLYPORT_REASON)
#undef SALLYPORT_REASON
};

struct ReasonRow {
  Reason reason;
  std::string_view name;
  std::uint16_t http_status;
  std::uint16_t close_code;
  Retry retry;
  std::string_view told;
};

inline constexpr ReasonRow reason_table[] = {
#define SALLYPORT_REASON(id, name, status, close, retry, told) {Reason::id, name, status, close, Retry::retry, told},
    SALLYPORT_REASONS(SALLYPORT_REASON)
#undef SALLYPORT_REASON
};
inline constexpr std::size_t reason_count = std::size(reason_table);

/// The row of `reason`. Constant time; every Reason has one.
constexpr const ReasonRow& row(Reason reason) { return reason_table[static_cast<std::size_t>(reason)]; }

}  // namespace sallyport
