#include "sallyport/cli/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sallyport/base/json.h"
#include "sallyport/cli/arguments.h"
#include "sallyport/net/socket.h"

namespace sallyport::cli {
namespace {

constexpr std::size_t longest_input = std::size_t{1} << 20;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

Result<std::string> read_all(int fd, const std::string& name, Reason reason) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error{reason, name + ": " + std::strerror(errno)};
    if (count == 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > longest_input) return Error{reason, name + ": larger than 1 MiB"};
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

enum class Escapes : std::uint8_t { readable, kept };

/// JSON escapes C0 and replaces what is no UTF-8. Left are DEL and C1 (U+0080 to U+009F, in two bytes).
std::string show_controls(std::string_view text, Escapes escapes) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    const bool c1 = byte == 0xc2 && next < 0xa0;
    if (c1 || byte == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c1 ? next : byte);
      out += escaped;
      if (c1) ++i;
    } else if (byte == '\\' && (next == '"' || next == '\\')) {
      if (escapes == Escapes::kept) out += '\\';
      out += text[++i];
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

void print(std::string_view text) { write_all(STDOUT_FILENO, text); }

void complain(std::string_view text) { write_all(STDERR_FILENO, "sallyport: " + std::string(text) + "\n"); }

int complain(const Error& error) {
  complain(error.detail.empty() ? row(error.reason).name : std::string_view(error.detail));
  return error.reason == Reason::config_invalid || error.reason == Reason::request_invalid ? exit_misused
                                                                                           : exit_refused;
}

std::string printable(std::string_view text) {
  std::string out;
  json::append_quoted(out, text);
  return show_controls(std::string_view(out).substr(1, out.size() - 2), Escapes::readable);
}

std::string printable_json(const json::Value& value) { return show_controls(json::dump(value), Escapes::kept); }

Result<std::string> read_input() { return read_all(STDIN_FILENO, "standard input", Reason::request_invalid); }

Result<std::string> read_file(const std::string& path) {
  const net::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error{Reason::config_invalid, path + ": " + std::strerror(errno)};
  return read_all(fd.get(), path, Reason::config_invalid);
}

}  // namespace sallyport::cli
