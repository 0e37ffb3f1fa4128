#include <algorithm>
#include <array>

#include "sallyport/base/clock.h"
#include "sallyport/base/log.h"
#include "sallyport/cli/admin_client.h"
#include "sallyport/cli/console.h"
#include "sallyport/cli/verbs.h"

namespace sallyport::cli {
namespace {

struct Column {
  const char* title;
  const char* member;
};
constexpr Column columns[] = {{"CONNECTION", "id"},     {"ROUTE", "route"},         {"SUBJECT", "subject"},
                              {"ISSUER", "issuer"},     {"MECHANISM", "mechanism"}, {"PEER", "peer"},
                              {"SINCE", "admitted_at"}, {"EXPIRES", "expires_at"}};

std::string cell(const json::Value& row, const char* member) {
  const json::Value* value = row.find(member);
  if (!value) return "-";
  if (const std::int64_t* seconds = value->integer())
    return to_rfc3339(from_unix_seconds(*seconds)).substr(0, 19) + "Z";
  return value->string() ? printable(*value->string()) : "-";
}

std::string table(const json::Array& rows) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns) lines[0].emplace_back(column.title);
  for (const json::Value& row : rows) {
    auto& line = lines.emplace_back();
    for (const Column& column : columns) line.push_back(cell(row, column.member));
  }
  std::array<std::size_t, std::size(columns)> widths{};
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string out;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) out.append(widths[i] - line[i].size() + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

int connections_list(const Arguments& arguments) {
  const Result<AdminClient> client = AdminClient::make(arguments);
  if (!client.ok()) return complain(client.error());
  const Result<json::Value> answer = client->call("GET", "/v1/connections");
  if (!answer.ok()) return complain(answer.error());
  const json::Value* list = answer->find("connections");
  print(arguments.has("--json") || !list || !list->array() ? json::dump(*answer) + "\n" : table(*list->array()));
  return exit_good;
}

int connections_close(const Arguments& arguments) {
  const Result<AdminClient> client = AdminClient::make(arguments);
  if (!client.ok()) return complain(client.error());
  const Result<json::Value> answer =
      client->call("DELETE", "/v1/connections/" + path_segment(arguments.operands().front()));
  if (!answer.ok()) return complain(answer.error());
  print(arguments.has("--json") ? json::dump(*answer) + "\n" : "closed\n");
  return exit_good;
}

}  // namespace

Verb connections_list_verb() {
  return {.name = "connections list",
          .line = "Shows who is connected.",
          .flags = with_admin_flags({{"--json", "", "Writes JSON: connections."}}),
          .example = "sallyport connections list --config sallyport.yaml",
          .run = connections_list};
}

Verb connections_close_verb() {
  return {.name = "connections close",
          .line = "Closes one connection; its credential stays good.",
          .operands = "ID",
          .fewest_operands = 1,
          .most_operands = 1,
          .flags = with_admin_flags({{"--json", "", "Writes JSON: closed."}}),
          .details = "To keep its user out as well: `sallyport revoke`.",
          .example = "sallyport connections close --config sallyport.yaml uc9nJXcj-qacE_0e4vMQ4g",
          .run = connections_close};
}

}  // namespace sallyport::cli
