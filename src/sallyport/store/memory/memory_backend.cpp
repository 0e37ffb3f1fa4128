#include "sallyport/store/memory/memory_backend.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace sallyport::store {

// Locked by handshakes and administration only, never by the relay of messages.
struct MemoryBackend::Tables {
  struct Kept {
    std::string value;
    WallTime until;
  };

  std::mutex mutex;
  std::map<TokenHash, TokenRow> tokens;
  std::map<std::string, TokenHash> hash_by_id;
  std::map<std::uint64_t, Revocation> revocations;
  std::uint64_t last_id = 0;
  std::map<std::string, WallTime> claims;
  std::map<std::string, Kept> kept;
};

namespace {

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryBackend::Tables> tables) : tables_(std::move(tables)) {}

  net::Task<Result<void>> put_token(TokenRow row) override {
    const std::scoped_lock lock(tables_->mutex);
    if (tables_->tokens.contains(row.hash)) co_return Error{Reason::request_invalid, "a token with this hash exists"};
    if (!tables_->hash_by_id.emplace(row.id, row.hash).second) {
      co_return Error{Reason::request_invalid, "a token with id '" + row.id + "' exists"};
    }
    const TokenHash hash = row.hash;
    tables_->tokens.emplace(hash, std::move(row));
    co_return Result<void>();
  }

  net::Task<Result<std::optional<TokenRow>>> find_token(TokenHash hash) override {
    const std::scoped_lock lock(tables_->mutex);
    const auto found = tables_->tokens.find(hash);
    if (found == tables_->tokens.end()) co_return std::optional<TokenRow>();
    co_return std::optional(found->second);
  }

  net::Task<Result<std::optional<TokenRow>>> revoke_token(std::string id, WallTime at) override {
    const std::scoped_lock lock(tables_->mutex);
    const auto found = tables_->hash_by_id.find(id);
    if (found == tables_->hash_by_id.end()) co_return std::optional<TokenRow>();
    TokenRow& row = tables_->tokens.at(found->second);
    if (!row.revoked_at) row.revoked_at = at;
    co_return std::optional(row);
  }

  void note_use(TokenHash hash, WallTime at) override {
    const std::scoped_lock lock(tables_->mutex);
    const auto found = tables_->tokens.find(hash);
    if (found == tables_->tokens.end()) return;
    auto& last = found->second.last_used_at;
    last = std::max(last.value_or(at), at);
  }

  net::Task<Result<void>> flush() override { co_return Result<void>(); }

  net::Task<Result<Revocation>> add_revocation(Revocation revocation) override {
    const std::scoped_lock lock(tables_->mutex);
    revocation.id = ++tables_->last_id;
    tables_->revocations.emplace(revocation.id, revocation);
    co_return revocation;
  }

  net::Task<Result<std::vector<Revocation>>> revocations(std::uint64_t after, WallTime now) override {
    const std::scoped_lock lock(tables_->mutex);
    std::vector<Revocation> found;
    for (auto at = tables_->revocations.upper_bound(after); at != tables_->revocations.end(); ++at) {
      if (at->second.keep_until > now) found.push_back(at->second);
    }
    co_return found;
  }

  net::Task<Result<bool>> claim(std::string key, WallTime until) override {
    const std::scoped_lock lock(tables_->mutex);
    co_return tables_->claims.emplace(std::move(key), until).second;
  }

  net::Task<Result<void>> put_once(std::string key, std::string value, WallTime until) override {
    const std::scoped_lock lock(tables_->mutex);
    const bool free = tables_->kept.try_emplace(std::move(key), std::move(value), until).second;
    if (!free) co_return Error{Reason::request_invalid, "a value is kept under this key"};
    co_return Result<void>();
  }

  net::Task<Result<std::optional<std::string>>> take_once(std::string key, WallTime now) override {
    const std::scoped_lock lock(tables_->mutex);
    const auto taken = tables_->kept.extract(key);
    if (taken.empty() || taken.mapped().until <= now) co_return std::optional<std::string>();
    co_return std::optional(std::move(taken.mapped().value));
  }

  net::Task<Result<std::optional<std::string>>> find_once(std::string key, WallTime now) override {
    const std::scoped_lock lock(tables_->mutex);
    const auto found = tables_->kept.find(key);
    if (found == tables_->kept.end() || found->second.until <= now) co_return std::optional<std::string>();
    co_return std::optional(found->second.value);
  }

  net::Task<Result<std::size_t>> purge(WallTime now) override {
    const std::scoped_lock lock(tables_->mutex);
    std::erase_if(tables_->hash_by_id,
                  [&](const auto& entry) { return tables_->tokens.at(entry.second).expires_at <= now; });
    std::size_t forgotten = 0;
    forgotten += std::erase_if(tables_->tokens, [&](const auto& entry) { return entry.second.expires_at <= now; });
    forgotten += std::erase_if(tables_->revocations, [&](const auto& entry) { return entry.second.keep_until <= now; });
    forgotten += std::erase_if(tables_->claims, [&](const auto& entry) { return entry.second <= now; });
    forgotten += std::erase_if(tables_->kept, [&](const auto& entry) { return entry.second.until <= now; });
    co_return forgotten;
  }

 private:
  std::shared_ptr<MemoryBackend::Tables> tables_;
};

}  // namespace

MemoryBackend::MemoryBackend() : tables_(std::make_shared<Tables>()) {}
MemoryBackend::~MemoryBackend() = default;

std::unique_ptr<Store> MemoryBackend::open(net::Loop&) { return std::make_unique<MemoryStore>(tables_); }

}  // namespace sallyport::store
