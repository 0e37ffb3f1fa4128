#include "sallyport/store/sqlite/sqlite_backend.h"

#include <algorithm>
#include <filesystem>
#include <latch>
#include <map>
#include <mutex>

#include "sallyport/net/worker.h"
#include "sallyport/store/sqlite/connection.h"
#include "sallyport/store/sqlite/rows.h"

namespace sallyport::store {
namespace {

// The latest use of each token that has not been written yet.
class UseNotes {
 public:
  void take(const TokenHash& hash, WallTime at) {
    const std::scoped_lock lock(mutex_);
    keep(hash, at);
  }

  // Whether there is something to write and nobody has been told so in the last second.
  bool are_due(Instant now) {
    const std::scoped_lock lock(mutex_);
    if (latest_.empty() || (told_ && now < *told_ + std::chrono::seconds(1))) return false;
    told_ = now;
    return true;
  }

  std::vector<rows::Use> all() {
    const std::scoped_lock lock(mutex_);
    std::vector<rows::Use> uses;
    uses.reserve(latest_.size());
    for (const auto& [hash, at] : latest_) uses.push_back({hash, at});
    latest_.clear();
    return uses;
  }

  void put_back(const std::vector<rows::Use>& uses) {
    const std::scoped_lock lock(mutex_);
    for (const rows::Use& use : uses) keep(use.hash, use.at);
  }

 private:
  // While nothing can be written, notes must not fill the memory.
  static constexpr std::size_t most = 100'000;

  void keep(const TokenHash& hash, WallTime at) {
    const auto found = latest_.find(hash);
    if (found != latest_.end()) {
      found->second = std::max(found->second, at);
    } else if (latest_.size() < most) {
      latest_.emplace(hash, at);
    }
  }

  std::mutex mutex_;
  std::map<TokenHash, WallTime> latest_;
  std::optional<Instant> told_;
};

// What the jobs use. A job may be the last to hold it, so it must not hold the threads that run the jobs.
struct Shared {
  explicit Shared(const SqliteConfig& config) : reading(config.path.path), writing(config.path.path) {}

  Result<void> write_uses(const Patience& patience) {
    const std::vector<rows::Use> uses = notes.all();
    auto written = writing.use(patience, [&](Database& database) { return rows::write_uses(database, uses); });
    if (!written.ok()) notes.put_back(uses);
    return written;
  }

  Connection reading;  // used by the reader alone, as `writing` by the writer
  Connection writing;
  UseNotes notes;
};

}  // namespace

// A write waits for the disk and for other processes; a handshake only reads, and has a thread of its own to do so.
struct SqliteBackend::Core {
  explicit Core(const SqliteConfig& config)
      : busy_timeout(config.busy_timeout), shared(std::make_shared<Shared>(config)) {}
  ~Core() {
    writer.submit([kept = shared, patience = patience()] {
      [[maybe_unused]] const auto best_effort = kept->write_uses(patience);
    });
  }

  Patience patience() const { return Patience(std::chrono::steady_clock::now(), busy_timeout); }

  std::chrono::milliseconds busy_timeout;
  std::shared_ptr<Shared> shared;
  net::Worker reader;
  net::Worker writer;
};

class SqliteBackend::LoopStore final : public Store {
  template <class F>
  auto read(F work) {
    write_due_uses();
    return net::offload(core_->reader, loop_,
                        [shared = core_->shared, patience = core_->patience(), work = std::move(work)] {
                          return shared->reading.use(patience, work);
                        });
  }

  template <class F>
  auto write(F work) {
    write_due_uses();
    return net::offload(core_->writer, loop_,
                        [shared = core_->shared, patience = core_->patience(), work = std::move(work)] {
                          return shared->writing.use(patience, work);
                        });
  }

  void write_due_uses() {
    if (!core_->shared->notes.are_due(loop_.now())) return;
    core_->writer.submit([shared = core_->shared, patience = core_->patience()] {
      [[maybe_unused]] const auto tried_again_later = shared->write_uses(patience);
    });
  }

