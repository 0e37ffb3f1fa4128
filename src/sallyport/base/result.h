#pragma once

#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "sallyport/base/reason.h"

namespace sallyport {

/// Expected trouble: a public, stable Reason and a detail that only operators see.
/// Trust: `detail` may quote hostile input, so it is escaped where it is written; it never holds a credential or a secret.
struct Error {
  Reason reason;
  std::string detail;
};

/// A T, or the Error that took its place. Every Error denies.
/// Errors: value() on an Error and error() on a value are bugs and throw BugError.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }

  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return error_.value(); }
  Error&& error() && { return std::move(error_).value(); }

 private:
  std::optional<Error> error_;
};

/// A broken promise inside Sallyport itself. Thrown by CHECK, caught by the listener, costs one connection (`internal.bug`).
class BugError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void throw_bug(const char* condition, std::source_location where = std::source_location::current());

}  // namespace sallyport

#define SALLYPORT_CONCAT_(a, b) a##b
#define SALLYPORT_CONCAT(a, b) SALLYPORT_CONCAT_(a, b)
#define SALLYPORT_TRY_(leave, result, declaration, ...) \
  auto result = (__VA_ARGS__);                          \
  if (!result.ok()) leave std::move(result).error();    \
  declaration = std::move(result).value()
#define SALLYPORT_TRY_OK_(leave, result, ...) \
  if (auto result = (__VA_ARGS__); !result.ok()) leave std::move(result).error()

/// `TRY(auto x, f())` declares x from the value of f(), or returns its Error. CO_TRY is the same inside a coroutine.
#define TRY(declaration, ...) SALLYPORT_TRY_(return, SALLYPORT_CONCAT(try_result_, __LINE__), declaration, __VA_ARGS__)
#define CO_TRY(declaration, ...) \
  SALLYPORT_TRY_(co_return, SALLYPORT_CONCAT(try_result_, __LINE__), declaration, __VA_ARGS__)
/// For a Result<void>, or where the value is not wanted.
#define TRY_OK(...) SALLYPORT_TRY_OK_(return, SALLYPORT_CONCAT(try_result_, __LINE__), __VA_ARGS__)
#define CO_TRY_OK(...) SALLYPORT_TRY_OK_(co_return, SALLYPORT_CONCAT(try_result_, __LINE__), __VA_ARGS__)

#define SALLYPORT_CHECK(condition) ((condition) ? static_cast<void>(0) : ::sallyport::throw_bug(#condition))
