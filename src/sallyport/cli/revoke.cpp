#include "sallyport/cli/admin_client.h"
#include "sallyport/cli/console.h"
#include "sallyport/cli/verbs.h"
#include "sallyport/config/value.h"

namespace sallyport::cli {
namespace {

struct HandleFlag {
  std::string_view flag;
  const char* member;
};
constexpr HandleFlag handle_flags[] = {{"--sub", "sub"},
                                       {"--sid", "sid"},
                                       {"--jti", "jti"},
                                       {"--token-hash", "token_hash"},
                                       {"--connection", "connection"}};

/// `2 connections closed in 1.5 ms (revocation 7)`.
std::string sentence(const json::Value& answer) {
  const std::int64_t* closed = answer.find("closed") ? answer.find("closed")->integer() : nullptr;
  const double* taken = answer.find("milliseconds") ? answer.find("milliseconds")->real() : nullptr;
  const std::int64_t* id = answer.find("id") ? answer.find("id")->integer() : nullptr;
  const std::int64_t count = closed ? *closed : 0;
  char time[32] = "";
  if (taken) std::snprintf(time, sizeof time, " in %.1f ms", *taken);
  return std::to_string(count) + (count == 1 ? " connection" : " connections") + " closed" + time +
         (id ? " (revocation " + std::to_string(*id) + ")" : "") + "\n";
}

int revoke(const Arguments& arguments) {
  json::Object body;
  for (const HandleFlag& handle : handle_flags) {
    if (const auto value = arguments.find(handle.flag)) body.emplace_back(handle.member, *value);
  }
  if (body.size() != 1) {
    complain("exactly one of --sub, --sid, --jti, --token-hash, --connection is needed");
    return exit_misused;
  }
  if (const auto issuer = arguments.find("--issuer")) body.emplace_back("issuer", *issuer);
  if (const auto before = arguments.find("--issued-before")) {
    const auto seconds = config::parse_integer(*before);
    if (*before != "now" && !seconds) {
      complain("--issued-before: `now` or seconds since 1970 expected");
      return exit_misused;
    }
    body.emplace_back("issued_before", seconds ? json::Value(*seconds) : json::Value("now"));
  }
  if (const auto reason = arguments.find("--reason")) body.emplace_back("reason", *reason);
  const Result<AdminClient> client = AdminClient::make(arguments);
  if (!client.ok()) return complain(client.error());
  const Result<json::Value> answer = client->call("POST", "/v1/revocations", std::move(body));
  if (!answer.ok()) return complain(answer.error());
  print(arguments.has("--json") ? json::dump(*answer) + "\n" : sentence(*answer));
  return exit_good;
}

int token_revoke(const Arguments& arguments) {
  const Result<AdminClient> client = AdminClient::make(arguments);
  if (!client.ok()) return complain(client.error());
  const Result<json::Value> answer = client->call("DELETE", "/v1/tokens/" + path_segment(arguments.operands().front()));
  if (!answer.ok()) return complain(answer.error());
  print(arguments.has("--json") ? json::dump(*answer) + "\n" : sentence(*answer));
  return exit_good;
}

}  // namespace

Verb revoke_verb() {
  return {
      .name = "revoke",
      .line = "Ends what a user, session, token or connection may do: live connections close, later ones are refused.",
      .flags = with_admin_flags(
          {{"--sub", "SUBJECT", "Everything of this user."},
           {"--sid", "SESSION", "Everything of this session."},
           {"--jti", "ID", "The token of this id."},
           {"--token-hash", "HEX", "The token with this SHA-256; `token inspect` shows it."},
           {"--connection", "ID", "This connection."},
           {"--issuer", "ISS", "Only credentials of this issuer."},
           {"--issued-before", "WHEN", "Only credentials issued before: `now`, or seconds since 1970."},
           {"--reason", "TEXT", "For the log."},
           {"--json", "", "Writes JSON: id, closed, milliseconds."}}),
      .details =
          "Exactly one of the first five. Without --issued-before, credentials issued later are refused as well; with "
          "`now`, "
          "the user\nmay log in again.",
      .example = "sallyport revoke --config sallyport.yaml --sub alice --issued-before now --reason 'laptop lost'",
      .run = revoke};
}

Verb token_revoke_verb() {
  return {
      .name = "token revoke",
      .line = "Revokes an opaque token by its id and closes its connections.",
      .operands = "ID",
      .fewest_operands = 1,
      .most_operands = 1,
      .flags = with_admin_flags({{"--json", "", "Writes JSON: id, closed, milliseconds."}}),
      .details =
          "ID is what `token issue --opaque` said. For any other token: `sallyport revoke --jti` or `--token-hash`.",
      .example = "sallyport token revoke --config sallyport.yaml p3bRMf__SMVCWZvgvgHMaw",
      .run = token_revoke};
}

}  // namespace sallyport::cli
