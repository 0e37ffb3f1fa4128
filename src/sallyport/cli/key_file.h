#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"
#include "sallyport/jose/jwk.h"

/// Files of private keys: `{"keys": [JWK, ...]}`, the signing one first, readable by their owner only.
namespace sallyport::cli {

/// Whether a file may hold shared secrets: those of clients do, those whose public halves are published do not.
enum class SharedSecrets : std::uint8_t { refused, taken };

/// Errors: `config.invalid` when it is no such set, is empty, or holds a key that cannot sign or is a shared secret where none belongs; `where` names it in the detail.
Result<std::vector<jose::SigningKey>> parse_keys(std::string_view text, const std::string& where,
                                                 SharedSecrets secrets = SharedSecrets::refused);
/// The keys of the file. Errors: also `config.invalid` when it cannot be read or is open to everybody on the machine.
Result<std::vector<jose::SigningKey>> load_keys(const std::string& path,
                                                SharedSecrets secrets = SharedSecrets::refused);

/// A symmetric key is a bug.
Secret keys_text(std::span<const jose::SigningKey> keys);
/// The public halves as a JWK set, for whoever verifies.
std::string public_keys_text(std::span<const jose::SigningKey> keys);

/// Writes a file that was not there, readable by its owner only: whole or not at all.
/// Errors: `config.invalid`, also when there is one.
Result<void> create_file(const std::string& path, const Secret& text);
/// Puts `text` in the place of the file that is there: whoever opens it finds the old one or the new one, never half. Owner and
/// group stay; nobody gains access. Errors: `config.invalid`, also when there is none.
Result<void> replace_file(const std::string& path, const Secret& text);

}  // namespace sallyport::cli
