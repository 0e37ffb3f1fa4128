#include "sallyport/http2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <vector>

#include "sallyport/http/grammar.h"

namespace sallyport::http2 {
namespace {

constexpr std::uint32_t wire_readable = net::Waiter::readable;
constexpr std::uint32_t wire_writable = net::Waiter::writable;
constexpr std::uint32_t timer_due = net::Waiter::late;
constexpr std::uint32_t stream_gone = net::Waiter::first_free;

// One read's worth of frames is answered before the next: of the smallest frames, fewer than nghttp2 keeps answers for.
constexpr std::size_t read_bytes = 16 * 1024;
constexpr int reads_per_turn = 4;
// What waits for the socket, beyond which nothing is taken from a stream.
constexpr std::size_t most_unsent = 64 * 1024;
// For all streams together. Each has 64 KiB of its own, which is what is kept for it; this one is given back at once, so that no stream
// that is not read can take it from the others.
constexpr std::int32_t connection_window = 1024 * 1024;
// A header block of the limits' size needs none; large frames and small ones come in a few.
constexpr std::size_t most_continuations = 8;
// How many times the limit a header list may be to be refused by a status.
constexpr std::size_t worth_an_answer = 4;
constexpr std::uint32_t most_updates_owed = 1000;
constexpr auto parting_timeout = std::chrono::seconds(2);
constexpr std::size_t parting_bytes = 256 * 1024;

std::string_view view(const std::uint8_t* text, std::size_t size) {
  return {reinterpret_cast<const char*>(text), size};
}

std::uint32_t goaway_code(Reason reason) {
  switch (reason) {
    case Reason::limit_http2_resets:
    case Reason::limit_http2_frames:
      return NGHTTP2_ENHANCE_YOUR_CALM;
    case Reason::http2_malformed:
      return NGHTTP2_PROTOCOL_ERROR;
    case Reason::internal_bug:
      return NGHTTP2_INTERNAL_ERROR;
    default:
      return NGHTTP2_NO_ERROR;
  }
}

void append_number(std::string& out, std::uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

// Written here because nghttp2 writes nothing more after an error of its own.
void append_goaway(std::string& out, std::int32_t last_stream, std::uint32_t code, std::string_view debug) {
  append_number(out, static_cast<std::uint32_t>(8 + debug.size()), 3);
  out.push_back(NGHTTP2_GOAWAY);
  out.push_back(0);
  append_number(out, 0, 4);
  append_number(out, static_cast<std::uint32_t>(last_stream), 4);
  append_number(out, code, 4);
  out.append(debug);
}

}  // namespace

namespace detail {

// What the session and its streams share, for as long as any of them lives.
struct Core : std::enable_shared_from_this<Core> {
  Core(net::Stream& the_wire, net::Wake& the_wake, Owner& the_owner, const Limits& the_limits)
      : wire(&the_wire), wake(&the_wake), owner(&the_owner), limits(the_limits) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() { nghttp2_session_del(ng); }

  void start();
  /// Nobody is there any more.
  void leave();
  void feed(Bytes bytes);
  /// Turns what nghttp2 has to say into bytes and sends them.
  void pump();
  void flush();
  void on_wire_writable();
  std::size_t unsent() const { return out.size() - out_taken; }
  void end(Error error) {
    if (over) return;
    over = std::move(error);
    if (wake) wake->raise(stream_gone);
  }
  void reset_late();
  void end_if(Result<void> verdict) {
    if (!verdict.ok()) end(std::move(verdict).error());
  }
  void say_goodbye();
  void fail_all();

  // A head that is not complete keeps no connection alive.
  bool idle() const { return streams.size() == (incoming ? 1U : 0U); }
  Stream* find(std::int32_t id) const {
    const auto found = streams.find(id);
    return found == streams.end() ? nullptr : found->second;
  }
  void reset(std::int32_t id, std::uint32_t code) { nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, id, code); }
  // The stream has done what none may.
  void condemn(std::int32_t id) {
    reset(id, NGHTTP2_PROTOCOL_ERROR);
    if (Stream* stream = find(id)) stream->fail();
    end_if(owner->on_reset());
  }