 public:
  LoopStore(std::shared_ptr<Core> core, net::Loop& loop) : core_(std::move(core)), loop_(loop) {}

  // Jobs under way post their result to the loop, which may be about to go.
  ~LoopStore() override {
    std::latch idle(2);
    core_->reader.submit([&idle] { idle.count_down(); });
    core_->writer.submit([&idle] { idle.count_down(); });
    idle.wait();
  }

  net::Task<Result<void>> put_token(TokenRow row) override {
    return write([row = std::move(row)](Database& database) { return rows::put_token(database, row); });
  }

  net::Task<Result<std::optional<TokenRow>>> find_token(TokenHash hash) override {
    return read([hash](Database& database) { return rows::find_token(database, hash); });
  }

  net::Task<Result<std::optional<TokenRow>>> revoke_token(std::string id, WallTime at) override {
    return write([id = std::move(id), at](Database& database) { return rows::revoke_token(database, id, at); });
  }

  void note_use(TokenHash hash, WallTime at) override {
    core_->shared->notes.take(hash, at);
    write_due_uses();
  }

  net::Task<Result<void>> flush() override {
    return net::offload(core_->writer, loop_, [shared = core_->shared, patience = core_->patience()] {
      return shared->write_uses(patience);
    });
  }

  net::Task<Result<Revocation>> add_revocation(Revocation revocation) override {
    return write([revocation = std::move(revocation)](Database& database) {
      return rows::add_revocation(database, revocation);
    });
  }

  net::Task<Result<std::vector<Revocation>>> revocations(std::uint64_t after, WallTime now) override {
    return read([after, now](Database& database) { return rows::revocations(database, after, now); });
  }

  net::Task<Result<bool>> claim(std::string key, WallTime until) override {
    return write([key = std::move(key), until](Database& database) { return rows::claim(database, key, until); });
  }

  net::Task<Result<void>> put_once(std::string key, std::string value, WallTime until) override {
    return write([key = std::move(key), value = std::move(value), until](Database& database) {
      return rows::put_once(database, key, value, until);
    });
  }

  net::Task<Result<std::optional<std::string>>> take_once(std::string key, WallTime now) override {
    return write([key = std::move(key), now](Database& database) { return rows::take_once(database, key, now); });
  }

  net::Task<Result<std::optional<std::string>>> find_once(std::string key, WallTime now) override {
    return read([key = std::move(key), now](Database& database) { return rows::find_once(database, key, now); });
  }

  net::Task<Result<std::size_t>> purge(WallTime now) override {
    return write([now](Database& database) { return rows::purge(database, now); });
  }

 private:
  std::shared_ptr<Core> core_;
  net::Loop& loop_;
};

Result<std::unique_ptr<SqliteBackend>> SqliteBackend::make(SqliteConfig config) {
  if (config.path.empty() || config.path.path.find('\0') != std::string::npos) {
    return Error{Reason::config_invalid, "store.sqlite.path: give the name of a file"};
  }
  std::error_code error;
  // Also takes away what SQLite would see in names like `:memory:`.
  config.path.path = std::filesystem::absolute(config.path.path, error).string();
  if (error) return Error{Reason::config_invalid, "store.sqlite.path '" + config.path.path + "': " + error.message()};
  auto core = std::make_shared<Core>(config);
  TRY_OK(core->shared->writing.start(config.busy_timeout));
  return std::unique_ptr<SqliteBackend>(new SqliteBackend(std::move(core)));
}

SqliteBackend::SqliteBackend(std::shared_ptr<Core> core) : core_(std::move(core)) {}
SqliteBackend::~SqliteBackend() = default;

std::unique_ptr<Store> SqliteBackend::open(net::Loop& loop) { return std::make_unique<LoopStore>(core_, loop); }

}  // namespace sallyport::store
