#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"

namespace sallyport::protocol {

enum class Direction : std::uint8_t { to_backend, to_client };

/// A whole message, unmasked.
/// Trust: the content is hostile, except that a text is UTF-8.
struct Message {
  enum class Kind : std::uint8_t { text, binary };
  Direction direction;
  Kind kind;
  Bytes content;
};

/// What a message asks for: a verb, and the one thing that the verb is about. Rules speak of operations, never of bytes. A message that
/// asks for several things, a batch or a verb on two resources, has an operation for each, and goes on only if all are allowed.
/// Trust: both are a peer's words, but UTF-8 without control characters, of bounded length, and what every sound parser of the
///        protocol reads in the message.
class Operation {
 public:
  /// Never empty.
  std::string_view verb() const { return verb_; }
  /// Empty: the message names none.
  std::string_view resource() const { return resource_; }

 private:
  friend class Adapter;
  Operation(std::string_view verb, std::string_view resource) : verb_(verb), resource_(resource) {}
  std::string_view verb_;
  std::string_view resource_;
};

/// Memory that the adapters of one loop use in turn, so that a message costs no allocation once it has grown.
struct Workspace {
  std::vector<Operation> operations;
  std::string text;  ///< what had to be written anew, such as a name without its escapes
};

/// Understands the messages of one application protocol. What it cannot understand for certain, or what two parsers could understand
/// in two ways, it refuses: the backend must not see in a message what the gateway did not.
/// Threads: immutable and shared by all loops.
class Adapter {
 public:
  virtual ~Adapter() = default;

  /// The operations of `message`, at least one.
  /// Trust:    the message's content is hostile.
  /// Errors:   `message.malformed`, `message.unsupported` for a kind of message that the protocol does not have; nothing else.
  /// Lifetime: until the message's bytes, or `workspace`, are used for something else.
  virtual Result<std::span<const Operation>> read(const Message& message, Workspace& workspace) const = 0;

 protected:
  /// `verb` is not empty.
  static Operation operation(std::string_view verb, std::string_view resource) { return {verb, resource}; }
};

}  // namespace sallyport::protocol