  void remember_end(std::int32_t id) { peer_ended[peer_ended_count++ % peer_ended.size()] = id; }
  Result<void> check_state(const nghttp2_frame_hd& head) const;

  int on_begin_frame(const nghttp2_frame_hd& head);
  int on_begin_headers(const nghttp2_frame& frame);
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_invalid_header(const nghttp2_frame& frame);
  int on_frame(const nghttp2_frame& frame);
  int on_invalid_frame(const nghttp2_frame& frame);
  bool keeps_body(Stream& stream, std::size_t more);
  int on_data(std::int32_t id, Bytes bytes);
  int on_stream_close(std::int32_t id, std::uint32_t code);
  ssize_t give_data(std::int32_t id, std::uint8_t* into, std::size_t size, std::uint32_t* flags);

  // What Stream does with nghttp2.
  void respond(Stream& stream, int status, const http::Headers& fields);
  net::IoResult write(Stream& stream, Bytes from);
  void finish(Stream& stream);
  void consumed(const Stream& stream, std::size_t size);
  void forget(Stream& stream);

  net::Stream* wire;
  net::Wake* wake;
  Owner* owner;
  Limits limits;
  nghttp2_session* ng = nullptr;
  std::string out;  // for the wire
  std::size_t out_taken = 0;
  std::unordered_map<std::int32_t, Stream*> streams;
  // Ended on our side, with nobody here any more; the client may end its own until then. Chromium forgets what it has not read when it is
  // reset, and the last thing that it was sent is why.
  std::unordered_map<std::int32_t, Instant> parting;
  std::unique_ptr<Stream> incoming;  // the one whose head is being read
  std::vector<std::unique_ptr<Stream>> requests;
  // The last streams that the peer ended or reset. nghttp2 keeps none of those that are over and ignores what comes on them, as it must for
  // those that were reset here (RFC 9113 §5.1).
  std::array<std::int32_t, 16> peer_ended{};
  std::size_t peer_ended_count = 0;
  std::int32_t reset_sent = 0;     // the newest
  std::uint32_t updates_owed = 0;  // WINDOW_UPDATEs that the data sent can explain
  int nghttp2_error = 0;
  std::size_t kept = 0;  // streams that keep the connection
  bool goaway_sent = false;
  bool peer_leaves = false;
  bool draining = false;
  std::optional<Error> over;
};

namespace {

Core& core_of(void* self) { return *static_cast<Core*>(self); }

nghttp2_session_callbacks* callbacks() {
  static nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* all = nullptr;
    SALLYPORT_CHECK(nghttp2_session_callbacks_new(&all) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(
        all,
        [](nghttp2_session*, const nghttp2_frame_hd* head, void* self) { return core_of(self).on_begin_frame(*head); });
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        all, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          return core_of(self).on_begin_headers(*frame);
        });
    nghttp2_session_callbacks_set_on_header_callback(
        all, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
          return core_of(self).on_header(*frame, view(name, name_size), view(value, value_size));
        });
    nghttp2_session_callbacks_set_on_invalid_header_callback(
        all, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*, std::size_t, const std::uint8_t*,
                std::size_t, std::uint8_t, void* self) { return core_of(self).on_invalid_header(*frame); });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        all, [](nghttp2_session*, const nghttp2_frame* frame, void* self) { return core_of(self).on_frame(*frame); });
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        all, [](nghttp2_session*, const nghttp2_frame* frame, int, void* self) {
          return core_of(self).on_invalid_frame(*frame);
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        all, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                void* self) { return core_of(self).on_data(id, Bytes(data, size)); });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        all, [](nghttp2_session*, std::int32_t id, std::uint32_t code, void* self) {
          return core_of(self).on_stream_close(id, code);
        });
    nghttp2_session_callbacks_set_on_frame_send_callback(
        all, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          Core& core = core_of(self);
          if (frame->hd.type == NGHTTP2_GOAWAY) core.goaway_sent = true;
          if (frame->hd.type == NGHTTP2_RST_STREAM) core.reset_sent = frame->hd.stream_id;
          // One for the stream and one for the connection.
          if (frame->hd.type == NGHTTP2_DATA && core.updates_owed < most_updates_owed) core.updates_owed += 2;
          return 0;
        });
    nghttp2_session_callbacks_set_error_callback2(all,
                                                  [](nghttp2_session*, int code, const char*, std::size_t, void* self) {
                                                    // Its text quotes fields with their values, credentials among them.
                                                    core_of(self).nghttp2_error = code;
                                                    return 0;
                                                  });
    return all;
  }();
  return made;
}

