#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/gateway/settings.h"
#include "sallyport/http/deflate.h"
#include "sallyport/http/upgrade.h"
#include "sallyport/ws/assembler.h"
#include "sallyport/ws/deflate.h"

/// permessage-deflate between two sides that need not have agreed to the same of it.
namespace sallyport::gateway {

/// What was agreed on, each side for itself; nothing where a side does without.
struct Compression {
  enum class Handling : std::uint8_t {
    inflate,  ///< compressed messages are inflated to be judged
    pass,     ///< they go on as they came, unseen: both sides have agreed to the same
  };

  std::optional<http::DeflateParameters> client;
  std::optional<http::DeflateParameters> backend;
  Handling handling = Handling::inflate;
};

/// What the client offers on a route that takes such offers; elsewhere nobody looks at them.
/// Trust:  what `upgrade` carries is hostile; the offers hold only what RFC 7692 allows.
/// Errors: as http::parse_deflate_offers.
Result<std::vector<http::DeflateParameters>> client_offers(const CompressionSettings& settings,
                                                           const http::Upgrade& upgrade);
/// What the backend is offered on behalf of such a client.
std::vector<http::DeflateParameters> backend_offers(const CompressionSettings& settings,
                                                    std::vector<http::DeflateParameters> of_client);
/// What comes of `of_client` and of what the backend answered to backend_offers().
Compression agree(const CompressionSettings& settings, std::span<const http::DeflateParameters> of_client,
                  const std::optional<http::DeflateParameters>& backend_answer);

/// What the connections of one loop use in turn, so that one that keeps no context owns no memory of zlib's.
struct DeflateScratch {
  ws::Inflater inflater;
  std::array<ws::Deflater, 7> deflaters;  ///< for windows of 9 to 15 bits; each takes its memory when it is first used
  std::vector<Byte> content;
  std::vector<Byte> packed;
};

/// One direction of a connection: what the sender's messages say, and how they go on to the receiver.
/// A message goes on as it came whenever the receiver can read it so; otherwise its content is framed anew.
class Recoder {
 public:
  /// `from`: the terms on which the sender compresses, `to`: those on which the receiver is sent to; nothing: not at all.
  /// Lifetime: `shared` outlives it.
  Recoder(std::optional<ws::DeflateTerms> from, std::optional<ws::DeflateTerms> to, ws::InflateLimits limits,
          DeflateScratch& shared);

  /// Whether `message` can only be handed on by rewrite().
  bool must_read(const ws::Unit& message) const;
  /// The content of the compressed `message`, whose unmasked payload is `payload`.
  /// Trust:    a text is UTF-8; the content is hostile otherwise.
  /// Errors:   as ws::Inflater, `message.not_utf8`; nothing else.
  /// Lifetime: until the next call on any connection of the loop.
  Result<Bytes> inflate(const ws::Unit& message, Bytes payload);
  /// Whether `message`, which inflate() was called for last if it is compressed, goes on as it came.
  bool passes(const ws::Unit& message) const;
  /// Appends the frame in which `content`, which `message` says, goes on; false, and nothing appended, when it is `message` as
  /// it came after all.
  /// Trust: `mask` as in ws/compose.h.
  bool rewrite(const ws::Unit& message, Bytes content, std::optional<ws::Mask> mask, std::string& out);

  /// Bytes that zlib holds for this direction alone.
  std::size_t memory() const { return own_inflater_.memory() + own_deflater_.memory(); }

 private:
  bool compresses(const ws::Unit& message) const;

  std::optional<ws::DeflateTerms> from_;
  std::optional<ws::DeflateTerms> to_;
  ws::InflateLimits limits_;
  DeflateScratch& shared_;
  bool alike_;  // what stands alone for the sender does so for the receiver
  bool plain_blocks_ = true;
  ws::Inflater own_inflater_;
  ws::Deflater own_deflater_;
};

/// The Recoder for what the client, or the backend, sends; nothing when neither side compresses or what is compressed passes.
/// Lifetime: `shared` outlives it.
std::unique_ptr<Recoder> make_recoder(ws::Role sender, const Compression& agreed, const RouteSettings& route,
                                      DeflateScratch& shared);

}  // namespace sallyport::gateway
