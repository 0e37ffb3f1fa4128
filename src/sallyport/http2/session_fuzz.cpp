// Can anything that a client sends, however it is split, make a session crash, hang, keep more for it than its windows, or hand over a
// request twice?
#include <set>
#include <vector>

#include "sallyport/base/fuzzing.h"
#include "sallyport/http2/session.h"
#include "sallyport/net/scripted_stream.h"
#include "sallyport/net/turning.h"

namespace {

using namespace sallyport;
using fuzzing::must;

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::uint32_t most_streams = 8;

// Accepts every second request, echoes what comes on it, and drops the rest.
class Echo final : public http2::Owner {
 public:
  void on_request(std::unique_ptr<http2::Stream> stream) override {
    must(seen_.insert(stream->id()).second);
    auto fields = stream->take_fields();
    const bool good = fields.ok() && http::parse_request_fields(*fields).ok();
    if (good) stream->respond(200, {{"sec-websocket-protocol", "chat"}});
    if (seen_.size() % 4 == 0) stream->keep();
    if (good || seen_.size() % 2 == 0) streams.push_back(std::move(stream));
    must(streams.size() <= most_streams);
  }
  Result<void> on_reset() override { return budget(); }
  Result<void> on_empty_frame() override { return budget(); }
  Result<void> on_last_gone() override { return budget(); }

  void echo() {
    std::array<Byte, 700> some;
    for (auto& stream : streams) {
      for (;;) {
        const net::IoResult result = stream->read(some);
        if (result.status == net::IoStatus::end) stream->finish();
        if (result.status != net::IoStatus::ok) break;
        static_cast<void>(stream->write(Bytes(some).first(result.bytes)));
      }
    }
  }

  std::vector<std::unique_ptr<http2::Stream>> streams;

 private:
  Result<void> budget() {
    if (++spent_ > 200) return Error{Reason::limit_http2_frames, ""};
    return {};
  }
  std::set<std::uint32_t> seen_;
  int spent_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::uint8_t how = data[0];
  const std::size_t split = 1 + data[1];
  std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);

  FakeClock clock;
  net::Loop loop(clock);
  std::vector<Byte> buffer(16384);
  net::ScriptedStream wire;
  Echo owner;
  std::optional<Error> over;
  {
    http2::Session session(loop, wire, buffer, {.streams = most_streams, .idle = std::chrono::seconds(1)}, owner);
    loop.spawn(net::testing::keep(session.run(), over));
    if ((how & 1) != 0) wire.yield(std::string(preface) + std::string("\0\0\0\4\0\0\0\0\0", 9));
    if ((how & 2) != 0) wire.limit_room(500);
    while (!text.empty() && !over) {
      wire.yield(text.substr(0, split));
      text.remove_prefix(std::min(split, text.size()));
      loop.turn(Duration::zero());
      owner.echo();
      if ((how & 4) != 0 && owner.streams.size() > 4) owner.streams.erase(owner.streams.begin());
      if ((how & 2) != 0) wire.make_room(100);
    }
    if ((how & 8) != 0) session.drain();
    wire.make_room(1 << 24);
    wire.end();
    owner.streams.clear();
    for (int turns = 0; turns < 1000 && !over; ++turns) {
      clock.advance(std::chrono::seconds(1));
      loop.turn(Duration::zero());
    }
    must(over.has_value());
    loop.cancel_tasks();
  }
  return 0;
}
