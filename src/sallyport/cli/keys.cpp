#include "sallyport/base/json.h"
#include "sallyport/cli/console.h"
#include "sallyport/cli/key_file.h"
#include "sallyport/cli/verbs.h"
#include "sallyport/config/value.h"

namespace sallyport::cli {
namespace {

constexpr std::int64_t most_kept = 16;

Result<crypto::Algorithm> read_algorithm(const Arguments& arguments, std::string_view otherwise) {
  const std::string name = arguments.value_or("--algorithm", otherwise);
  const auto algorithm = crypto::parse_algorithm(name);
  if (!algorithm || crypto::is_symmetric(*algorithm)) {
    return Error{Reason::request_invalid,
                 "--algorithm: one of ES256, ES384, ES512, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512 expected"};
  }
  return *algorithm;
}

void report(const Arguments& arguments, const std::vector<jose::SigningKey>& keys) {
  if (arguments.has("--json")) {
    json::Array list;
    for (const jose::SigningKey& key : keys) {
      list.emplace_back(
          json::Object{{"kid", key.kid()}, {"alg", crypto::name(key.algorithm())}, {"signs", &key == keys.data()}});
    }
    print(json::dump(json::Object{{"keys", std::move(list)}}) + "\n");
    return;
  }
  for (const jose::SigningKey& key : keys) {
    std::string line(crypto::name(key.algorithm()));
    print(line.append("  ").append(key.kid()).append(&key == keys.data() ? "  signs\n" : "  published only\n"));
  }
}

int keys_new(const Arguments& arguments) {
  const Result<crypto::Algorithm> algorithm = read_algorithm(arguments, "ES256");
  if (!algorithm.ok()) return complain(algorithm.error());
  std::vector<jose::SigningKey> keys;
  keys.push_back(jose::SigningKey::generate(*algorithm));
  const Result<void> written = create_file(*arguments.find("--out"), keys_text(keys));
  if (!written.ok()) {
    complain(written.error());
    return exit_refused;
  }
  report(arguments, keys);
  return exit_good;
}

int keys_list(const Arguments& arguments) {
  const auto keys = load_keys(*arguments.find("--keys"));
  if (!keys.ok()) return complain(keys.error());
  if (arguments.has("--jwks")) {
    print(public_keys_text(*keys));
  } else {
    report(arguments, *keys);
  }
  return exit_good;
}

int keys_rotate(const Arguments& arguments) {
  const std::string path = *arguments.find("--keys");
  auto present = load_keys(path);
  if (!present.ok()) return complain(present.error());
  const Result<crypto::Algorithm> algorithm = read_algorithm(arguments, crypto::name(present->front().algorithm()));
  if (!algorithm.ok()) return complain(algorithm.error());
  const auto kept = config::parse_integer(arguments.value_or("--keep", "1"));
  if (!kept || *kept < 0 || *kept > most_kept) {
    return complain(
        Error{Reason::request_invalid, "--keep: a number from 0 to " + std::to_string(most_kept) + " expected"});
  }
  std::vector<jose::SigningKey> keys;
  keys.push_back(jose::SigningKey::generate(*algorithm));
  for (jose::SigningKey& key : *present) {
    if (keys.size() <= static_cast<std::size_t>(*kept)) keys.push_back(std::move(key));
  }
  const Result<void> written = replace_file(path, keys_text(keys));
  if (!written.ok()) {
    complain(written.error());
    return exit_refused;
  }
  report(arguments, keys);
  return exit_good;
}

constexpr Flag algorithm_flag{"--algorithm", "NAME", "ES256 (default), EdDSA, ..."};
constexpr Flag json_flag{"--json", "", "Writes JSON: keys (kid, alg, signs)."};

}  // namespace

Verb keys_new_verb() {
  return {.name = "keys new",
          .line = "Makes a file with a fresh private key.",
          .flags = {{"--out", "FILE", "Where to; never replaces a file.", Times::needed}, algorithm_flag, json_flag},
          .details =
              "For `assertion.keys_file`, with which the gateway proves to backends who is connected, and for `token "
              "issue`.",
          .example = "sallyport keys new --out keys.jwks",
          .run = keys_new};
}

Verb keys_list_verb() {
  return {
      .name = "keys list",
      .line = "Shows which keys a file holds, never the private part.",
      .flags = {{"--keys", "FILE", "The keys.", Times::needed},
                {"--jwks", "", "Writes the public halves as a JWK set, for whoever verifies."},
                json_flag},
      .details = "The first key signs; the others are only published, so that what they signed can still be verified.",
      .example = "sallyport keys list --keys keys.jwks",
      .run = keys_list};
}

Verb keys_rotate_verb() {
  return {
      .name = "keys rotate",
      .line = "Puts a fresh key first and forgets the oldest.",
      .flags = {{"--keys", "FILE", "The keys.", Times::needed},
                {"--keep", "N", "How many of the present keys stay published (1)."},
                {"--algorithm", "NAME", "That of the fresh key; by default that of the one that signs now."},
                json_flag},
      .details =
          "Reload the gateway afterwards (SIGHUP). Keep a key for as long as something that it signed may be verified.",
      .example = "sallyport keys rotate --keys keys.jwks --keep 2",
      .run = keys_rotate};
}

}  // namespace sallyport::cli
