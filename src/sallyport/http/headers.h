#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::http {

/// One field line. Views into the Headers it came from.
struct Field {
  std::string_view name;
  std::string_view value;
};

/// Field lines in their order, names compared without regard to case. A value: copies own their bytes.
/// Lifetime: every view handed out holds until the Headers change, move or die.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Field> fields);

  void add(std::string_view name, std::string_view value);
  void reserve(std::size_t bytes, std::size_t fields);

  std::size_t size() const { return slots_.size(); }
  bool empty() const { return slots_.empty(); }
  Field operator[](std::size_t index) const;

  /// The first line called `name`; where a second would be an attack, ask count() or find_all().
  std::optional<std::string_view> find(std::string_view name) const;
  std::vector<std::string_view> find_all(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  /// The comma-separated elements of every line called `name`, trimmed, empty ones left out.
  std::vector<std::string_view> find_elements(std::string_view name) const;

  class Iterator {
   public:
    Iterator(const Headers* headers, std::size_t index) : headers_(headers), index_(index) {}
    Field operator*() const { return (*headers_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const Headers* headers_;
    std::size_t index_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, slots_.size()}; }

 private:
  // Offsets, not views: a moved std::string may keep its bytes inside itself.
  struct Slot {
    std::uint32_t at;
    std::uint32_t name_size;
    std::uint32_t value_size;
  };
  std::string text_;
  std::vector<Slot> slots_;
};

}  // namespace sallyport::http
