#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "sallyport/net/loop.h"

/// How a test waits for a coroutine.
namespace sallyport::net::testing {

template <class T>
Task<void> keep(Task<T> task, std::optional<T>& result) {
  result.emplace(co_await task);
}

/// Starts `task` and turns `loop` until it has its result.
template <class T>
T wait_for(Loop& loop, Task<T> task) {
  std::optional<T> result;
  loop.spawn(keep(std::move(task), result));
  while (!result) loop.turn(std::chrono::seconds(10));
  return std::move(*result);
}

/// Turns `loop` until nothing that was spawned on it is left.
inline void finish_all(Loop& loop) {
  while (loop.live_tasks() > 0) loop.turn(std::chrono::seconds(10));
}

}  // namespace sallyport::net::testing
