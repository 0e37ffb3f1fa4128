#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

/// Numbers that one thread writes and any thread reads. Each loop has its own; the admin side adds them up.
namespace sallyport::metric {

/// Only rises. Threads: one writer, any reader.
class Counter {
 public:
  void add(std::uint64_t by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Rises and falls. Threads: one writer, any reader.
class Gauge {
 public:
  void add(std::int64_t by) { value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// How long something took. Units: seconds, in buckets from 1 ms to 10 s. Threads: one writer, any reader.
class Histogram {
 public:
  static constexpr std::array<double, 10> bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10};
  void observe(double seconds) {
    std::size_t bucket = 0;
    while (bucket < bounds.size() && seconds > bounds[bucket]) ++bucket;
    buckets_[bucket].add();
    microseconds_.add(static_cast<std::uint64_t>(seconds * 1e6));
  }
  std::uint64_t bucket(std::size_t index) const { return buckets_[index].value(); }
  double sum() const { return static_cast<double>(microseconds_.value()) / 1e6; }

 private:
  std::array<Counter, bounds.size() + 1> buckets_;
  Counter microseconds_;
};

/// Writes the Prometheus text format. Names end in their unit or `_total`; label values come from closed lists only.
class Exposition {
 public:
  /// Starts a family; samples of it follow.
  void family(std::string_view name, std::string_view type, std::string_view help);
  /// `labels` is empty or `name="value",…`.
  void sample(std::string_view labels, std::uint64_t value) { line("", labels, std::to_string(value)); }
  void sample(std::string_view labels, std::int64_t value) { line("", labels, std::to_string(value)); }
  void sample(std::string_view labels, double value);
  /// Buckets, sum and count. `counts` are per bucket, not cumulative; one more than there are bounds.
  void histogram(const std::array<std::uint64_t, Histogram::bounds.size() + 1>& counts, double sum);
  const std::string& text() const { return text_; }

 private:
  void line(std::string_view suffix, std::string_view labels, std::string_view value);
  std::string text_;
  std::string name_;
};

}  // namespace sallyport::metric
