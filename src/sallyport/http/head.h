#pragma once

#include <cstddef>
#include <cstdint>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"
#include "sallyport/http/headers.h"

namespace sallyport::http {

/// What a peer may make us read before it is known. All inclusive.
/// Units: bytes, but for `header_count`, in field lines. `body_bytes` bounds a Content-Length; 0 where no body is
///        expected.
struct Limits {
  std::size_t head_bytes = 16 * 1024;
  std::size_t header_count = 100;
  std::size_t target_bytes = 8 * 1024;
  std::uint64_t body_bytes = 0;
};

enum class HeadKind : std::uint8_t { request, response };

/// How far one head has been read. Made empty for each head and given again with each longer view of the same bytes, so
/// that every byte is looked at once however the peer splits them.
class HeadProgress {
 public:
  bool start_line_done() const { return start_line_end_ != 0; }
  bool done() const { return stage_ == Stage::done; }
  /// Bytes of the head, the empty line included. Only when done().
  std::size_t size() const { return at_; }

 private:
  enum class Stage : std::uint8_t {
    start,
    method,
    target,
    version,
    status_line,
    start_line_lf,
    field_start,
    name,
    value,
    value_lf,
    end_lf,
    done
  };
  friend Result<void> scan_start_line(Bytes, HeadProgress&, HeadKind, const Limits&);
  friend Result<void> scan_fields(Bytes, HeadProgress&, const Limits&);
  friend std::string_view start_line(Bytes, const HeadProgress&);
  friend Headers make_headers(Bytes, const HeadProgress&);
  std::size_t at_ = 0;
  std::size_t part_start_ = 0;
  std::size_t start_line_end_ = 0;
  std::size_t fields_ = 0;
  Stage stage_ = Stage::start;
};

/// Advances over the start line as far as `received` goes; progress.start_line_done() tells whether it is complete.
/// Errors: `http.malformed` at the first byte that no start line has there; `http.headers_too_large`.
Result<void> scan_start_line(Bytes received, HeadProgress& progress, HeadKind kind, const Limits& limits);
/// Advances over the field lines, once the start line is done; progress.done() tells whether the empty line was seen.
/// Errors: `http.malformed` at the first byte that no field line has there; `http.headers_too_large`.
/// Spec:   RFC 9112 §5; stricter: lines end in CRLF only, no obs-fold, no control byte but HTAB in a value.
Result<void> scan_fields(Bytes received, HeadProgress& progress, const Limits& limits);
/// The start line without its CRLF, once it is done.
std::string_view start_line(Bytes received, const HeadProgress& progress);
/// The field lines, once the head is done.
Headers make_headers(Bytes received, const HeadProgress& progress);

}  // namespace sallyport::http
