#include "sallyport/ws/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <string>

namespace sallyport::ws {
namespace {

// What every message ends with before the sender takes it off (RFC 7692 §7.2.1).
constexpr std::array<Byte, 4> tail{0x00, 0x00, 0xff, 0xff};
// Inflated bytes that no ratio forbids: in a message of a few bytes a high one is common and harmless.
constexpr std::size_t always_granted = 4096;
constexpr std::size_t first_room = 16 * 1024;
// The fastest: a gateway compresses for the wire, not for the shelf.
constexpr int level = Z_BEST_SPEED;

constexpr std::size_t size_header = alignof(std::max_align_t);

// zlib's memory, with the size of each block before it so that `held` can be kept.
void* allocate(void* held, uInt items, uInt size) {
  const std::size_t bytes = std::size_t{items} * size + size_header;
  auto* block = static_cast<std::size_t*>(::operator new(bytes, std::nothrow));
  if (!block) return nullptr;
  *block = bytes;
  *static_cast<std::size_t*>(held) += bytes;
  return reinterpret_cast<Byte*>(block) + size_header;
}
void release(void* held, void* memory) {
  auto* block = reinterpret_cast<std::size_t*>(static_cast<Byte*>(memory) - size_header);
  *static_cast<std::size_t*>(held) -= *block;
  ::operator delete(block);
}

uInt counted(std::size_t size) {
  SALLYPORT_CHECK(size <= std::numeric_limits<uInt>::max());
  return static_cast<uInt>(size);
}

struct Memory {
  explicit Memory(z_stream& z) {
    z.zalloc = allocate;
    z.zfree = release;
    z.opaque = &held;
  }
  std::size_t held = 0;
};

void give(z_stream& z, Bytes input) {
  z.next_in = const_cast<Byte*>(input.data());
  z.avail_in = counted(input.size());
}

}  // namespace

struct Inflater::Stream {
  explicit Stream(int window_bits) : window(window_bits) { SALLYPORT_CHECK(inflateInit2(&z, -window_bits) == Z_OK); }
  ~Stream() { inflateEnd(&z); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  z_stream z{};
  Memory memory{z};
  int window;
};

Inflater::Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;
Inflater::~Inflater() = default;

std::size_t Inflater::memory() const { return stream_ ? sizeof(Stream) + stream_->memory.held : 0; }

Result<Inflated> Inflater::inflate(Bytes compressed, DeflateTerms terms, InflateLimits limits, std::vector<Byte>& out) {
  // Inside a message zlib looks back into `out`, so that a window is only what it keeps from one to the next.
  const int window = terms.context == DeflateTerms::Context::message ? 15 : terms.window_bits;
  if (!stream_) {
    stream_ = std::make_unique<Stream>(window);
  } else if (terms.context == DeflateTerms::Context::message) {
    SALLYPORT_CHECK(inflateReset(&stream_->z) == Z_OK);
  }
  SALLYPORT_CHECK(stream_->window == window);
  z_stream& z = stream_->z;

  const bool ratio_decides = compressed.size() < limits.size / std::max<std::size_t>(limits.ratio, 1);
  const std::size_t by_ratio = ratio_decides ? std::max(compressed.size() * limits.ratio, always_granted) : limits.size;
  const std::size_t most = std::min(limits.size, by_ratio);
  std::size_t produced = 0;
  bool ended = false;  // by a final block, with nothing behind it
  bool final_block = false;
  std::size_t produced_before = 0;
  for (const Bytes part : {compressed, Bytes(tail)}) {
    if (ended) break;
    produced_before = produced;
    give(z, part);
    do {
      // One byte beyond the limit tells a message that fills it from one that goes on.
      if (produced == out.size()) {
        const std::size_t more = std::min(most + 1, std::max(first_room, 2 * out.size()));
        out.reserve(more);
        out.resize(more);
      }
      const std::size_t room = std::min(most + 1, out.size()) - produced;
      z.next_out = out.data() + produced;
      z.avail_out = counted(room);
      const int result = ::inflate(&z, Z_SYNC_FLUSH);
      produced += room - z.avail_out;
      if (produced > most && most < limits.size) {
        return Error{Reason::message_bomb, "inflates to over " + std::to_string(limits.ratio) + " times its size"};
      }
      if (produced > most) {
        return Error{Reason::message_too_big, "inflates to over " + std::to_string(limits.size) + " bytes"};
      }
      if (result == Z_STREAM_END) {
        final_block = true;
        // What follows starts anew at the next byte, with the window as it is.
        SALLYPORT_CHECK(inflateResetKeep(&z) == Z_OK);
        ended = z.avail_in == 0;
        if (ended) break;
        continue;
      }
      if (result == Z_BUF_ERROR) break;
      if (result != Z_OK) return Error{Reason::message_not_deflate, "damaged compressed message"};
    } while (z.avail_in > 0 || z.avail_out == 0);
  }
  // Its low bits count what is left of the last byte, 128 says that a block has just ended.
  const bool at_block_end = (z.data_type & (128 | 0x3f)) == 128;
  const bool tail_was_content = !ended && produced > produced_before;
  if (!ended && (!at_block_end || tail_was_content))
    return Error{Reason::message_not_deflate, "compressed message ends inside a block"};
  return Inflated{Bytes(out).first(produced), !final_block};
}

struct Deflater::Stream {
  explicit Stream(int window_bits) : window(window_bits) {
    // As much for the hash and the pending block as for the window: 2^(bits + 3) bytes in all.
    const int memory_level = std::clamp(window_bits - 7, 1, 8);
    SALLYPORT_CHECK(deflateInit2(&z, level, Z_DEFLATED, -window_bits, memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Stream() { deflateEnd(&z); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  z_stream z{};
  Memory memory{z};
  int window;
};

Deflater::Deflater() = default;
Deflater::Deflater(Deflater&&) noexcept = default;
Deflater& Deflater::operator=(Deflater&&) noexcept = default;
Deflater::~Deflater() = default;

std::size_t Deflater::memory() const { return stream_ ? sizeof(Stream) + stream_->memory.held : 0; }

Bytes Deflater::deflate(Bytes message, DeflateTerms terms, std::vector<Byte>& out) {
  SALLYPORT_CHECK(!message.empty() && terms.window_bits >= 9 && terms.window_bits <= 15);
  if (!stream_) {
    stream_ = std::make_unique<Stream>(terms.window_bits);
  } else if (terms.context == DeflateTerms::Context::message) {
    SALLYPORT_CHECK(deflateReset(&stream_->z) == Z_OK);
  }
  SALLYPORT_CHECK(stream_->window == terms.window_bits);
  z_stream& z = stream_->z;
  give(z, message);
  std::size_t produced = 0;
  const std::size_t enough = deflateBound(&z, message.size()) + 16;
  if (out.size() < enough) out.resize(enough);
  for (;;) {
    z.next_out = out.data() + produced;
    z.avail_out = counted(out.size() - produced);
    const int result = ::deflate(&z, Z_SYNC_FLUSH);
    SALLYPORT_CHECK(result == Z_OK || result == Z_BUF_ERROR);
    produced = out.size() - z.avail_out;
    if (z.avail_out > 0) break;
    out.resize(2 * out.size());
  }
  SALLYPORT_CHECK(z.avail_in == 0 && produced > tail.size() &&
                  std::equal(tail.begin(), tail.end(), out.begin() + static_cast<std::ptrdiff_t>(produced - 4)));
  return Bytes(out).first(produced - tail.size());
}

}  // namespace sallyport::ws