nghttp2_option* options() {
  static nghttp2_option* const made = [] {
    nghttp2_option* all = nullptr;
    SALLYPORT_CHECK(nghttp2_option_new(&all) == 0);
    nghttp2_option_set_no_auto_window_update(all, 1);
    nghttp2_option_set_no_closed_streams(all, 1);
    nghttp2_option_set_max_continuations(all, most_continuations);
    return all;
  }();
  return made;
}

}  // namespace

void Core::start() {
  SALLYPORT_CHECK(nghttp2_session_server_new2(&ng, callbacks(), this, options()) == 0);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.head.head_bytes)},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  SALLYPORT_CHECK(nghttp2_submit_settings(ng, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
  SALLYPORT_CHECK(nghttp2_session_set_local_window_size(ng, NGHTTP2_FLAG_NONE, 0, connection_window) == 0);
}

void Core::leave() {
  wire = nullptr;
  wake = nullptr;
  incoming.reset();
  requests.clear();
  fail_all();
}

void Core::fail_all() {
  for (const auto& [id, stream] : streams) stream->fail();
}

void Core::feed(Bytes bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(ng, bytes.data(), bytes.size());
  if (taken < 0) {
    const bool flood = taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
    return end(
        {flood ? Reason::limit_http2_frames : Reason::http2_malformed, nghttp2_strerror(static_cast<int>(taken))});
  }
  pump();
  if (over || nghttp2_session_want_read(ng) != 0) return;
  if (draining) return;
  if (peer_leaves) return end({Reason::peer_gone, "the peer said GOAWAY"});
  end({Reason::http2_malformed, nghttp2_strerror(nghttp2_error)});
}

void Core::pump() {
  while (wire) {
    if (unsent() >= most_unsent) flush();
    if (unsent() >= most_unsent) return;
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(ng, &bytes);
    if (size < 0) return end({Reason::internal_bug, nghttp2_strerror(static_cast<int>(size))});
    if (size == 0) break;
    out.append(view(bytes, static_cast<std::size_t>(size)));
  }
  flush();
}

void Core::flush() {
  while (wire && unsent() > 0) {
    const net::IoResult result = wire->write(bytes_of(out).subspan(out_taken));
    if (result.status == net::IoStatus::would_block) return;
    if (result.status != net::IoStatus::ok) {
      end({Reason::peer_gone, "stream failed while writing"});
      break;
    }
    out_taken += result.bytes;
  }
  std::string().swap(out);
  out_taken = 0;
}

void Core::on_wire_writable() {
  flush();
  if (unsent() > 0) return;
  pump();
  for (const auto& [id, stream] : streams) stream->report_writable();
}

void Core::say_goodbye() {
  if (!wire || goaway_sent || over->reason == Reason::peer_gone) return;
  append_goaway(out, nghttp2_session_get_last_proc_stream_id(ng), goaway_code(over->reason), row(over->reason).name);
  goaway_sent = true;
}

void Core::reset_late() {
  const Instant now = wake->loop().now();
  for (const auto& [id, until] : parting) {
    if (until <= now) reset(id, NGHTTP2_NO_ERROR);
  }
  std::erase_if(parting, [&](const auto& one) { return one.second <= now; });
}

// What nghttp2 lets pass.
Result<void> Core::check_state(const nghttp2_frame_hd& head) const {
  if (head.type == NGHTTP2_PRIORITY && head.stream_id == 0) {
    return Error{Reason::http2_malformed, "PRIORITY for no stream"};
  }
  // DATA there is dropped before it could be seen here; it costs its sender the connection's window.
  if (head.type == NGHTTP2_HEADERS && head.stream_id != 0 &&
      std::ranges::find(peer_ended, head.stream_id) != peer_ended.end()) {
    return Error{Reason::http2_malformed, "HEADERS on a stream that the peer has ended"};
  }
  return {};
}

int Core::on_begin_frame(const nghttp2_frame_hd& head) {
  if (over) return 0;
  end_if(check_state(head));
  switch (head.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
      break;
    case NGHTTP2_DATA:
      if (head.length == 0 && (head.flags & NGHTTP2_FLAG_END_STREAM) == 0) end_if(owner->on_empty_frame());
      break;
    case NGHTTP2_RST_STREAM: {
      // What has ended here already costs nothing.
      const Stream* stream = find(head.stream_id);
      if (!(stream && stream->finishing_) && !parting.contains(head.stream_id)) end_if(owner->on_reset());
      break;
    }
    case NGHTTP2_WINDOW_UPDATE:
      if (updates_owed > 0) {
        --updates_owed;
        break;
      }
      [[fallthrough]];
    default:
      end_if(owner->on_empty_frame());
  }
  return 0;
}

int Core::on_begin_headers(const nghttp2_frame& frame) {
  if (over) return 0;
  const std::int32_t id = frame.hd.stream_id;
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) {
    condemn(id);  // trailers: neither a tunnel nor a request without a body has any
  } else if (streams.size() >= limits.streams) {
    // nghttp2 counts those that are open; some that are not may still be worked on.
    reset(id, NGHTTP2_REFUSED_STREAM);
    end_if(owner->on_reset());
  } else {
    incoming.reset(new Stream(shared_from_this(), static_cast<std::uint32_t>(id)));
    streams.emplace(id, incoming.get());
  }
  return 0;
}

