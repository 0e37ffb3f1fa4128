#include "sallyport/gateway/http1.h"

#include <algorithm>
#include <array>

#include "sallyport/http/date.h"
#include "sallyport/http/grammar.h"

namespace sallyport::gateway {
namespace {

// What a refused peer may still send before it is cut: its request may be longer than what was read of it.
constexpr std::size_t linger_bytes = 256 * 1024;
constexpr std::size_t read_size = 4096;

}  // namespace

net::Task<Result<http::Request>> Http1Exchange::receive() {
  const net::Deadline by = arrival_.deadline(arrival_.snapshot->settings.limits.header_timeout, Reason::http_timeout);
  http::Limits limits;
  limits.body_bytes = most_body;
  http::HeadProgress progress;
  for (;;) {
    CO_TRY_OK(co_await read_more(read_size, by));
    CO_TRY(auto parsed, http::parse_request_head(bytes_of(received_), progress, scheme_, limits));
    if (!parsed) continue;
    received_.erase(0, parsed->consumed);
    // From here until the relay nothing is read: a client that talks on before the 101 waits in the kernel.
    stream().pause_reading();
    co_return std::move(parsed->request);
  }
}

net::Task<Result<std::string>> Http1Exchange::receive_body(const http::Request& request) {
  const net::Deadline by = arrival_.deadline(arrival_.snapshot->settings.limits.header_timeout, Reason::http_timeout);
  const std::size_t length = request.content_length().value_or(0);
  const std::optional<std::string_view> expectation = request.headers().find("expect");
  if (received_.size() < length && expectation && http::equal_ignoring_case(*expectation, "100-continue"))
    CO_TRY_OK(co_await waiter().write_all(stream(), bytes_of(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), by));
  stream().resume_reading();
  while (received_.size() < length) CO_TRY_OK(co_await read_more(std::min(read_size, length - received_.size()), by));
  stream().pause_reading();
  std::string body = received_.substr(0, length);
  received_.erase(0, length);
  co_return body;
}

net::Task<Result<void>> Http1Exchange::read_more(std::size_t most, net::Deadline by) {
  const std::size_t before = received_.size();
  received_.resize(before + most);
  const auto room = MutableBytes(reinterpret_cast<Byte*>(received_.data()), received_.size()).subspan(before);
  const Result<std::size_t> count = co_await waiter().read_some(stream(), room, by);
  received_.resize(before + (count.ok() ? *count : 0));
  if (!count.ok()) co_return count.error();
  co_return Result<void>();
}

net::Task<Result<void>> Http1Exchange::accept(const http::Upgrade& upgrade, const Agreed& agreed, net::Waiter& waiter) {
  const std::string answer = http::make_switching(http::accept_key(upgrade.key()), agreed.subprotocol, agreed.deflate);
  co_return co_await waiter.write_all(stream(), bytes_of(answer), arrival_.answer_deadline());
}

net::Task<void> Http1Exchange::answer(const http::Response& response, net::Waiter& waiter) {
  http::Response dated = response;
  dated.fields.add("Date", http::http_date(waiter.wake().loop().wall()));
  const std::string text = http::response_text(dated);
  const Result<void> written = co_await waiter.write_all(stream(), bytes_of(text), arrival_.answer_deadline());
  if (written.ok()) co_await linger(waiter);
}

// Reads on for a moment after the last word: closing a socket with unread bytes would reset it and lose that word.
net::Task<void> Http1Exchange::linger(net::Waiter& waiter) {
  stream().finish();
  stream().resume_reading();
  const net::Deadline by = arrival_.answer_deadline();
  std::array<Byte, 4096> ignored;
  for (std::size_t read = 0; read < linger_bytes;) {
    const Result<std::size_t> count = co_await waiter.read_some(stream(), ignored, by);
    if (!count.ok()) break;
    read += *count;
  }
}

Bytes Http1Exchange::early() {
  received_.shrink_to_fit();  // kept for hours, and nearly always empty
  return bytes_of(received_);
}

}  // namespace sallyport::gateway
