#include "sallyport/gateway/http2.h"

#include "sallyport/gateway/tunnel.h"
#include "sallyport/http/date.h"
#include "sallyport/http/grammar.h"

namespace sallyport::gateway {
namespace {

http2::Limits limits_of(const Snapshot& snapshot) {
  const Http2Limits& limits = snapshot.settings.limits.http2;
  http2::Limits out;
  out.streams = limits.streams;
  out.idle = limits.idle_timeout;
  out.body = most_body;
  return out;
}

class Http2Exchange final : public Exchange {
 public:
  Http2Exchange(const Arrival& arrival, http2::Stream& stream, net::Waiter& waiter,
                std::shared_ptr<std::optional<PendingPlaces>> of_connection)
      : Exchange(stream, waiter), arrival_(arrival), http2_(stream), of_connection_(std::move(of_connection)) {
    stream.attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
    // A client that gives the stream up gives up what is being done for it.
    stream.watch(&waiter);
  }

  std::string_view transport() const override { return "h2"; }

  net::Task<Result<http::Request>> receive() override {
    CO_TRY(const http::Headers fields, http2_.take_fields());
    http::Limits limits;
    limits.body_bytes = most_body;
    CO_TRY(http::Request request, http::parse_request_fields(fields, limits));
    if (request.protocol() != http::Protocol::none && http2_.ended())
      co_return Error{Reason::http_malformed, "the stream ended with its request"};
    co_return std::move(request);
  }

  net::Task<Result<std::string>> receive_body(const http::Request&) override {
    const net::Deadline by = arrival_.deadline(arrival_.snapshot->settings.limits.header_timeout, Reason::http_timeout);
    std::string body;
    for (;;) {
      if (http2_.body_too_big()) co_return Error{Reason::message_too_big, "the body is above the limit"};
      const std::size_t before = body.size();
      body.resize(before + 4096);
      const auto room = MutableBytes(reinterpret_cast<Byte*>(body.data()), body.size()).subspan(before);
      const net::IoResult result = http2_.read(room);
      body.resize(before + result.bytes);
      if (result.status == net::IoStatus::end) co_return body;
      if (result.status == net::IoStatus::failed) co_return Error{Reason::peer_gone, "the stream was reset"};
      if (result.status == net::IoStatus::would_block) CO_TRY_OK(co_await waiter().wait_for(net::Waiter::readable, by));
    }
  }

  net::Task<Result<void>> accept(const http::Upgrade&, const Agreed& agreed, net::Waiter&) override {
    // Whoever is refused with a close frame comes here too, but still holds a place.
    if (!arrival_.pending) {
      of_connection_->reset();
      http2_.keep();
    }
    http2_.watch(nullptr);
    http::Headers fields;
    if (agreed.subprotocol) fields.add("sec-websocket-protocol", *agreed.subprotocol);
    if (agreed.deflate) fields.add("sec-websocket-extensions", http::answer_text(*agreed.deflate));
    http2_.respond(200, fields);
    co_return Result<void>();
  }

  net::Task<void> answer(const http::Response& response, net::Waiter& waiter) override {
    http::Headers fields;
    for (const http::Field field : response.fields) {
      // It has no meaning here (RFC 9113 §8.2.2).
      if (!http::equal_ignoring_case(field.name, "upgrade")) fields.add(field.name, field.value);
    }
    fields.add("date", http::http_date(waiter.wake().loop().wall()));
    if (response.status != 204) fields.add("content-length", std::to_string(response.body.size()));
    http2_.respond(response.status, fields);
    const net::Deadline by = arrival_.answer_deadline();
    const Result<void> written = co_await waiter.write_all(http2_, bytes_of(response.body), by);
    if (written.ok()) http2_.finish();
  }

  net::Task<void> linger(net::Waiter&) override {
    http2_.finish();
    co_return;
  }

  Bytes early() override { return {}; }

 private:
  const Arrival& arrival_;
  http2::Stream& http2_;
  std::shared_ptr<std::optional<PendingPlaces>> of_connection_;
};

// All of one stream, in the order in which it depends on each other.
struct Visit {
  Visit(Arrival its_arrival, std::unique_ptr<http2::Stream> its_stream,
        std::shared_ptr<std::optional<PendingPlaces>> of_connection)
      : arrival(std::move(its_arrival)),
        waiter(arrival.shard.loop()),
        stream(std::move(its_stream)),
        exchange(arrival, *stream, waiter, std::move(of_connection)),
        tunnel(arrival, exchange) {}

  Arrival arrival;
  net::Waiter waiter;
  std::unique_ptr<http2::Stream> stream;
  Http2Exchange exchange;
  Tunnel tunnel;
};

net::Task<void> serve_stream(std::unique_ptr<Visit> visit) { co_await visit->tunnel.serve(); }

}  // namespace

Http2Connection::Http2Connection(Arrival& arrival, net::Stream& wire)
    : arrival_(arrival),
      shard_(arrival.shard),
      pending_(std::make_shared<std::optional<PendingPlaces>>(std::move(arrival.pending))),
      resets_(arrival.snapshot->settings.limits.http2.resets, shard_.loop().now()),
      frames_(arrival.snapshot->settings.limits.http2.empty_frames, shard_.loop().now()),
      session_(shard_.loop(), wire, shard_.scratch.read, limits_of(*arrival.snapshot), *this) {
  shard_.metrics.http2_connections.add();
  shard_.metrics.http2_open.add(1);
  shard_.http2.insert(this);
}

Http2Connection::~Http2Connection() {
  shard_.http2.erase(this);
  shard_.metrics.http2_open.add(-1);
}

net::Task<void> Http2Connection::serve() {
  // Who is over the handshake rate is not served as many instead of one.
  if (shard_.shared.draining || arrival_.rate == Arrival::Rate::over) drain();
  const Error why = co_await session_.run();
  shard_.metrics.http2_closed[static_cast<std::size_t>(why.reason)].add();
  if (why.reason == Reason::peer_gone || why.reason == Reason::http2_idle || why.reason == Reason::server_draining)
    co_return;
  Event(shard_.shared.log, shard_.loop().wall(), Level::warning, "http2.closed")
      .reason(why.reason)
      .excerpt("detail", why.detail)
      .text("peer", arrival_.peer.address.ip());
}

void Http2Connection::on_request(std::unique_ptr<http2::Stream> stream) {
  shard_.metrics.http2_streams.add();
  const net::Endpoint& from = arrival_.peer.address;
  auto admitted = arrive(shard_, from);
  if (!admitted.ok()) return;
  Arrival arrival = std::move(admitted).value();
  arrival.peer.tls_version = arrival_.peer.tls_version;
  arrival.peer.certificate = arrival_.peer.certificate;
  shard_.loop().spawn(serve_stream(std::make_unique<Visit>(std::move(arrival), std::move(stream), pending_)));
}

Result<void> Http2Connection::on_reset() {
  shard_.metrics.http2_resets.add();
  if (resets_.take(shard_.loop().now())) return {};
  return Error{Reason::limit_http2_resets, "more streams were reset than limits.http2.resets"};
}

Result<void> Http2Connection::on_empty_frame() {
  if (frames_.take(shard_.loop().now())) return {};
  return Error{Reason::limit_http2_frames, "more frames that carry nothing than limits.http2.empty_frames"};
}

Result<void> Http2Connection::on_last_gone() {
  // Nobody whose proof holds is left on it: it counts as a stranger's again, or a few proofs would buy any number of connections.
  TRY(*pending_, enter_pending(shard_, arrival_.peer.address));
  return {};
}

}  // namespace sallyport::gateway
