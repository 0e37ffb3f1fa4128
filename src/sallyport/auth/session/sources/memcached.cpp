#include "sallyport/auth/session/sources/memcached.h"

#include <charconv>

#include "sallyport/auth/session/sources/asking.h"
#include "sallyport/auth/session/sources/source_loop.h"
#include "sallyport/net/pipeline.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t longest_line = 2048;
constexpr std::size_t longest_key = 250;
// An item of memcached holds 1 MiB where nobody has changed that, and all that it holds must be read to be skipped.
constexpr std::size_t largest_value = 16 * 1024 * 1024;

Error malformed(const char* what) { return {Reason::upstream_protocol, std::string("not memcached: ") + what}; }

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::size_t> measure(std::string_view bytes) {
  TRY(const auto answer, parse_meta_answer(bytes));
  return answer ? answer->size : 0;
}

// All that lives on the source's thread, and the thread.
class Core {
 public:
  Core(StoreUrl server, std::string prefix)
      : server_(std::move(server)),
        prefix_(std::move(prefix)),
        commands_(home_.loop(), [this](net::Deadline deadline) { return open(*this, deadline); }, measure) {
    home_.start();
  }
  ~Core() { home_.stop(); }

  SourceLoop& home() { return home_; }

  static net::Task<void> answer(Core& core, std::vector<std::string> keys, Duration left,
                                std::shared_ptr<Errand<FoundSessions>> errand) {
    auto finding = core.find(std::move(keys), left);
    errand->answer(co_await finding);
  }

 private:
  Error trouble(const std::string& words) const {
    return {Reason::store_unavailable, "memcached at " + server_.place() + ": " + words};
  }

  static net::Task<Result<std::unique_ptr<net::Stream>>> open(Core& core, net::Deadline deadline) {
    net::Waiter waiter(core.home_.loop());
    const std::shared_ptr<const net::ClientTls> no_tls;
    auto dialling = dial_store(waiter, core.home_.resolver(), core.server_, no_tls, deadline);
    co_return co_await dialling;
  }

  net::Task<Result<FoundSessions>> find(std::vector<std::string> keys, Duration left) {
    std::string requests;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (prefix_.size() + keys[i].size() > longest_key) continue;
      requests += "mg " + prefix_ + keys[i] + " v t\r\n";
      places.push_back(i);
    }
    auto calling =
        commands_.call(std::move(requests), places.size(), {home_.loop().now() + left, Reason::store_unavailable});
    const Result<std::vector<std::string>> answers = co_await calling;
    if (!answers.ok()) co_return trouble(answers.error().detail);
    const WallTime now = home_.loop().wall();
    FoundSessions found(keys.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      CO_TRY(auto answer, parse_meta_answer((*answers)[i]));
      if (!answer || answer->kind == MetaAnswer::Kind::trouble)
        co_return trouble(answer ? answer->data : "an answer that cannot be read");
      if (answer->kind == MetaAnswer::Kind::miss || answer->data.size() > SessionSource::largest_session) continue;
      StoredSession& session = found[places[i]].emplace();
      session.data = std::move(answer->data);
      if (answer->seconds_left) session.expires_at = now + std::chrono::seconds(*answer->seconds_left);
    }
    co_return found;
  }

  const StoreUrl server_;
  const std::string prefix_;
  SourceLoop home_;
  net::Pipeline commands_;
};

class MemcachedSource final : public SessionSource {
 public:
  explicit MemcachedSource(std::shared_ptr<Core> core) : core_(std::move(core)) {}

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

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace

std::shared_ptr<SessionSource> make_memcached_source(StoreUrl server, std::string prefix) {
  return std::make_shared<MemcachedSource>(std::make_shared<Core>(std::move(server), std::move(prefix)));
}

Result<std::optional<MetaAnswer>> parse_meta_answer(std::string_view bytes) {
  const auto end = bytes.find("\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() > longest_line) return malformed("a line without an end");
    return std::optional<MetaAnswer>();
  }
  if (end > longest_line) return malformed("a line without an end");
  std::string_view line = bytes.substr(0, end);
  MetaAnswer answer;
  answer.size = end + 2;
  if (line == "EN") return std::optional<MetaAnswer>(std::move(answer));
  if (line == "ERROR" || line.starts_with("CLIENT_ERROR") || line.starts_with("SERVER_ERROR")) {
    answer.kind = MetaAnswer::Kind::trouble;
    answer.data = std::string(line);
    return std::optional<MetaAnswer>(std::move(answer));
  }
  if (!line.starts_with("VA ")) return malformed("an answer of an unknown kind");
  line.remove_prefix(3);
  const std::optional<std::int64_t> size = number(line.substr(0, line.find(' ')));
  if (!size || *size < 0 || static_cast<std::size_t>(*size) > largest_value)
    return malformed("a value of an unacceptable size");
  for (auto space = line.find(' '); space != std::string_view::npos; space = line.find(' ')) {
    line.remove_prefix(space + 1);
    const std::string_view flag = line.substr(0, line.find(' '));
    if (!flag.starts_with('t')) continue;
    const std::optional<std::int64_t> left = number(flag.substr(1));
    if (!left || *left > 10'000'000'000) return malformed("a time that is no number");
    if (*left >= 0) answer.seconds_left = *left;
  }
  const auto length = static_cast<std::size_t>(*size);
  if (bytes.size() - answer.size < length + 2) return std::optional<MetaAnswer>();
  if (bytes.substr(answer.size + length, 2) != "\r\n") return malformed("a value that goes on behind its end");
  answer.kind = MetaAnswer::Kind::value;
  answer.data = std::string(bytes.substr(answer.size, length));
  answer.size += length + 2;
  return std::optional<MetaAnswer>(std::move(answer));
}

}  // namespace sallyport::auth
