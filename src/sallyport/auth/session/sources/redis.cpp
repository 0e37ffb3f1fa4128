#include "sallyport/auth/session/sources/redis.h"

#include <algorithm>
#include <array>
#include <map>

#include "sallyport/auth/session/sources/errand.h"
#include "sallyport/auth/session/sources/query_threads.h"
#include "sallyport/auth/session/sources/source_loop.h"
#include "sallyport/auth/session/sources/watch_board.h"
#include "sallyport/net/pipeline.h"
#include "sallyport/net/resp.h"

namespace sallyport::auth {
namespace {

using net::RespReply;

constexpr auto ping_interval = std::chrono::seconds(5);
constexpr auto answer_timeout = std::chrono::seconds(5);

Error trouble(const RedisServer& server, const std::string& words) {
  return {Reason::store_unavailable, "Redis at " + server.url.place() + ": " + words};
}

std::string number_of_database(const RedisServer& server) {
  return server.url.database.empty() ? "0" : server.url.database;
}

// Reads one answer after the other from a stream that no Pipeline has.
class Answers {
 public:
  Answers(net::Waiter& waiter, net::Stream& stream) : waiter_(waiter), stream_(stream) {}

  net::Task<Result<RespReply>> next(net::Deadline deadline) {
    for (;;) {
      CO_TRY(auto parsed, net::parse_resp(bytes_));
      if (parsed) {
        bytes_.erase(0, parsed->size);
        co_return std::move(parsed->reply);
      }
      std::array<Byte, 4096> more;
      auto reading = waiter_.read_some(stream_, more, deadline);
      CO_TRY(const std::size_t count, co_await reading);
      bytes_.append(text_of(Bytes(more).first(count)));
    }
  }

 private:
  net::Waiter& waiter_;
  net::Stream& stream_;
  std::string bytes_;
};

// A connection that knows who we are and is at our database.
net::Task<Result<std::unique_ptr<net::Stream>>> open_redis(net::Waiter& waiter, net::Worker& resolver,
                                                           const RedisServer& server, net::Deadline deadline) {
  auto dialling = dial_store(waiter, resolver, server.url, server.tls, deadline);
  Result<std::unique_ptr<net::Stream>> dialled = co_await dialling;
  if (!dialled.ok()) co_return trouble(server, dialled.error().detail);
  std::unique_ptr<net::Stream> stream = *std::move(dialled);
  stream->attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);

  const std::string number = number_of_database(server);
  std::vector<const char*> steps;
  std::string hello;
  if (server.password) {
    std::vector<std::string_view> words = {"AUTH"};
    if (!server.url.user.empty()) words.emplace_back(server.url.user);
    words.emplace_back(server.password->reveal());
    hello += net::resp_command(words);
    steps.push_back("AUTH");
  }
  hello += net::resp_command({"SELECT", number});
  steps.push_back("SELECT");
  const Secret greeting(std::move(hello));
  auto writing = waiter.write_all(*stream, greeting.bytes(), deadline);
  const Result<void> written = co_await writing;
  if (!written.ok()) co_return trouble(server, written.error().detail);
  Answers answers(waiter, *stream);
  for (const char* step : steps) {
    auto reading = answers.next(deadline);
    const Result<RespReply> reply = co_await reading;
    if (!reply.ok()) co_return trouble(server, reply.error().detail);
    if (reply->kind == RespReply::Kind::error) co_return trouble(server, std::string(step) + ": " + reply->text);
  }
  co_return std::move(stream);
}

Result<std::size_t> measure(std::string_view bytes) {
  TRY(const auto parsed, net::parse_resp(bytes));
  return parsed ? parsed->size : 0;
}

Result<RespReply> reply_of(const RedisServer& server, const std::string& bytes) {
  Result<std::optional<net::RespParsed>> parsed = net::parse_resp(bytes);
  if (!parsed.ok() || !*parsed) return trouble(server, "an answer that cannot be read");
  return std::move((*parsed)->reply);
}

// The second connection, which only listens.
class Subscriber {
 public:
  Subscriber(SourceLoop& home, net::Pipeline& commands, const RedisServer& server, const std::string& prefix,
             RedisKind kind, std::shared_ptr<WatchBoard> board)
      : home_(home),
        commands_(commands),
        server_(server),
        channel_("__keyspace@" + number_of_database(server) + "__:" + prefix),
        kind_(kind),
        board_(std::move(board)),
        waiter_(home.loop()),
        task_(run()) {
    task_.start();
  }

