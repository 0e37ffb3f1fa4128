#pragma once

#include <span>
#include <string>

#include "sallyport/cli/arguments.h"

namespace sallyport::cli {

Verb serve_verb();

/// Every verb, in the order of the help.
std::span<const Verb> verbs();

/// The whole program. Returns what the process ends with.
int run(std::span<const std::string> words);

}  // namespace sallyport::cli
