#include "sallyport/http/headers.h"

#include "sallyport/base/result.h"
#include "sallyport/http/grammar.h"

namespace sallyport::http {

Headers::Headers(std::initializer_list<Field> fields) {
  for (const Field& field : fields) add(field.name, field.value);
}

void Headers::add(std::string_view name, std::string_view value) {
  SALLYPORT_CHECK(text_.size() + name.size() + value.size() <= UINT32_MAX);
  slots_.push_back({static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(name.size()),
                    static_cast<std::uint32_t>(value.size())});
  text_.append(name).append(value);
}

void Headers::reserve(std::size_t bytes, std::size_t fields) {
  text_.reserve(bytes);
  slots_.reserve(fields);
}

Field Headers::operator[](std::size_t index) const {
  const Slot& slot = slots_[index];
  const std::string_view text = text_;
  return {text.substr(slot.at, slot.name_size), text.substr(slot.at + slot.name_size, slot.value_size)};
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Field field : *this) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Headers::find_all(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const Field field : *this) {
    if (equal_ignoring_case(field.name, name)) out.push_back(field.value);
  }
  return out;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t count = 0;
  for (const Field field : *this) {
    if (equal_ignoring_case(field.name, name)) ++count;
  }
  return count;
}

std::vector<std::string_view> Headers::find_elements(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const Field field : *this) {
    if (!equal_ignoring_case(field.name, name)) continue;
    for (const std::string_view element : split_list(field.value)) {
      if (!element.empty()) out.push_back(element);
    }
  }
  return out;
}

}  // namespace sallyport::http
