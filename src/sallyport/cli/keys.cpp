#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "sallyport/base/json.h"
#include "sallyport/base/log.h"
#include "sallyport/cli/client_keys.h"
#include "sallyport/cli/console.h"
#include "sallyport/cli/key_file.h"
#include "sallyport/cli/verbs.h"
#include "sallyport/config/file.h"
#include "sallyport/config/value.h"
#include "sallyport/http/message_signature.h"

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

// ---- of clients

constexpr std::size_t largest_file = 16 * 1024 * 1024;
constexpr auto longest_time = std::chrono::hours(24 * 3660);

Error misused(std::string detail) { return {Reason::request_invalid, std::move(detail)}; }

Result<std::optional<std::chrono::seconds>> read_duration(const Arguments& arguments, std::string_view flag) {
  const auto text = arguments.find(flag);
  if (!text) return std::optional<std::chrono::seconds>();
  const auto duration = config::parse_duration(*text);
  if (!duration || *duration > longest_time) return misused(std::string(flag) + ": a duration such as 90d expected");
  return std::optional(std::chrono::duration_cast<std::chrono::seconds>(*duration));
}

Result<NewClientKey> read_wanted(const Arguments& arguments) {
  NewClientKey wanted;
  wanted.client = *arguments.find("--client");
  const std::string name = arguments.value_or("--algorithm", "EdDSA");
  const auto algorithm = crypto::parse_algorithm(name);
  if (!algorithm || !http::signature_algorithm_name(*algorithm))
    return misused("--algorithm: one of EdDSA, ES256, ES384, PS512, HS256 expected for a client");
  wanted.algorithm = *algorithm;
  wanted.kid = arguments.find("--kid");
  TRY(wanted.valid, read_duration(arguments, "--valid"));
  TRY(wanted.retire, read_duration(arguments, "--retire"));
  for (const auto& [flag, member] : {std::pair("--subject", "subject"), std::pair("--tenant", "tenant")}) {
    if (const auto value = arguments.find(flag)) wanted.members.emplace_back(member, *value);
  }
  for (const auto& [flag, member] : {std::pair("--scope", "scopes"), std::pair("--role", "roles")}) {
    json::Array list;
    for (const std::string& value : arguments.find_all(flag)) list.emplace_back(value);
    if (!list.empty()) wanted.members.emplace_back(member, std::move(list));
  }
  for (const std::string& given : arguments.find_all("--label")) {
    const std::size_t equals = given.find('=');
    if (equals == 0 || equals == std::string::npos) return misused("--label: NAME=VALUE expected");
    wanted.labels.emplace_back(given.substr(0, equals), given.substr(equals + 1));
  }
  return wanted;
}

// The text of the file, or nothing where there is none yet.
Result<Secret> read_clients(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return Secret();
  return config::load_secret_file(path, largest_file);
}

Result<int> new_client_key(const Arguments& arguments) {
  const auto path = arguments.find("--clients");
  if (!path) return misused("--clients: the file of clients is needed with --client");
  TRY(const NewClientKey wanted, read_wanted(arguments));
  TRY(const Secret present, read_clients(*path));
  const auto made = make_client_key(present.reveal(), wanted, SystemClock().wall());
  if (!made.ok()) return Error{made.error().reason, *path + ": " + made.error().detail};
  const std::string out = *arguments.find("--out");
  TRY_OK(create_file(out, made->key));
  const Result<void> written = present.empty() ? create_file(*path, made->clients) : replace_file(*path, made->clients);
  if (!written.ok()) {
    ::unlink(out.c_str());
    return written.error();
  }
  const std::string end = made->not_after ? to_rfc3339(*made->not_after).substr(0, 19) + "Z" : "";
  if (arguments.has("--json")) {
    print(json::dump(json::Object{{"client", wanted.client},
                                  {"kid", made->kid},
                                  {"alg", crypto::name(wanted.algorithm)},
                                  {"not_after", end.empty() ? json::Value() : json::Value(end)}}) +
          "\n");
  } else {
    print(std::string(crypto::name(wanted.algorithm)) + "  " + made->kid + "  " + wanted.client +
          (end.empty() ? "" : "  until " + end) + "\n");
  }
  return exit_good;
}

int keys_new_for_client(const Arguments& arguments) {
  const Result<int> made = new_client_key(arguments);
  return made.ok() ? *made : complain(made.error());
}

constexpr std::string_view client_flags[] = {"--clients", "--kid",   "--valid", "--retire", "--subject",
                                             "--tenant",  "--scope", "--role",  "--label"};

int keys_new(const Arguments& arguments) {
  if (arguments.has("--client")) return keys_new_for_client(arguments);
  for (const std::string_view flag : client_flags) {
    if (arguments.has(flag))
      return complain(misused(std::string(flag) + " is for the keys of a client: give --client"));
  }
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

constexpr Flag json_flag{"--json", "", "Writes JSON: keys (kid, alg, signs)."};

}  // namespace

Verb keys_new_verb() {
  return {
      .name = "keys new",
      .line = "Makes a file with a fresh private key, of the gateway's own or of a client that signs its requests.",
      .flags = {{"--out", "FILE", "Where to; never replaces a file.", Times::needed},
                {"--algorithm", "NAME",
                 "ES256 (default), EdDSA, ...; of a client EdDSA (default), ES256, ES384, PS512, HS256."},
                {"--client", "NAME", "Makes a key for this client of `signed_request`."},
                {"--clients", "FILE",
                 "`signed_request.keys_file`, into which what verifies the key is entered; made when absent."},
                {"--kid", "NAME", "What the client's key is called; by default a name that no other has."},
                {"--valid", "TIME", "How long it is good, such as 90d; by default without an end."},
                {"--retire", "TIME",
                 "When the client's other keys end, such as 7d: long enough to bring it the new one."},
                {"--subject", "SUBJECT", "Who the client's connections belong to; by default its name."},
                {"--tenant", "TENANT", "Its tenant."},
                {"--scope", "SCOPE", "A scope; may be given several times.", Times::any},
                {"--role", "ROLE", "A role; may be given several times.", Times::any},
                {"--label", "NAME=VALUE", "A label, such as device=t-1000; may be given several times.", Times::any},
                json_flag},
      .details =
          "Without --client: for `assertion.keys_file`, with which the gateway proves to backends who is connected, "
          "and "
          "for `token issue`.\n"
          "With it: --out gets what the client signs with, and --clients what the gateway verifies with; a running "
          "gateway "
          "takes it up\n"
          "within a second. `token sign-request` uses the former. JSON with --client: client, kid, alg, not_after.\n"
          "    sallyport keys new --client sensor-17 --clients devices.json --label site=north --out sensor-17.jwks\n"
          "    sallyport keys new --client sensor-17 --clients devices.json --retire 7d --out sensor-17-next.jwks",
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
