// SPDX-License-Identifier: Apache-2.0
// Writes JSON text into one growing buffer, without a tree in between.
//
// Why not the JSON library we read with: the observer renders thousands of values for every sample that
// is asked for, inside a 12 MiB budget; a tree of them costs more than the sample. Strings are made valid
// UTF-8. Integers are written exact; a double that is not finite becomes null. A bug in nesting asserts.
// Not thread-safe.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allocd::base {

class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  JsonWriter& value(double number);
  JsonWriter& null();
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  JsonWriter& value(T number) {
    if constexpr (std::signed_integral<T>) {
      return write_signed(static_cast<std::int64_t>(number));
    } else {
      return write_unsigned(static_cast<std::uint64_t>(number));
    }
  }
  template <typename T>
  JsonWriter& value(const std::optional<T>& maybe) {
    return maybe ? value(*maybe) : null();
  }
  // `"name": value`
  template <typename T>
  JsonWriter& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  // The finished document; every object and array must have been closed.
  [[nodiscard]] std::string take();

 private:
  void before_value();
  JsonWriter& write_signed(std::int64_t number);
  JsonWriter& write_unsigned(std::uint64_t number);

  std::string out_;
  std::vector<bool> has_members_;
  bool after_key_ = false;
};

}  // namespace allocd::base