int Core::on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value) {
  if (!incoming || static_cast<std::int32_t>(incoming->id_) != frame.hd.stream_id) return 0;
  Stream& stream = *incoming;
  stream.fields_size_ += name.size() + value.size() + 32;
  if (stream.fields_size_ > worth_an_answer * limits.head.head_bytes) {
    // A byte can stand for a field of kilobytes. nghttp2 then resets the stream and looks at no more of them.
    end_if(owner->on_reset());
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  if (stream.refused_) return 0;
  if (stream.fields_size_ > limits.head.head_bytes || stream.fields_.size() >= limits.head.header_count) {
    stream.refused_ = Error{Reason::http_headers_too_large, "header list is longer than the limit"};
    stream.fields_ = {};
    return 0;
  }
  if (name == ":protocol") stream.tunnel_ = true;
  stream.fields_.add(name, value);
  return 0;
}

int Core::on_invalid_header(const nghttp2_frame& frame) {
  if (incoming && static_cast<std::int32_t>(incoming->id_) == frame.hd.stream_id && !incoming->refused_)
    incoming->refused_ = Error{Reason::http_malformed, "a field with bytes that none may have"};
  return 0;
}

int Core::on_frame(const nghttp2_frame& frame) {
  if (over) return 0;
  const bool ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame.hd.type == NGHTTP2_HEADERS && incoming && static_cast<std::int32_t>(incoming->id_) == frame.hd.stream_id) {
    incoming->remote_ended_ = ends;
    requests.push_back(std::move(incoming));
  } else if (frame.hd.type == NGHTTP2_DATA && ends) {
    if (Stream* stream = find(frame.hd.stream_id)) {
      stream->remote_ended_ = true;
      stream->report_readable();
    }
  } else if (frame.hd.type == NGHTTP2_RST_STREAM) {
    remember_end(frame.hd.stream_id);
  } else if (frame.hd.type == NGHTTP2_GOAWAY) {
    peer_leaves = true;
  }
  return 0;
}

// nghttp2 resets the stream, or ends the connection, by itself.
int Core::on_invalid_frame(const nghttp2_frame& frame) {
  if (over) return 0;
  if (incoming && static_cast<std::int32_t>(incoming->id_) == frame.hd.stream_id) {
    incoming->closed_ = true;
    incoming.reset();
  }
  end_if(owner->on_reset());
  return 0;
}

