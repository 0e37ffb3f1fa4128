#include "sallyport/gateway/recoder.h"

#include "sallyport/ws/compose.h"
#include "sallyport/ws/utf8.h"

namespace sallyport::gateway {
namespace {

using Context = ws::DeflateTerms::Context;

// Below this a message that stands alone gains nothing worth its time.
constexpr std::size_t worth_compressing = 1024;
// No message points further back than this in DEFLATE, so whoever keeps it reads everything.
constexpr std::uint8_t widest_window = 15;

ws::Opcode opcode_of(const ws::Unit& message) {
  return message.kind == ws::Unit::Kind::text ? ws::Opcode::text : ws::Opcode::binary;
}

ws::DeflateTerms terms_of(const http::DeflateParameters& agreed, ws::Role sender) {
  const bool client = sender == ws::Role::client;
  const bool alone = client ? agreed.client_no_context_takeover : agreed.server_no_context_takeover;
  const auto& bits = client ? agreed.client_max_window_bits : agreed.server_max_window_bits;
  return {alone ? Context::message : Context::connection, bits.value_or(widest_window)};
}

http::DeflatePolicy policy_of(const CompressionSettings& settings) {
  using Takeover = http::DeflatePolicy::Takeover;
  return {settings.context_takeover ? Takeover::allowed : Takeover::refused, settings.window_bits};
}

}  // namespace

Result<std::vector<http::DeflateParameters>> client_offers(const CompressionSettings& settings,
                                                           const http::Upgrade& upgrade) {
  if (!settings.client && !settings.dangerous_pass_through) return std::vector<http::DeflateParameters>();
  return http::parse_deflate_offers(upgrade.headers());
}

std::vector<http::DeflateParameters> backend_offers(const CompressionSettings& settings,
                                                    std::vector<http::DeflateParameters> of_client) {
  if (settings.dangerous_pass_through) return of_client;
  if (!settings.backend) return {};
  return {http::offer_deflate(policy_of(settings))};
}

Compression agree(const CompressionSettings& settings, std::span<const http::DeflateParameters> of_client,
                  const std::optional<http::DeflateParameters>& backend_answer) {
  if (settings.dangerous_pass_through) return {backend_answer, backend_answer, Compression::Handling::pass};
  return {settings.client ? http::answer_deflate(of_client, policy_of(settings)) : std::nullopt, backend_answer,
          Compression::Handling::inflate};
}

Recoder::Recoder(std::optional<ws::DeflateTerms> from, std::optional<ws::DeflateTerms> to, ws::InflateLimits limits,
                 DeflateScratch& shared)
    : from_(from),
      to_(to),
      limits_(limits),
      shared_(shared),
      alike_(from && to && from->context == Context::message && to->window_bits == widest_window) {
  // What goes on as it came is not in the window of a deflater of ours, so that must not point into any.
  if (alike_) to_->context = Context::message;
  // zlib compresses with no smaller window. Messages may always go uncompressed.
  if (to_ && to_->window_bits < 9) to_.reset();
}

bool Recoder::compresses(const ws::Unit& message) const {
  if (!to_) return false;
  // A sender that could have compressed it and did not had its reason: it may hold a secret.
  return from_ ? message.first.compressed : message.payload_size >= worth_compressing;
}

bool Recoder::must_read(const ws::Unit& message) const { return message.first.compressed || compresses(message); }

Result<Bytes> Recoder::inflate(const ws::Unit& message, Bytes payload) {
  SALLYPORT_CHECK(from_ && message.first.compressed);
  ws::Inflater& inflater = from_->context == Context::message ? shared_.inflater : own_inflater_;
  TRY(const ws::Inflated inflated, inflater.inflate(payload, *from_, limits_, shared_.content));
  plain_blocks_ = inflated.plain_blocks;
  if (message.kind == ws::Unit::Kind::text) {
    ws::Utf8Validator utf8;
    if (!utf8.add(inflated.payload) || !utf8.complete()) return Error{Reason::message_not_utf8, "text is not UTF-8"};
  }
  return inflated.payload;
}

bool Recoder::passes(const ws::Unit& message) const {
  return message.first.compressed ? alike_ && plain_blocks_ : !compresses(message);
}

bool Recoder::rewrite(const ws::Unit& message, Bytes content, std::optional<ws::Mask> mask, std::string& out) {
  if (compresses(message) && !content.empty()) {
    const bool alone = to_->context == Context::message;
    ws::Deflater& deflater = alone ? shared_.deflaters[to_->window_bits - 9u] : own_deflater_;
    const Bytes packed = deflater.deflate(content, *to_, shared_.packed);
    // What the window of the receiver must see has to be sent; anything else only if it is shorter.
    if (!alone || packed.size() < content.size()) {
      ws::append_compressed(out, opcode_of(message), packed, mask);
      return true;
    }
    if (!message.first.compressed) return false;
  }
  ws::append_frame(out, opcode_of(message), content, mask);
  return true;
}

std::unique_ptr<Recoder> make_recoder(ws::Role sender, const Compression& agreed, const RouteSettings& route,
                                      DeflateScratch& shared) {
  if ((!agreed.client && !agreed.backend) || agreed.handling == Compression::Handling::pass) return nullptr;
  const auto& own = sender == ws::Role::client ? agreed.client : agreed.backend;
  const auto& others = sender == ws::Role::client ? agreed.backend : agreed.client;
  // Of what is agreed with its receiver, the gateway is the one who sends.
  const ws::Role gateway = sender;
  const config::ByteSize size =
      sender == ws::Role::client ? route.limits.message_size : route.limits.backend_message_size;
  const auto terms = [](const auto& parameters, ws::Role role) {
    return parameters ? std::optional(terms_of(*parameters, role)) : std::nullopt;
  };
  return std::make_unique<Recoder>(terms(own, sender), terms(others, gateway),
                                   ws::InflateLimits{size.bytes, route.compression.max_ratio}, shared);
}

}  // namespace sallyport::gateway
