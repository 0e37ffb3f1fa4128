#pragma once

#include <memory>
#include <utility>

#include "sallyport/base/metric.h"
#include "sallyport/store/store.h"

namespace sallyport::gateway {

/// A store whose calls are counted, but for notes of use, which wait for nobody.
/// Threads: the Store's. Lifetime: `calls` outlives it.
class CountedStore final : public store::Store {
 public:
  CountedStore(std::unique_ptr<store::Store> store, metric::Counter& calls) : store_(std::move(store)), calls_(calls) {}

  net::Task<Result<void>> put_token(store::TokenRow row) override { return counted().put_token(std::move(row)); }
  net::Task<Result<std::optional<store::TokenRow>>> find_token(store::TokenHash hash) override {
    return counted().find_token(hash);
  }
  net::Task<Result<std::optional<store::TokenRow>>> revoke_token(std::string id, WallTime at) override {
    return counted().revoke_token(std::move(id), at);
  }
  void note_use(store::TokenHash hash, WallTime at) override { store_->note_use(hash, at); }
  net::Task<Result<void>> flush() override { return counted().flush(); }
  net::Task<Result<store::Revocation>> add_revocation(store::Revocation revocation) override {
    return counted().add_revocation(std::move(revocation));
  }
  net::Task<Result<std::vector<store::Revocation>>> revocations(std::uint64_t after, WallTime now) override {
    return counted().revocations(after, now);
  }
  net::Task<Result<bool>> claim(std::string key, WallTime until) override {
    return counted().claim(std::move(key), until);
  }
  net::Task<Result<void>> put_once(std::string key, std::string value, WallTime until) override {
    return counted().put_once(std::move(key), std::move(value), until);
  }
  net::Task<Result<std::optional<std::string>>> take_once(std::string key, WallTime now) override {
    return counted().take_once(std::move(key), now);
  }
  net::Task<Result<std::optional<std::string>>> find_once(std::string key, WallTime now) override {
    return counted().find_once(std::move(key), now);
  }
  net::Task<Result<std::size_t>> purge(WallTime now) override { return counted().purge(now); }

 private:
  store::Store& counted() {
    calls_.add();
    return *store_;
  }
  std::unique_ptr<store::Store> store_;
  metric::Counter& calls_;
};

}  // namespace sallyport::gateway
