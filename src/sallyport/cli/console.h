#pragma once

#include <string>
#include <string_view>

#include "sallyport/base/json.h"
#include "sallyport/base/result.h"

/// The terminal, or whatever the process was started with in its place.
namespace sallyport::cli {

/// To standard output, as it is.
void print(std::string_view text);
/// To standard error: `sallyport: ` and `text` on a line.
void complain(std::string_view text);
/// `complain` about `error`, and what the process ends with: misuse for a wrong request or configuration, a refusal otherwise.
int complain(const Error& error);
/// `text` with every control character (C0, DEL, C1) and stray byte made visible, so that it cannot command a terminal.
/// Trust: `text` is hostile.
std::string printable(std::string_view text);
/// The JSON text of `value`, made visible in the same way; it still is JSON.
std::string printable_json(const json::Value& value);
/// Everything up to the end of standard input, without one line end after it. Errors: `request.invalid` beyond 1 MiB.
Result<std::string> read_input();
/// The whole file, without one line end after it. Errors: `config.invalid` when it cannot be read or is larger than 1 MiB.
Result<std::string> read_file(const std::string& path);

}  // namespace sallyport::cli
