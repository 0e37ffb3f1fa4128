#include "sallyport/auth/jwt/keys.h"

#include <algorithm>
#include <coroutine>

#include "sallyport/config/file.h"
#include "sallyport/http/url.h"
#include "sallyport/net/call.h"

namespace sallyport::auth {
namespace {

bool is_loopback(const http::Authority& authority) {
  switch (authority.kind) {
    case http::HostKind::name:
      return authority.host == "localhost";
    case http::HostKind::ipv4:
      return authority.host.starts_with("127.");
    case http::HostKind::ipv6:
      return authority.host == "::1";
  }
  return false;
}

}  // namespace

FixedKeys::FixedKeys(jose::JwkSet keys, WallTime loaded_at)
    : keys_(std::make_shared<const jose::JwkSet>(std::move(keys))), loaded_at_(loaded_at) {}

net::Task<Result<KeySource::Snapshot>> FixedKeys::newer_than(Snapshot, net::Loop&, net::Deadline) { co_return keys_; }

KeyStatus FixedKeys::status() const {
  KeyStatus status;
  status.keys = keys_->keys().size();
  status.loaded_at = loaded_at_;
  status.notes = keys_->notes();
  return status;
}

Result<std::shared_ptr<KeySource>> make_file_keys(const std::string& path, jose::JwkRules rules, WallTime now) {
  const auto read = [&]() -> Result<Secret> {
    if (rules.kinds != jose::KeyKinds::public_only) {
      return config::load_secret({config::SecretSource::Kind::file, path}, config::empty_environment());
    }
    TRY(std::string text, config::load_text(path));
    return Secret(std::move(text));
  };
  TRY(const Secret text, read());
  auto set = jose::JwkSet::parse(text.reveal(), rules);
  if (!set) return Error{Reason::config_invalid, path + ": " + set.error().detail};
  return std::shared_ptr<KeySource>(std::make_shared<FixedKeys>(std::move(*set), now));
}

Result<std::shared_ptr<KeySource>> make_secret_keys(const Secret& secret,
                                                    const std::vector<jose::Algorithm>& algorithms, WallTime now) {
  std::vector<jose::Jwk> keys;
  for (const jose::Algorithm algorithm : algorithms) {
    TRY(jose::Jwk key, jose::Jwk::make_secret(secret.bytes(), std::nullopt, algorithm));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return Error{Reason::config_invalid, "a secret needs at least one algorithm"};
  return std::shared_ptr<KeySource>(std::make_shared<FixedKeys>(jose::JwkSet(std::move(keys)), now));
}

Result<void> check_jwks_url(std::string_view url, PlaintextJwks plaintext) {
  TRY(const http::HttpUrl parsed, http::parse_http_url(url));
  if (parsed.scheme == http::Scheme::https || plaintext == PlaintextJwks::dangerous_allowed ||
      is_loopback(parsed.authority))
    return {};
  return Error{Reason::config_invalid, "https:// expected: over plain http anybody on the way can replace the keys"};
}

void UrlKeys::start_from(const UrlKeys& earlier) {
  if (earlier.settings_.url != settings_.url) return;
  std::scoped_lock lock(mutex_, earlier.mutex_);
  keys_ = earlier.keys_;
  status_ = earlier.status_;
}

KeySource::Snapshot UrlKeys::snapshot() const {
  const std::scoped_lock lock(mutex_);
  return keys_;
}

KeyStatus UrlKeys::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

bool UrlKeys::may_fetch(Instant now) const {
  const std::scoped_lock lock(mutex_);
  return fetching_ || now >= next_fetch_allowed_;
}

net::Task<Result<KeySource::Snapshot>> UrlKeys::newer_than(Snapshot seen, net::Loop& here, net::Deadline deadline) {
  Snapshot now = snapshot();
  // Tokens with invented key names must not even cost the control loop anything.
  if (now != seen || !may_fetch(here.now())) co_return now;
  std::function<net::Task<Result<Snapshot>>()> start = [self = shared_from_this(), seen] { return self->ask(seen); };
  co_return co_await net::call_on<Snapshot>(control_, here, std::move(start), deadline);
}

net::Task<Result<KeySource::Snapshot>> UrlKeys::ask(Snapshot seen) {
  Snapshot now = snapshot();
  if (now != seen || !upkeep_ || !may_fetch(control_.now())) co_return now;
  net::Wake wake(control_);
  struct Entry {
    UrlKeys& keys;
    net::Wake* wake;
    ~Entry() { std::erase(keys.waiting_, wake); }
  };
  waiting_.push_back(&wake);
  const Entry entry{*this, &wake};
  upkeep_->wake_.raise(KeyUpkeep::asked);
  co_await wake.next();
  co_return snapshot();
}

KeyUpkeep::KeyUpkeep(std::shared_ptr<UrlKeys> keys, net::HttpClient& client, crypto::Random& random)
    : keys_(std::move(keys)),
      client_(client),
      random_(random),
      wake_(keys_->control_),
      timer_(wake_, due),
      task_(run()) {
  SALLYPORT_CHECK(!keys_->upkeep_);
  keys_->upkeep_ = this;
  // Runs up to its first wait; from there on the loop resumes it.
  task_.await_suspend(std::noop_coroutine()).resume();
}

KeyUpkeep::~KeyUpkeep() {
  keys_->upkeep_ = nullptr;
  {
    const std::scoped_lock lock(keys_->mutex_);
    keys_->fetching_ = false;
  }
  wake_waiting();
}

net::Task<void> KeyUpkeep::run() {
  for (;;) {
    {
      const std::scoped_lock lock(keys_->mutex_);
      keys_->fetching_ = true;
      keys_->next_fetch_allowed_ = wake_.loop().now() + UrlKeys::min_pause;
    }
    settle(co_await fetch());
    timer_.set(wake_.loop().now() + pause());
    wake_waiting();
    while ((co_await wake_.next() & due) == 0) {
      if (keys_->may_fetch(wake_.loop().now())) break;
      // Asked between two turns, and answered by the fetch that has just ended.
      wake_waiting();
    }
    timer_.clear();
  }
}

net::Task<Result<jose::JwkSet>> KeyUpkeep::fetch() {
  net::HttpRequest request;
  request.url = keys_->settings_.url;
  request.ca_file = keys_->settings_.ca_file;
  request.headers = {{"Accept", "application/jwk-set+json, application/json"}};
  const net::Deadline deadline{wake_.loop().now() + UrlKeys::fetch_timeout, Reason::keys_unavailable};
  CO_TRY(const net::HttpResponse response, co_await client_.fetch(std::move(request), deadline));
  if (response.status != 200) {
    co_return Error{Reason::keys_unavailable, keys_->settings_.url + ": status " + std::to_string(response.status)};
  }
  auto set = jose::JwkSet::parse(response.body, {jose::KeyKinds::public_only, jose::WeakSecrets::refused});
  if (!set) co_return Error{Reason::keys_unavailable, keys_->settings_.url + ": " + set.error().detail};
  co_return std::move(*set);
}

void KeyUpkeep::settle(Result<jose::JwkSet> fetched) {
  const WallTime now = wake_.loop().wall();
  KeySource::Snapshot fresh = fetched ? std::make_shared<const jose::JwkSet>(std::move(*fetched)) : nullptr;
  failures_ = fresh ? 0 : failures_ + 1;
  const std::scoped_lock lock(keys_->mutex_);
  keys_->fetching_ = false;
  KeyStatus& status = keys_->status_;
  if (!fresh) {
    ++status.fetches_failed;
    status.last_error = fetched.error().detail;
    return;
  }
  ++status.fetches_ok;
  status.last_error.clear();
  status.keys = fresh->keys().size();
  status.notes = fresh->notes();
  status.loaded_at = now;
  keys_->keys_ = std::move(fresh);
}

// Instances that started together must not ask together for ever.
Duration KeyUpkeep::pause() {
  Duration base = keys_->settings_.refresh;
  if (failures_ > 0) {
    const Duration first = keys_->snapshot() ? UrlKeys::min_pause : UrlKeys::first_retry;
    const Duration doubled = first * (1 << std::min(failures_ - 1, 10));
    base = std::min(base, keys_->snapshot() ? doubled : std::min(doubled, UrlKeys::min_pause));
  }
  Byte bytes[2];
  random_.fill(bytes);
  const int thousandths = 900 + (bytes[0] * 256 + bytes[1]) % 201;
  return base / 1000 * thousandths;
}

void KeyUpkeep::wake_waiting() {
  for (net::Wake* wake : keys_->waiting_) wake->raise(1);
}

}  // namespace sallyport::auth
