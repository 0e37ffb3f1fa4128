// Can anything that the two sides of a relay send, however it is split and mixed, make it crash, hang, or pass on what is no whole,
// sound frame?
#include <cstdlib>

#include "sallyport/gateway/testing.h"
#include "sallyport/ws/control.h"

namespace {

using namespace sallyport;
using namespace sallyport::gateway;
using namespace sallyport::gateway::testing;

void must(bool condition) {
  if (!condition) std::abort();
}

// What the input decides, taken from its front.
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
  std::string_view piece(std::size_t most) {
    const std::size_t size = std::min<std::size_t>(bytes_.size(), most);
    const std::string_view taken = text_of(bytes_.first(size));
    bytes_ = bytes_.subspan(size);
    return taken;
  }

 private:
  Bytes bytes_;
};

// Reads all that was written to one side, as that side would: whole frames, sound messages, nothing behind a close.
class Witness {
 public:
  explicit Witness(ws::Role from, std::size_t message_size) : assembler_(from, {.message_size = message_size}) {}
  void see(const std::string& bytes) {
    must(bytes.empty() || !assembler_.closed());
    assembler_.feed(bytes_of(bytes));
    for (;;) {
      const auto unit = assembler_.next();
      must(unit.ok());
      if (unit->kind == ws::Unit::Kind::need_more) return;
      must(unit->kind != ws::Unit::Kind::close || !assembler_.has_rest());
      if (unit->is_message()) ++messages;
      if (unit->kind != ws::Unit::Kind::text) continue;
      std::vector<Byte> scratch(unit->payload_size);
      if (ws::is_control_text(unit->unmask_into(scratch))) ++control_texts;
    }
  }

  std::size_t messages = 0;
  std::size_t control_texts = 0;

 private:
  ws::Assembler assembler_;
};

RouteSettings settings() {
  RouteSettings made = route_settings();
  made.limits.message_size = {2000};
  made.limits.backend_message_size = {2000};
  made.limits.messages = {8, std::chrono::seconds(1)};
  made.ping = {std::chrono::seconds(5), std::chrono::seconds(5)};
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(Bytes(data, size));
  const Byte flags = choices.byte();
  const bool control = (flags & 1) != 0;
  RelayScene scene(settings(), control ? RelayScene::Channel::on : RelayScene::Channel::off, std::chrono::seconds(40));
  if (flags & 2) scene.client.split_reads(1 + choices.byte());
  if (flags & 4) scene.backend.split_reads(1 + choices.byte());
  if (flags & 8) scene.client.split_writes(1 + choices.byte());
  if (flags & 16) scene.backend.split_writes(1 + choices.byte());
  if (flags & 32) scene.client.limit_room(choices.byte());
  if (flags & 64) scene.backend.limit_room(choices.byte());
  std::string early_client;
  std::string early_backend;
  if (flags & 128) {
    early_client = choices.piece(choices.byte());
    early_backend = choices.piece(choices.byte());
  }
  scene.start(scene.client, scene.backend, early_client, early_backend);

  Witness at_client(ws::Role::server, 2000);
  Witness at_backend(ws::Role::client, 2000);
  const auto look = [&] {
    at_client.see(scene.client.take_written());
    at_backend.see(scene.backend.take_written());
    if (control) must(at_backend.control_texts == 0);
  };
  std::string client_says;  // in one read, unless the splits say otherwise
  std::string backend_says;
  for (int step = 0; step < 400 && !choices.empty() && !scene.ending; ++step) {
    const Byte what = choices.byte();
    switch (what % 16) {
      case 0:
      case 1:
      case 2:
        client_says += choices.piece(choices.byte());
        break;
      case 3:
      case 4:
      case 5:
        backend_says += choices.piece(choices.byte());
        break;
      case 6: {  // a sound frame, which blind bytes with a mask seldom are
        const Byte opcode = choices.byte();
        const ws::Role from = (opcode & 64) != 0 ? ws::Role::client : ws::Role::server;
        static constexpr ws::Opcode opcodes[] = {ws::Opcode::continuation, ws::Opcode::text, ws::Opcode::binary,
                                                 ws::Opcode::close,        ws::Opcode::ping, ws::Opcode::pong};
        const ws::Opcode kind = opcodes[opcode % 6];
        const bool fin = ws::is_control(kind) || (opcode & 128) == 0;
        const std::string_view payload = choices.piece(choices.byte() % 126);
        (from == ws::Role::client ? client_says : backend_says) += frame(from, kind, payload, fin);
        break;
      }
      case 7:
        switch (choices.byte() % 4) {
          case 0:
            client_says += client_control("refresh", "good.alice.40");
            break;
          case 1:
            client_says += client_control("refresh", "wait");
            break;
          case 2:
            client_says += client_control("refresh", "bad");
            break;
          default:
            client_says += client_text(R"({"$sallyport":0})");
            break;
        }
        break;
      case 8:
        scene.authenticator->answer = choices.byte() % 2 == 0 ? "good.alice.30" : "down";
        if (scene.authenticator->waiting) scene.authenticator->waiting->raise(1);
        break;
      case 9:
        backend_says += backend_text(R"({"$sallyport":{"op":"ready"}})");
        break;
      case 10:
        if (flags & 32) scene.client.make_room(choices.byte());
        break;
      case 11:
        if (flags & 64) scene.backend.make_room(choices.byte());
        break;
      case 12:
        scene.clock.advance(std::chrono::milliseconds(100 * choices.byte()));
        break;
      case 13:
        switch (choices.byte() % 8) {
          case 0:
            scene.client.end();
            break;
          case 1:
            scene.client.fail();
            break;
          case 2:
            scene.backend.end();
            break;
          case 3:
            scene.backend.fail();
            break;
          case 4:
            scene.session->close(Error{Reason::credential_revoked, ""});
            break;
          case 5:
            scene.client.fail_at(scene.client.operations() + 1);
            break;
          case 6:
            scene.backend.fail_at(scene.backend.operations() + 1);
            break;
          default:
            break;
        }
        break;
      default:
        break;
    }
    if (what & 128) continue;  // several things in one turn
    scene.client.yield(std::exchange(client_says, {}));
    scene.backend.yield(std::exchange(backend_says, {}));
    scene.turn();
    look();
  }
  // Nobody says anything more: the time that every stage may take, and it is over.
  for (int i = 0; i < 30 && !scene.ending; ++i) {
    scene.pass(std::chrono::seconds(5));
    look();
  }
  must(scene.ending.has_value());
  look();
  must(scene.client.finished() && scene.backend.finished());
  must(scene.metrics.from_client.messages.value() == scene.relay->from_client().messages);
  must(at_backend.messages <= scene.relay->from_client().messages);
  // Its own words are counted by nobody; a backend's that look like them are not passed on.
  must(at_client.messages - (control ? at_client.control_texts : 0) <= scene.relay->from_backend().messages);
  return 0;
}
