#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::config {

/// Looks up an environment variable; nothing when it is not set. An argument everywhere, so that validation stays pure.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

/// An environment in which nothing is set.
Environment empty_environment();
/// The environment of this process.
/// Threads: while nobody changes it; nothing here does.
Environment process_environment();

/// The NAME of `env:NAME`, the form in which any scalar may be taken from the environment; nothing when `text` is
/// something else. Trust: `text` is hostile; a name is letters, digits and underscores.
std::optional<std::string_view> parse_environment_name(std::string_view text);

}  // namespace sallyport::config
