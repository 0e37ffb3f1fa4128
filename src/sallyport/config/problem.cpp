#include "sallyport/config/problem.h"

#include <algorithm>
#include <cstdint>

namespace sallyport::config {

void Problems::add(Mark mark, std::string path, std::string message, std::string fix) {
  all_.push_back({std::move(mark), std::move(path), std::move(message), std::move(fix)});
}

std::string Problems::text() const {
  std::vector<const Problem*> sorted;
  sorted.reserve(all_.size());
  for (const Problem& problem : all_) sorted.push_back(&problem);
  std::sort(sorted.begin(), sorted.end(), [](const Problem* left, const Problem* right) {
    if (left->mark.line != right->mark.line) return left->mark.line < right->mark.line;
    if (left->mark.column != right->mark.column) return left->mark.column < right->mark.column;
    return left < right;
  });
  std::string out;
  for (const Problem* problem : sorted) {
    if (problem->mark.file) out += *problem->mark.file + ":";
    if (problem->mark.line > 0) out += std::to_string(problem->mark.line) + ":";
    if (!out.empty() && out.back() == ':') out += ' ';
    if (!problem->path.empty()) out += problem->path + ": ";
    out += problem->message;
    if (!problem->fix.empty()) out += (out.ends_with('.') ? " " : ". ") + problem->fix;
    out += '\n';
  }
  return out;
}

Error Problems::error() const {
  std::string detail = text();
  if (!detail.empty()) detail.pop_back();
  return Error{Reason::config_invalid, std::move(detail)};
}

std::string quoted(std::string_view text) {
  constexpr std::size_t shown = 60;
  bool cut = false;
  if (text.size() > shown) {
    std::size_t end = shown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text = text.substr(0, end);
    cut = true;
  }
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      constexpr char digits[] = "0123456789abcdef";
      out += "\\x";
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    } else {
      out += c;
    }
  }
  out += cut ? "…\"" : "\"";
  return out;
}

std::string join_path(std::string_view path, std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '$';
  });
  std::string out(path);
  if (!out.empty()) out += '.';
  out += plain ? std::string(key) : quoted(key);
  return out;
}

std::string join_path(std::string_view path, std::size_t index) {
  return std::string(path) + "[" + std::to_string(index) + "]";
}

namespace {

// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost 1 each.
std::size_t distance(std::string_view left, std::string_view right) {
  const std::size_t width = right.size() + 1;
  std::vector<std::size_t> before(width);
  std::vector<std::size_t> last(width);
  std::vector<std::size_t> row(width);
  for (std::size_t j = 0; j < width; ++j) last[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j < width; ++j) {
      const std::size_t change = left[i - 1] == right[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[width - 1];
}

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  // A name is short; a long word is not a misspelt one, and measuring it would only cost time.
  if (word.empty() || word.size() > 64) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    std::size_t found = distance(word, candidate);
    // `secret` for `secret_file`, `size` for `message_size`: a whole part of the name is nearer than its length says.
    if (word.size() >= 3 && candidate.size() > word.size() &&
        ((candidate.starts_with(word) && candidate[word.size()] == '_') ||
         (candidate.ends_with(word) && candidate[candidate.size() - word.size() - 1] == '_')))
      found = std::min<std::size_t>(found, 1);
    if (found < best_distance) {
      best = candidate;
      best_distance = found;
    }
  }
  return best;
}

}  // namespace sallyport::config
