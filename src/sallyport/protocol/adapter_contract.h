#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "sallyport/protocol/adapter.h"

/// What holds for every Adapter. The suite of an adapter runs it with messages of its protocol.
namespace sallyport::protocol::testing {

struct Sample {
  Message::Kind kind = Message::Kind::text;
  std::string content;
  /// Verb and resource of each operation.
  std::vector<std::pair<std::string, std::string>> operations;
};

struct AdapterContract {
  const Adapter* adapter = nullptr;
  Direction direction = Direction::to_backend;
  std::vector<Sample> good;
  /// Not to be understood.
  std::vector<Sample> bad;
};

inline void check_adapter_contract(const AdapterContract& contract) {
  Workspace workspace;
  // Exactly as large as the message, so that a sanitizer sees a look behind its end.
  const auto read = [&](const Sample& sample) {
    const std::vector<Byte> content(sample.content.begin(), sample.content.end());
    std::vector<std::pair<std::string, std::string>> operations;
    const auto result = contract.adapter->read({contract.direction, sample.kind, content}, workspace);
    if (!result.ok()) {
      const Reason reason = result.error().reason;
      CHECK((reason == Reason::message_malformed || reason == Reason::message_unsupported));
      CHECK(!result.error().detail.empty());
      return operations;
    }
    CHECK(!result->empty());
    for (const Operation& operation : *result) {
      CHECK(!operation.verb().empty());
      operations.emplace_back(operation.verb(), operation.resource());
    }
    return operations;
  };
  // Twice, in both orders: a message leaves nothing behind for the next.
  for (int round = 0; round < 2; ++round) {
    for (const Sample& sample : contract.good) {
      CAPTURE(sample.content);
      CHECK(read(sample) == sample.operations);
    }
    for (const Sample& sample : contract.bad) {
      CAPTURE(sample.content);
      CHECK(read(sample).empty());
      if (contract.good.empty()) continue;
      CHECK(read(contract.good.front()) == contract.good.front().operations);
    }
  }
  // A message that was cut off is judged without a look behind its end.
  for (const Sample& sample : contract.good) {
    if (sample.kind != Message::Kind::text) continue;
    for (std::size_t size = 0; size < sample.content.size(); ++size) {
      Sample part = sample;
      part.content.resize(size);
      (void)read(part);
    }
  }
}

}  // namespace sallyport::protocol::testing
