#include <string>

#include "sallyport/auth/opening/opening.h"

// The first byte chooses the protocol. Whatever is let through: the credential is not in what the backend gets where the protocol has
// a place for it alone, and what the backend gets carries no credential in that place any more.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sallyport;
  using auth::OpeningProtocol;
  if (size == 0) return 0;
  static constexpr OpeningProtocol protocols[] = {OpeningProtocol::json, OpeningProtocol::graphql_ws,
                                                  OpeningProtocol::socketio, OpeningProtocol::stomp,
                                                  OpeningProtocol::mqtt};
  const OpeningProtocol protocol = protocols[data[0] % std::size(protocols)];
  const auto kind =
      protocol == OpeningProtocol::mqtt ? auth::FirstMessage::Kind::binary : auth::FirstMessage::Kind::text;
  const std::string_view where = auth::usual_place(protocol);
  const auto opening = auth::parse_opening(protocol, where, {kind, Bytes(data + 1, size - 1)});
  if (!opening.ok()) return 0;
  SALLYPORT_CHECK(opening->token.size() > 0 && opening->for_backend);
  const auto again = auth::parse_opening(protocol, where, {kind, bytes_of(*opening->for_backend)});
  SALLYPORT_CHECK(!again.ok() && again.error().reason == Reason::credential_missing);
  return 0;
}