// Whether `more` bytes of the body of a request that is no tunnel are wanted.
bool Core::keeps_body(Stream& stream, std::size_t more) {
  if (stream.answered_ || stream.body_too_big_) return false;
  stream.body_size_ += more;
  if (stream.body_size_ <= limits.body) return true;
  stream.body_too_big_ = true;
  nghttp2_session_consume_stream(ng, static_cast<std::int32_t>(stream.id_), stream.in_.size() - stream.in_taken_);
  std::string().swap(stream.in_);
  stream.in_taken_ = 0;
  stream.report_readable();
  return false;
}

int Core::on_data(std::int32_t id, Bytes bytes) {
  nghttp2_session_consume_connection(ng, bytes.size());
  Stream* const stream = find(id);
  if (over || !stream || stream->failed_ || (!stream->tunnel_ && !keeps_body(*stream, bytes.size()))) {
    nghttp2_session_consume_stream(ng, id, bytes.size());
  } else if (stream->tunnel_ && !stream->answered_) {
    condemn(id);
  } else {
    stream->in_.append(text_of(bytes));
    stream->report_readable();
  }
  return 0;
}

int Core::on_stream_close(std::int32_t id, std::uint32_t code) {
  parting.erase(id);
  if (code == NGHTTP2_NO_ERROR && id != reset_sent) remember_end(id);
  Stream* const stream = find(id);
  if (!stream) return 0;
  stream->closed_ = true;
  if (stream == incoming.get()) {
    incoming.reset();
    return 0;
  }
  if (code != NGHTTP2_NO_ERROR || !stream->remote_ended_) stream->fail();
  return 0;
}

ssize_t Core::give_data(std::int32_t id, std::uint8_t* into, std::size_t size, std::uint32_t* flags) {
  Stream* const stream = find(id);
  if (!stream && !parting.contains(id)) return NGHTTP2_ERR_DEFERRED;
  if (!stream || stream->offered_.empty()) {
    if (!stream || stream->finishing_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      return 0;
    }
    stream->report_writable();
    return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t count = std::min(size, stream->offered_.size());
  std::copy_n(stream->offered_.data(), count, into);
  stream->offered_ = stream->offered_.subspan(count);
  return static_cast<ssize_t>(count);
}

void Core::respond(Stream& stream, int status, const http::Headers& fields) {
  if (stream.failed_ || stream.closed_ || stream.answered_) return;
  stream.answered_ = true;
  const std::string number = std::to_string(status);
  std::vector<std::string> names;  // HTTP/2 has no upper case
  names.reserve(fields.size());
  std::vector<nghttp2_nv> block;
  const auto add = [&](std::string_view name, std::string_view value) {
    block.push_back({const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(name.data())),
                     const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(value.data())), name.size(),
                     value.size(), NGHTTP2_NV_FLAG_NONE});
  };
  add(":status", number);
  for (const http::Field field : fields) {
    SALLYPORT_CHECK(http::is_token(field.name) && http::is_field_value(field.value));
    add(names.emplace_back(http::lowered(field.name)), field.value);
  }
  nghttp2_data_provider body{};
  body.read_callback = [](nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t size, std::uint32_t* flags,
                          nghttp2_data_source*, void* self) { return core_of(self).give_data(id, into, size, flags); };
  if (nghttp2_submit_response(ng, static_cast<std::int32_t>(stream.id_), block.data(), block.size(), &body) != 0)
    return stream.fail();
  pump();
}

net::IoResult Core::write(Stream& stream, Bytes from) {
  if (stream.failed_ || stream.closed_ || stream.finishing_ || !stream.answered_ || !wire)
    return {net::IoStatus::failed};
  std::size_t taken = 0;
  if (unsent() == 0) {
    stream.offered_ = from;
    nghttp2_session_resume_data(ng, static_cast<std::int32_t>(stream.id_));
    pump();
    taken = from.size() - stream.offered_.size();
    stream.offered_ = {};
    if (stream.failed_) return {net::IoStatus::failed};
  }
  if (taken > 0) return {net::IoStatus::ok, taken};
  stream.write_blocked_ = true;
  return {net::IoStatus::would_block};
}

