#include "sallyport/net/stream.h"

namespace sallyport::net {

void Waiter::interrupt(Error error) {
  if (!interruption_) interruption_ = std::move(error);
  wake_.raise(interrupted);
}

Task<Result<std::uint32_t>> Waiter::wait_for(std::uint32_t bits, Deadline deadline) {
  // A peer that keeps the stream readable, with bytes of TLS itself for instance, must not outrun its deadline.
  if (!interruption_ && deadline.at <= wake_.loop().now()) co_return Error{deadline.late, "deadline passed"};
  timer_.set(deadline.at);
  std::uint32_t raised = 0;
  while ((raised & bits) == 0 && (raised & late) == 0 && !interruption_) raised |= co_await wake_.next();
  timer_.clear();
  if (interruption_) co_return *interruption_;
  if ((raised & bits) == 0) co_return Error{deadline.late, "deadline passed"};
  co_return raised& bits;
}

Task<Result<std::size_t>> Waiter::read_some(Stream& stream, MutableBytes into, Deadline deadline) {
  for (;;) {
    const IoResult result = stream.read(into);
    if (result.status == IoStatus::ok) co_return result.bytes;
    if (result.status == IoStatus::end) co_return Error{Reason::peer_gone, "stream ended"};
    if (result.status == IoStatus::failed) co_return Error{Reason::peer_gone, "stream failed"};
    CO_TRY_OK(co_await wait_for(readable, deadline));
  }
}

Task<Result<void>> Waiter::write_all(Stream& stream, Bytes bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const IoResult result = stream.write(bytes);
    if (result.status == IoStatus::ok) {
      bytes = bytes.subspan(result.bytes);
    } else if (result.status == IoStatus::would_block) {
      CO_TRY_OK(co_await wait_for(writable, deadline));
    } else {
      co_return Error{Reason::peer_gone, "stream failed while writing"};
    }
  }
  co_return Result<void>();
}

}  // namespace sallyport::net