 private:
  net::Deadline soon(Duration in) const { return {home_.loop().now() + in, Reason::store_unavailable}; }

  net::Task<void> run() {
    Backoff backoff;
    for (;;) {
      auto opening = open_redis(waiter_, home_.resolver(), server_, soon(answer_timeout));
      Result<std::unique_ptr<net::Stream>> stream = co_await opening;
      Error lost{Reason::store_unavailable, ""};
      if (stream.ok()) {
        auto listening = listen(**stream, backoff);
        lost = co_await listening;
      } else {
        lost = stream.error();
      }
      tell("notifications are lost: " + lost.detail, Since::known);
      backoff.failed(home_.loop().now());
      auto sleeping = home_.loop().sleep_until(backoff.over_at());
      co_await sleeping;
    }
  }

  enum class Since : std::uint8_t { subscribed, known };
  // What is known already is not told again, or all would be asked about at every attempt to connect.
  void tell(std::string trouble_now, Since since) {
    if (since == Since::known && trouble_now == told_) return;
    told_ = std::move(trouble_now);
    board_->missed(told_);
  }

  // Until the connection is lost, and why.
  net::Task<Error> listen(net::Stream& stream, Backoff& backoff) {
    stream.attach(waiter_.wake(), net::Waiter::readable, net::Waiter::writable);
    const std::string pattern = escape_pattern(channel_) + "*";
    const std::string subscribe = net::resp_command({"PSUBSCRIBE", pattern});
    const std::string ping = net::resp_command({"PING"});
    auto writing = waiter_.write_all(stream, bytes_of(subscribe), soon(answer_timeout));
    const Result<void> written = co_await writing;
    if (!written.ok()) co_return written.error();
    Answers answers(waiter_, stream);
    bool subscribed = false;
    bool asked = true;  // something that must be answered soon
    for (;;) {
      auto reading = answers.next(soon(asked ? Duration(answer_timeout) : Duration(ping_interval)));
      const Result<RespReply> reply = co_await reading;
      if (!reply.ok()) {
        const bool silent = reply.error().reason == Reason::store_unavailable;
        if (!silent || asked) co_return trouble(server_, silent ? "no answer in time" : reply.error().detail);
        auto pinging = waiter_.write_all(stream, bytes_of(ping), soon(answer_timeout));
        const Result<void> pinged = co_await pinging;
        if (!pinged.ok()) co_return pinged.error();
        asked = true;
        continue;
      }
      asked = false;
      if (reply->kind == RespReply::Kind::error) co_return trouble(server_, "PSUBSCRIBE: " + reply->text);
      const bool is_push = reply->kind == RespReply::Kind::array && !reply->items.empty();
      const std::string_view what = is_push ? std::string_view(reply->items[0].text) : std::string_view();
      if (what == "pmessage" && reply->items.size() == 4) take_note(reply->items[2].text, reply->items[3].text);
      if ((what == "psubscribe" && !subscribed) || what == "pong") {
        auto asking = ask_for_trouble();
        std::string present = co_await asking;
        tell(std::move(present), subscribed ? Since::known : Since::subscribed);
        subscribed = true;
        backoff.succeeded();
      }
    }
  }