void Core::finish(Stream& stream) {
  if (!stream.answered_ || stream.finishing_ || stream.closed_ || !wire) return;
  stream.finishing_ = true;
  nghttp2_session_resume_data(ng, static_cast<std::int32_t>(stream.id_));
  pump();
}

void Core::consumed(const Stream& stream, std::size_t size) {
  if (stream.closed_ || !wire) return;
  nghttp2_session_consume_stream(ng, static_cast<std::int32_t>(stream.id_), size);
  pump();
}

void Core::forget(Stream& stream) {
  const auto id = static_cast<std::int32_t>(stream.id_);
  streams.erase(id);
  if (stream.kept_) --kept;
  if (!wire) return;
  if (!stream.closed_ && stream.finishing_) {
    parting.emplace(id, wake->loop().now() + parting_timeout);
  } else if (!stream.closed_) {
    reset(id, stream.answered_ ? NGHTTP2_CANCEL : NGHTTP2_REFUSED_STREAM);
  }
  wake->raise(stream_gone);
}

}  // namespace detail

Stream::Stream(std::shared_ptr<detail::Core> core, std::uint32_t id) : core_(std::move(core)), id_(id) {}

Stream::~Stream() { core_->forget(*this); }

Result<http::Headers> Stream::take_fields() {
  if (refused_) return *refused_;
  return std::move(fields_);
}

void Stream::respond(int status, const http::Headers& fields) { core_->respond(*this, status, fields); }

void Stream::keep() {
  if (std::exchange(kept_, true)) return;
  ++core_->kept;
  if (core_->wake) core_->wake->raise(stream_gone);  // another time counts now
}

void Stream::watch(net::Waiter* waiter) {
  watcher_ = waiter;
  if (watcher_ && failed_) watcher_->interrupt(Error{Reason::peer_gone, "the stream was reset"});
}

void Stream::raise(std::uint32_t bits) {
  if (wake_) wake_->raise(bits);
}

void Stream::report_readable() {
  if (!paused_) raise(readable_);
}

void Stream::report_writable() {
  if (std::exchange(write_blocked_, false)) raise(writable_);
}

void Stream::fail() {
  if (std::exchange(failed_, true)) return;
  raise(readable_ | writable_);
  if (watcher_) watcher_->interrupt(Error{Reason::peer_gone, "the stream was reset"});
}

net::IoResult Stream::read(MutableBytes into) {
  const std::size_t there = in_.size() - in_taken_;
  if (there == 0) {
    if (failed_) return {net::IoStatus::failed};
    return {remote_ended_ ? net::IoStatus::end : net::IoStatus::would_block};
  }
  const std::size_t count = std::min(there, into.size());
  std::copy_n(in_.data() + in_taken_, count, into.begin());
  in_taken_ += count;
  if (in_taken_ == in_.size()) {
    std::string().swap(in_);
    in_taken_ = 0;
  }
  core_->consumed(*this, count);
  if (!in_.empty() || remote_ended_ || failed_) report_readable();
  return {net::IoStatus::ok, count};
}

net::IoResult Stream::write(Bytes from) { return core_->write(*this, from); }
void Stream::finish() { core_->finish(*this); }

void Stream::attach(net::Wake& wake, std::uint32_t readable, std::uint32_t writable) {
  wake_ = &wake;
  readable_ = readable;
  writable_ = writable;
  if (failed_) raise(readable_ | writable_);
  if (!in_.empty() || remote_ended_) report_readable();
}

void Stream::resume_reading() {
  paused_ = false;
  if (!in_.empty() || remote_ended_ || failed_) report_readable();
}

Session::Session(net::Loop& loop, net::Stream& wire, MutableBytes buffer, Limits limits, Owner& owner)
    : core_(std::make_shared<detail::Core>(wire, wake_, owner, limits)),
      wake_(loop),
      timer_(wake_, timer_due),
      wire_(wire),
      buffer_(buffer.first(std::min(buffer.size(), read_bytes))),
      limits_(limits),
      owner_(owner) {
  core_->start();
}

