#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"
#include "sallyport/config/environment.h"
#include "sallyport/config/value.h"

/// The steps of configuration that touch the world; everything else in this folder is pure.
namespace sallyport::config {

/// The whole text of the configuration file at `path`.
/// Errors: `config.invalid` when it cannot be read, is no regular file or is larger than max_text_size.
Result<std::string> load_text(const std::string& path);

/// The folder that relative paths in the file at `path` start from.
std::string folder_of(std::string_view path);

/// The secret that `source` points to. One line end after it is removed; everything else counts.
/// Units:  a secret has 1 to 65,536 bytes.
/// Errors: `config.invalid` when there is none, the variable is not set, the file cannot be read, is no regular file,
/// or may be
///         read or changed by everybody on the machine; the detail says how to mend it.
Result<Secret> load_secret(const SecretSource& source, const Environment& environment);

/// The whole of a file that holds many secrets, such as the keys of all clients; nothing is removed from its end.
/// Errors: as load_secret(), and `config.invalid` when it is larger than `max_size` bytes.
Result<Secret> load_secret_file(const std::string& path, std::size_t max_size);

}  // namespace sallyport::config
