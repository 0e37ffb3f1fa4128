#include "sallyport/gateway/first_words.h"

#include "sallyport/ws/close.h"
#include "sallyport/ws/compose.h"

namespace sallyport::gateway {
namespace {

constexpr int most_control_frames = 8;
constexpr std::size_t read_size = 4096;

}  // namespace

FirstWords::FirstWords(Exchange& exchange, std::size_t most)
    : exchange_(exchange),
      assembler_(ws::Role::client, {.message_size = most, .frames = 64}),
      received_(text_of(exchange.early())) {
  assembler_.feed(bytes_of(received_));
  exchange_.stream().resume_reading();
}

FirstWords::~FirstWords() { exchange_.stream().pause_reading(); }

net::Task<Result<FirstWords::Message>> FirstWords::next(net::Deadline deadline, std::uint32_t wake_bits) {
  net::Waiter& waiter = exchange_.waiter();
  net::Stream& stream = exchange_.stream();
  for (;;) {
    CO_TRY(auto message, look());
    if (!answer_.empty()) {
      const std::string answer = std::exchange(answer_, {});
      CO_TRY_OK(co_await waiter.write_all(stream, bytes_of(answer), deadline));
    }
    if (message) co_return std::move(*message);
    if (assembler_.closed()) co_return Error{Reason::peer_closed, "closed before it was authenticated"};

    std::array<Byte, read_size> bytes;
    const net::IoResult read = stream.read(bytes);
    if (read.status == net::IoStatus::ok) {
      const Bytes fresh = Bytes(bytes).first(read.bytes);
      received_.append(text_of(fresh));
      assembler_.feed(fresh);  // from the buffer here: what is fed may not move until it is taken in
    } else if (read.status == net::IoStatus::would_block) {
      CO_TRY(const std::uint32_t raised, co_await waiter.wait_for(net::Waiter::readable | wake_bits, deadline));
      if (raised & wake_bits) co_return Message{};
    } else {
      co_return Error{Reason::peer_gone, "ended before it was authenticated"};
    }
  }
}

// The first message in what was read; all of that is taken in when there is none.
Result<std::optional<FirstWords::Message>> FirstWords::look() {
  for (;;) {
    TRY(const ws::Unit unit, assembler_.next());
    if (unit.kind == ws::Unit::Kind::need_more) {
      received_.erase(0, std::exchange(taken_, 0));
      return std::optional<Message>();
    }
    taken_ += unit.wire.size();
    if (unit.is_control() && ++control_frames_ > most_control_frames)
      return Error{Reason::limit_message_rate, "control frames instead of a credential"};
    std::vector<Byte> plain(unit.payload_size);
    const Bytes content = unit.unmask_into(plain);
    switch (unit.kind) {
      case ws::Unit::Kind::ping:
        ws::append_pong(answer_, content);
        break;
      case ws::Unit::Kind::close: {
        const auto info = ws::parse_close_payload(content);
        const auto code = info.ok() && info->code ? *info->code : ws::close_code::no_status;
        ws::append_close(answer_, code, "");
        break;
      }
      case ws::Unit::Kind::pong:
        break;
      default:
        return std::optional<Message>(Message{unit.kind, std::string(text_of(content))});
    }
  }
}

}  // namespace sallyport::gateway