Session::~Session() { core_->leave(); }

void Session::drain() {
  if (core_->over || core_->goaway_sent) return;
  core_->draining = true;
  nghttp2_submit_goaway(core_->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(core_->ng),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  wake_.raise(stream_gone);
}

net::Task<Error> Session::run() {
  wire_.attach(wake_, wire_readable, wire_writable);
  wire_.resume_reading();
  // What TLS holds already raises no event.
  wake_.raise(wire_readable);
  core_->pump();
  while (!core_->over) {
    set_timer();
    const std::uint32_t bits = co_await wake_.next();
    if (bits & wire_writable) core_->on_wire_writable();
    if (bits & timer_due) core_->reset_late();
    if (bits & (stream_gone | timer_due)) core_->pump();
    if (bits & (wire_readable | wire_writable)) read();
    hand_over();
    if (std::exchange(had_kept_, core_->kept > 0) && core_->kept == 0) core_->end_if(owner_.on_last_gone());
    if (core_->kept == 0 && idle_at_ && *idle_at_ <= wake_.loop().now()) give_up();
    if (core_->draining && core_->idle())
      core_->end({gave_up_ ? Reason::http2_idle : Reason::server_draining, "its last stream has ended"});
  }
  core_->say_goodbye();
  core_->fail_all();
  co_await part();
  co_return *core_->over;
}

// Whoever is being judged is not cut off in the middle of it, but brings nobody else, and has as long again.
void Session::give_up() {
  if (std::exchange(gave_up_, true) || core_->idle())
    return core_->end({Reason::http2_idle, "no stream was accepted for too long"});
  drain();
  idle_at_ = wake_.loop().now() + limits_.idle;
}

void Session::set_timer() {
  if (core_->kept > 0) {
    idle_at_.reset();
  } else if (!idle_at_) {
    idle_at_ = wake_.loop().now() + limits_.idle;
  }
  std::optional<Instant> next = idle_at_;
  for (const auto& [id, until] : core_->parting) next = std::min(next.value_or(until), until);
  if (!next) return timer_.clear();
  if (!timer_.is_set() || timer_.at() != *next) timer_.set(*next);
}

void Session::read() {
  for (int reads = 0; reads < reads_per_turn && !core_->over; ++reads) {
    // Whoever does not take the answers gives no more to answer.
    if (core_->unsent() > 0) return wire_.pause_reading();
    wire_.resume_reading();
    const net::IoResult result = wire_.read(buffer_);
    if (result.status == net::IoStatus::would_block) return;
    if (result.status != net::IoStatus::ok) return core_->end({Reason::peer_gone, "stream ended"});
    core_->feed(Bytes(buffer_).first(result.bytes));
    if (result.bytes < buffer_.size()) return;
  }
  wake_.raise(wire_readable);
}

void Session::hand_over() {
  std::vector<std::unique_ptr<Stream>> requests = std::exchange(core_->requests, {});
  for (std::unique_ptr<Stream>& stream : requests) {
    // Given up before anything was done for it.
    if (stream->failed_ || core_->over) continue;
    owner_.on_request(std::move(stream));
  }
  requests.clear();
  core_->pump();
}

// Reads on for a moment after the last word: closing a socket with unread bytes would reset it and lose that word.
net::Task<void> Session::part() {
  if (core_->over->reason == Reason::peer_gone) co_return;
  net::Waiter waiter(wake_.loop());
  wire_.attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
  const net::Deadline by{wake_.loop().now() + parting_timeout, Reason::peer_too_slow};
  // From here on nothing more is said.
  const std::string rest = core_->out.substr(core_->out_taken);
  core_->wire = nullptr;
  const Result<void> written = co_await waiter.write_all(wire_, bytes_of(rest), by);
  if (!written.ok()) co_return;
  wire_.finish();
  wire_.resume_reading();
  for (std::size_t read = 0; read < parting_bytes;) {
    const Result<std::size_t> count = co_await waiter.read_some(wire_, buffer_, by);
    if (!count.ok()) break;
    read += *count;
  }
}

}  // namespace sallyport::http2
