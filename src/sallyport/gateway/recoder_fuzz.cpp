// Two sides that agreed to whatever the input says: does each read exactly what the other said, and never more than the limits, when
// honest messages, blind bytes that call themselves compressed, and fragments come in any mix?
#include "sallyport/base/fuzzing.h"
#include "sallyport/gateway/testing.h"

namespace {

using namespace sallyport;
using namespace sallyport::gateway;
using namespace sallyport::gateway::testing;
using fuzzing::must;
using Context = ws::DeflateTerms::Context;

constexpr std::size_t most = 4000;

class Choices {
 public:
  explicit Choices(Bytes bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  Byte byte() {
    if (bytes_.empty()) return 0;
    const Byte first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  std::string piece(std::size_t size) {
    const Bytes taken = bytes_.first(std::min(size, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return std::string(text_of(taken));
  }

 private:
  Bytes bytes_;
};

std::optional<http::DeflateParameters> parameters(Byte choice) {
  if ((choice & 1) == 0) return std::nullopt;
  http::DeflateParameters agreed;
  agreed.server_no_context_takeover = (choice & 2) != 0;
  agreed.client_no_context_takeover = (choice & 4) != 0;
  if (choice & 8) agreed.server_max_window_bits = static_cast<std::uint8_t>(9 + (choice >> 5) % 7);
  if (choice & 16) agreed.client_max_window_bits = static_cast<std::uint8_t>(8 + (choice >> 5) % 8);
  return agreed;
}

ws::DeflateTerms terms(const http::DeflateParameters& agreed, ws::Role sender) {
  const bool client = sender == ws::Role::client;
  return {(client ? agreed.client_no_context_takeover : agreed.server_no_context_takeover) ? Context::message
                                                                                           : Context::connection,
          (client ? agreed.client_max_window_bits : agreed.server_max_window_bits).value_or(15)};
}

// One of the two peers.
class Peer {
 public:
  Peer(ws::Role role, const std::optional<http::DeflateParameters>& agreed)
      : role_(role),
        agreed_(agreed),
        assembler_(role == ws::Role::client ? ws::Role::server : ws::Role::client, {.message_size = 2 * most},
                   agreed ? ws::Extension::deflate : ws::Extension::none) {}

  // The frames of a message that says `content`.
  std::string say(std::string content, Choices& choices) {
    const Byte how = choices.byte();
    const bool may_pack = agreed_ && !content.empty() && terms(*agreed_, role_).window_bits >= 9;
    const bool pack = may_pack && (how & 1) != 0;
    if (pack) content = text_of(deflater_.deflate(bytes_of(content), terms(*agreed_, role_), packed_));
    return frames(content, pack, how);
  }
  std::string frames(std::string_view payload, bool compressed, Byte how) {
    const std::size_t cut = (how & 2) != 0 ? payload.size() * (how >> 2) / 64 : payload.size();
    std::string out = frame(role_, ws::Opcode::binary, payload.substr(0, cut), cut == payload.size());
    if (compressed) out[0] = static_cast<char>(out[0] | 0x40);
    if (cut < payload.size()) out += frame(role_, ws::Opcode::continuation, payload.substr(cut));
    return out;
  }

  void hear(const std::string& bytes) {
    assembler_.feed(bytes_of(bytes));
    for (;;) {
      const auto unit = assembler_.next();
      must(unit.ok());
      if (unit->kind == ws::Unit::Kind::need_more) return;
      if (!unit->is_message()) continue;
      plain_.resize(std::max(plain_.size(), unit->payload_size));
      Bytes content = unit->unmask_into(plain_);
      if (unit->first.compressed) {
        const ws::Role sender = role_ == ws::Role::client ? ws::Role::server : ws::Role::client;
        const auto read = inflater_.inflate(content, terms(*agreed_, sender), {.size = most, .ratio = 2000}, inflated_);
        must(read.ok() && read->plain_blocks);
        content = read->payload;
      }
      must(content.size() <= most);
      heard.emplace_back(text_of(content));
    }
  }

  std::vector<std::string> heard;

 private:
  ws::Role role_;
  std::optional<http::DeflateParameters> agreed_;
  ws::Assembler assembler_;
  ws::Deflater deflater_;
  ws::Inflater inflater_;
  std::vector<Byte> packed_;
  std::vector<Byte> plain_;
  std::vector<Byte> inflated_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(Bytes(data, size));
  RouteSettings settings = route_settings();
  settings.limits.message_size = settings.limits.backend_message_size = {most};
  settings.compression.max_ratio = 1032;
  RelayScene scene(settings);
  const auto of_client = parameters(choices.byte());
  const auto of_backend = parameters(choices.byte());
  scene.compression = {of_client, of_backend, Compression::Handling::inflate};
  if (const Byte split = choices.byte(); split & 1) {
    scene.client.split_reads(1u + split);
    scene.backend.split_reads(1u + split);
  }
  scene.start();
  Peer client(ws::Role::client, of_client);
  Peer backend(ws::Role::server, of_backend);
  std::vector<std::string> to_client;
  std::vector<std::string> to_backend;
  for (int step = 0; step < 60 && !choices.empty() && !scene.ending; ++step) {
    const Byte what = choices.byte();
    const bool from_client = (what & 1) != 0;
    Peer& speaker = from_client ? client : backend;
    if (what % 16 < 14) {
      std::string content = choices.piece(choices.byte());
      if ((what & 32) != 0) {
        while (!content.empty() && content.size() < 1500) content += content;
      }
      (from_client ? to_backend : to_client).push_back(content);
      (from_client ? scene.client : scene.backend).yield(speaker.say(content, choices));
    } else {
      const std::string blind = choices.piece(choices.byte());
      (from_client ? scene.client : scene.backend).yield(speaker.frames(blind, true, choices.byte()));
      // It may say anything, or end the connection; nothing can be told any more of what is heard, but that it can be read.
      scene.turn();
      client.hear(scene.client.take_written());
      backend.hear(scene.backend.take_written());
      return 0;
    }
    if ((what & 64) != 0) continue;
    scene.turn();
    client.hear(scene.client.take_written());
    backend.hear(scene.backend.take_written());
    must(client.heard == to_client && backend.heard == to_backend);
  }
  return 0;
}