  // What keeps the server from telling; empty: nothing.
  net::Task<std::string> ask_for_trouble() {
    auto calling =
        commands_.call(net::resp_command({"CONFIG", "GET", "notify-keyspace-events"}), 1, soon(answer_timeout));
    const Result<std::vector<std::string>> answer = co_await calling;
    if (!answer.ok()) co_return answer.error().detail;
    const Result<RespReply> reply = reply_of(server_, answer->front());
    if (!reply.ok()) co_return reply.error().detail;
    // Where nobody may ask, as with many providers, there is nothing to complain of.
    if (reply->kind != RespReply::Kind::array || reply->items.size() != 2) co_return std::string();
    co_return missing_notifications(reply->items[1].text, kind_);
  }

  void take_note(std::string_view channel, std::string_view event) {
    // These say that it lives on.
    if (event == "expire" || event == "persist" || event == "new") return;
    if (!channel.starts_with(channel_)) return;
    std::string_view key = channel.substr(channel_.size());
    // Spring Session's own way to learn of an end: a key beside the session's, which expires first.
    if (kind_ == RedisKind::hash && key.starts_with("expires:")) key.remove_prefix(8);
    if (check_session_key(key).ok()) board_->key_changed(std::string(key));
  }

  SourceLoop& home_;
  net::Pipeline& commands_;
  const RedisServer& server_;
  const std::string channel_;
  const RedisKind kind_;
  std::shared_ptr<WatchBoard> board_;
  std::string told_;
  net::Waiter waiter_;
  net::Task<void> task_;
};

// All that lives on the source's thread, and the thread. Kept by the source and its watches.
class Core {
 public:
  Core(RedisServer server, std::string prefix, RedisKind kind)
      : server_(std::move(server)),
        prefix_(std::move(prefix)),
        kind_(kind),
        commands_(
            home_.loop(), [this](net::Deadline deadline) { return open_for_commands(*this, deadline); }, measure) {
    home_.start();
  }
  ~Core() { home_.stop(); }

  SourceLoop& home() { return home_; }

  static net::Task<void> answer(Core& core, std::vector<std::string> keys, Duration left,
                                std::shared_ptr<Errand<FoundSessions>> errand) {
    auto finding = core.find(std::move(keys), left);
    errand->answer(co_await finding);
  }

  // Threads: home's.
  void begin_watch(std::uint64_t id, std::shared_ptr<WatchBoard> board) {
    subscribers_.emplace(id, std::make_unique<Subscriber>(home_, commands_, server_, prefix_, kind_, std::move(board)));
  }
  void end_watch(std::uint64_t id) { subscribers_.erase(id); }
  std::uint64_t next_watch() { return ++last_watch_; }

 private:
  static net::Task<Result<std::unique_ptr<net::Stream>>> open_for_commands(Core& core, net::Deadline deadline) {
    net::Waiter waiter(core.home_.loop());
    auto opening = open_redis(waiter, core.home_.resolver(), core.server_, deadline);
    co_return co_await opening;
  }

  net::Task<Result<FoundSessions>> find(std::vector<std::string> keys, Duration left) {
    std::string requests;
    for (const std::string& key : keys) {
      const std::string full = prefix_ + key;
      requests += net::resp_command({kind_ == RedisKind::hash ? "HGETALL" : "GET", full});
      requests += net::resp_command({"PTTL", full});
    }
    auto calling =
        commands_.call(std::move(requests), keys.size() * 2, {home_.loop().now() + left, Reason::store_unavailable});
    Result<std::vector<std::string>> answers = co_await calling;
    if (!answers.ok()) co_return trouble_once(answers.error());
    const WallTime now = home_.loop().wall();
    FoundSessions found(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      CO_TRY(RespReply value, reply_of(server_, (*answers)[2 * i]));
      CO_TRY(const RespReply life, reply_of(server_, (*answers)[2 * i + 1]));
      CO_TRY(found[i], session_of(std::move(value), life, now));
    }
    co_return found;
  }

