// SPDX-License-Identifier: Apache-2.0
#include "snapshot/json.hpp"

#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "base/json_writer.hpp"
#include "snapshot/members.hpp"

namespace allocd::snapshot {

namespace {

using base::JsonWriter;

void write(JsonWriter& out, const detail::Tabled auto& object);
void write(JsonWriter& out, const std::array<policy::Link, policy::kLinkCount>& chain);

void write(JsonWriter& out, bool flag) {
  out.value(flag);
}
void write(JsonWriter& out, std::integral auto number) {
  out.value(number);
}
void write(JsonWriter& out, const std::string& text) {
  out.value(std::string_view(text));
}
// No figure of ours is infinite; if one were, 0 keeps the document readable where null would not.
void write(JsonWriter& out, double number) {
  out.value(std::isfinite(number) ? number : 0.0);
}

template <typename Enum>
  requires std::is_enum_v<Enum>
void write(JsonWriter& out, Enum value) {
  out.value(detail::kNamesOf<Enum>.name(value));
}

template <typename T>
void write(JsonWriter& out, const std::optional<T>& maybe) {
  out.value(maybe);
}

template <typename T>
void write(JsonWriter& out, const std::vector<T>& list) {
  out.begin_array();
  for (const auto& item : list) write(out, item);
  out.end_array();
}

template <typename Enum>
void write(JsonWriter& out, const std::map<Enum, std::uint32_t>& counts) {
  out.begin_object();
  for (const auto& [name, count] : counts) out.member(detail::kNamesOf<Enum>.name(name), count);
  out.end_object();
}

void write_members(JsonWriter& out, const auto& object) {
  detail::each_member(object, [&out](std::string_view key, const auto& member) {
    out.key(key);
    write(out, member);
  });
}

void write(JsonWriter& out, const std::array<policy::Link, policy::kLinkCount>& chain) {
  out.begin_array();
  for (std::size_t i = 0; i < chain.size(); ++i) {
    out.begin_object().member("link", policy::kLinkNames[i]);
    write_members(out, chain[i]);
    out.end_object();
  }
  out.end_array();
}

void write(JsonWriter& out, const detail::Tabled auto& object) {
  out.begin_object();
  write_members(out, object);
  out.end_object();
}

}  // namespace

void write_unit(JsonWriter& out, const Unit& unit) {
  write(out, unit);
}

std::string render_json(const Snapshot& snapshot) {
  JsonWriter out;
  write(out, snapshot);
  return out.take();
}

}  // namespace allocd::snapshot
