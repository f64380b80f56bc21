// SPDX-License-Identifier: Apache-2.0
#include "snapshot/json.hpp"

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/json_writer.hpp"
#include "snapshot/members.hpp"

namespace allocd::snapshot {

namespace {

// Where the document goes, and how much of it.
struct Output {
  base::JsonWriter& json;
  Detail detail = Detail::everything;
};

void write(Output& out, const detail::Tabled auto& object);
void write(Output& out, const std::array<policy::Link, policy::kLinkCount>& chain);

void write(Output& out, bool flag) {
  out.json.value(flag);
}
void write(Output& out, std::integral auto number) {
  out.json.value(number);
}
void write(Output& out, const std::string& text) {
  out.json.value(std::string_view(text));
}
// No figure of ours is infinite; if one were, 0 keeps the document readable where null would not.
void write(Output& out, double number) {
  out.json.value(std::isfinite(number) ? number : 0.0);
}

// As the kernel writes it.
void write(Output& out, kernel::Limit limit) {
  limit.is_unlimited() ? out.json.value("max") : out.json.value(limit.bytes);
}

template <typename Enum>
  requires std::is_enum_v<Enum>
void write(Output& out, Enum value) {
  out.json.value(detail::kNamesOf<Enum>.name(value));
}

// A figure that may be absent has a better word than 0 where it is not finite: null, by the writer itself.
void write(Output& out, const std::optional<double>& maybe) {
  out.json.value(maybe);
}

template <typename T>
void write(Output& out, const std::optional<T>& maybe) {
  if (!maybe) {
    out.json.null();
    return;
  }
  write(out, *maybe);
}

template <typename T>
void write(Output& out, const std::vector<T>& list) {
  out.json.begin_array();
  for (const auto& item : list) write(out, item);
  out.json.end_array();
}

void write(Output& out, const std::vector<Process>& processes) {
  out.json.begin_array();
  if (out.detail == Detail::everything) {
    for (const auto& process : processes) write(out, process);
  }
  out.json.end_array();
}

template <typename Enum>
void write(Output& out, const std::map<Enum, std::uint32_t>& counts) {
  out.json.begin_object();
  for (const auto& [name, count] : counts) out.json.member(detail::kNamesOf<Enum>.name(name), count);
  out.json.end_object();
}

void write(Output& out, const node::Counters& counters) {
  out.json.begin_object();
  for (const auto& [name, count] : counters) out.json.member(name, count);
  out.json.end_object();
}

// Only what is present; a name that is not there is an absent figure.
template <typename Enum, std::size_t Count>
void write(Output& out, const kernel::Figures<Enum, Count>& figures) {
  out.json.begin_object();
  for (const Enum key : detail::kNamesOf<Enum>.values()) {
    if (figures[key]) out.json.member(detail::kNamesOf<Enum>.name(key), *figures[key]);
  }
  out.json.end_object();
}

// By node id.
template <typename Enum, std::size_t Count>
void write(Output& out, const std::map<unsigned, kernel::Figures<Enum, Count>>& nodes) {
  out.json.begin_object();
  for (const auto& [id, figures] : nodes) {
    out.json.key(std::to_string(id));
    write(out, figures);
  }
  out.json.end_object();
}

void write_members(Output& out, const auto& object) {
  detail::each_member(object, [&out](std::string_view key, const auto& member) {
    out.json.key(key);
    write(out, member);
  });
}

void write(Output& out, const std::array<policy::Link, policy::kLinkCount>& chain) {
  out.json.begin_array();
  for (std::size_t i = 0; i < chain.size(); ++i) {
    out.json.begin_object().member("link", policy::kLinkNames[i]);
    write_members(out, chain[i]);
    out.json.end_object();
  }
  out.json.end_array();
}

void write(Output& out, const detail::Tabled auto& object) {
  out.json.begin_object();
  write_members(out, object);
  out.json.end_object();
}

}  // namespace

void write_unit(base::JsonWriter& out, const Unit& unit) {
  Output whole{out};
  write(whole, unit);
}

void write_drift(base::JsonWriter& out, const drift::Report& report) {
  Output whole{out};
  write(whole, report);
}

void write_node(base::JsonWriter& out, const Node& node) {
  Output whole{out};
  write(whole, node);
}

void write_model_files(base::JsonWriter& out, const std::vector<ModelFiles>& files) {
  Output whole{out};
  write(whole, files);
}

std::string render_json(const Snapshot& snapshot, Detail detail) {
  base::JsonWriter json;
  Output out{json, detail};
  write(out, snapshot);
  return json.take();
}

}  // namespace allocd::snapshot