  Error trouble_once(const Error& error) const {
    const std::string start = trouble(server_, "").detail;
    return error.detail.starts_with(start) ? error : trouble(server_, error.detail);
  }

  Result<std::optional<StoredSession>> session_of(RespReply value, const RespReply& life, WallTime now) const {
    const std::optional<StoredSession> none;
    if (value.kind == RespReply::Kind::error) {
      // Something else lies under this key.
      if (value.text.starts_with("WRONGTYPE")) return none;
      return trouble(server_, value.text);
    }
    if (life.kind != RespReply::Kind::integer) return trouble(server_, "PTTL: " + life.text);
    StoredSession session;
    std::size_t size = 0;
    if (kind_ == RedisKind::text) {
      if (value.kind != RespReply::Kind::bulk) return none;
      size = value.text.size();
      session.data = std::move(value.text);
    } else {
      if (value.kind != RespReply::Kind::array || value.items.empty() || value.items.size() % 2 != 0) return none;
      for (std::size_t i = 0; i < value.items.size(); i += 2) {
        size += value.items[i].text.size() + value.items[i + 1].text.size();
        session.fields.emplace_back(std::move(value.items[i].text), std::move(value.items[i + 1].text));
      }
    }
    // Gone between the two questions, or too large.
    if (life.integer == -2 || size > SessionSource::largest_session) return none;
    if (life.integer >= 0) {
      constexpr std::int64_t century = 1000LL * 60 * 60 * 24 * 36525;
      session.expires_at = now + std::chrono::milliseconds(std::min(life.integer, century));
    }
    return std::optional<StoredSession>(std::move(session));
  }

  const RedisServer server_;
  const std::string prefix_;
  const RedisKind kind_;
  SourceLoop home_;
  net::Pipeline commands_;
  std::map<std::uint64_t, std::unique_ptr<Subscriber>> subscribers_;
  std::atomic<std::uint64_t> last_watch_{0};
};

class RedisSource final : public SessionSource {
 public:
  explicit RedisSource(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  net::Task<Result<FoundSessions>> find_many(std::vector<std::string> keys, net::Loop& here,
                                             net::Deadline deadline) override {
    return find_by(
        [this](std::vector<std::string> asked, Duration left, std::shared_ptr<Errand<FoundSessions>> errand) {
          // The core does not go before its loop has stopped, and with it what is posted there.
          core_->home().loop().post([&core = *core_, asked = std::move(asked), left, errand = std::move(errand)] {
            core.home().loop().spawn(Core::answer(core, asked, left, errand));
          });
        },
        std::move(keys), here, deadline);
  }

  std::unique_ptr<SourceWatch> watch(net::Loop& control, Changed changed) override {
    auto board = std::make_shared<WatchBoard>();
    const std::uint64_t id = core_->next_watch();
    core_->home().loop().post([&core = *core_, id, board] { core.begin_watch(id, board); });
    return std::make_unique<BoardWatch>(control, std::move(board), std::move(changed), [core = core_, id] {
      core->home().loop().post([&core = *core, id] { core.end_watch(id); });
    });
  }

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace

std::shared_ptr<SessionSource> make_redis_source(RedisServer server, std::string prefix, RedisKind kind) {
  return std::make_shared<RedisSource>(std::make_shared<Core>(std::move(server), std::move(prefix), kind));
}

std::string missing_notifications(std::string_view flags, RedisKind kind) {
  const bool all = flags.find('A') != std::string_view::npos;
  const std::string_view needed = kind == RedisKind::hash ? "Kghxe" : "Kg$xe";
  for (const char flag : needed) {
    if (flags.find(flag) != std::string_view::npos || (all && flag != 'K')) continue;
    return "keyspace notifications are off: the server's notify-keyspace-events is '" + std::string(flags) +
           "'; set it to " + std::string(needed);
  }
  return {};
}

std::string escape_pattern(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace sallyport::auth
