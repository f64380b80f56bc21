// SPDX-License-Identifier: Apache-2.0
// From a tree of JSON to the model: every fault names the place in the document.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "snapshot/json.hpp"
#include "snapshot/json_tree.hpp"
#include "snapshot/members.hpp"
#include "snapshot/skip_processes.hpp"

namespace allocd::snapshot {

namespace {

using detail::Json;
using detail::JsonMembers;
using detail::JsonTree;

constexpr std::size_t kLongestQuote = 120;

std::string in_quotes(std::string_view text) {
  return fmt::format("'{}'", base::escape_for_terminal(text.substr(0, kLongestQuote)));
}

// Where we are in the document, as a chain of steps that live on the stack; made text only for a fault.
struct Path {
  const Path* parent = nullptr;
  std::string_view key;  // empty: `index` is meant
  std::size_t index = 0;

  [[nodiscard]] std::string text() const {
    if (parent == nullptr) return "$";
    if (key.empty()) return fmt::format("{}[{}]", parent->text(), index);
    return fmt::format("{}.{}", parent->text(), base::escape_for_terminal(key.substr(0, kLongestQuote)));
  }
};

// Reads a tree into the model. The first problem is kept and everything after it is skipped.
class Reader {
 public:
  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

  void read(const Json& node, const Path& at, bool& out) {
    if (node.kind() != Json::Kind::boolean) return expected("true or false", node, at);
    out = node.boolean();
  }

  void read(const Json& node, const Path& at, double& out) {
    if (!node.is_number()) return expected("a number", node, at);
    out = node.number();
  }

  void read(const Json& node, const Path& at, std::string& out) {
    if (node.kind() != Json::Kind::string) return expected("a string", node, at);
    out = node.text();
  }

  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void read(const Json& node, const Path& at, T& out) {
    if (!node.is_integer()) return expected("an integer", node, at);
    const bool is_natural = node.kind() == Json::Kind::natural;
    const bool fits = is_natural ? std::in_range<T>(node.natural()) : std::in_range<T>(node.negative());
    if (!fits) {
      return fail(at, fmt::format("{} is outside {} to {}", node.integer_text(),
                                  std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    }
    out = is_natural ? static_cast<T>(node.natural()) : static_cast<T>(node.negative());
  }

  void read(const Json& node, const Path& at, kernel::Limit& out) {
    const bool is_text = node.kind() == Json::Kind::string;
    if (is_text && node.text() == "max") {
      out = {};
    } else if (is_text) {
      expected("an integer or 'max'", node, at);
    } else {
      read(node, at, out.bytes);
    }
  }

  template <typename Enum>
    requires std::is_enum_v<Enum>
  void read(const Json& node, const Path& at, Enum& out) {
    if (node.kind() != Json::Kind::string) return expected("a name", node, at);
    read_name(node.text(), at, out);
  }

  template <typename T>
  void read(const Json& node, const Path& at, std::optional<T>& out) {
    if (node.kind() != Json::Kind::null) read(node, at, out.emplace());
  }

  template <typename T>
  void read(const Json& node, const Path& at, std::vector<T>& out) {
    if (node.kind() != Json::Kind::array) return expected("an array", node, at);
    out.resize(node.size());
    Json item = node.first();
    for (std::size_t i = 0; i < out.size() && !problem_; ++i, item = item.after()) {
      read(item, Path{&at, {}, i}, out[i]);
    }
  }

  // The three kinds of keys an object may have besides a struct's: names of a closed set, ids, and the
  // kernel's own names.
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void read(const Json& node, const Path& at, std::map<Enum, std::uint32_t>& out) {
    for_each_key(node, at, [&](std::string_view key, const Json& count, const Path& step) {
      Enum name{};
      read_name(key, step, name);
      if (!problem_) read(count, step, out[name]);
    });
  }

  template <typename Enum, std::size_t Count>
  void read(const Json& node, const Path& at, kernel::Figures<Enum, Count>& out) {
    for_each_key(node, at, [&](std::string_view key, const Json& figure, const Path& step) {
      Enum name{};
      read_name(key, step, name);
      if (!problem_) read(figure, step, out[name].emplace());
    });
  }

  template <typename Enum, std::size_t Count>
  void read(const Json& node, const Path& at, std::map<unsigned, kernel::Figures<Enum, Count>>& out) {
    for_each_key(node, at, [&](std::string_view key, const Json& figures, const Path& step) {
      const auto id = base::parse_u64(key);
      if (!id || !std::in_range<unsigned>(*id)) return fail(step, "not the number of a node");
      read(figures, step, out[static_cast<unsigned>(*id)]);
    });
  }

  void read(const Json& node, const Path& at, node::Counters& out) {
    for_each_key(node, at, [&](std::string_view key, const Json& count, const Path& step) {
      read(count, step, out[std::string(key)]);
    });
  }

  void read(const Json& node, const Path& at, std::array<policy::Link, policy::kLinkCount>& chain) {
    if (node.kind() != Json::Kind::array) return expected("an array", node, at);
    if (node.size() != chain.size()) {
      return fail(at, fmt::format("{} links, expected {}", node.size(), chain.size()));
    }
    Json item = node.first();
    for (std::size_t i = 0; i < chain.size() && !problem_; ++i, item = item.after()) {
      const Path step{&at, {}, i};
      std::string link;
      if (item.kind() != Json::Kind::object) return expected("an object", item, step);
      JsonMembers members(item);
      read_member(members, step, "link", link);
      if (!problem_ && link != policy::kLinkNames[i]) return fail(step, "unexpected link " + in_quotes(link));
      read_object(item, step, chain[i]);
    }
  }

  void read(const Json& node, const Path& at, detail::Tabled auto& object) {
    if (node.kind() != Json::Kind::object) return expected("an object", node, at);
    read_object(node, at, object);
  }

 private:
  void for_each_key(const Json& node, const Path& at, auto&& visit) {
    if (node.kind() != Json::Kind::object) return expected("an object", node, at);
    Json key = node.first();
    for (std::size_t left = node.size(); left > 0 && !problem_; --left) {
      const Json value = key.after();
      visit(key.text(), value, Path{&at, key.text()});
      key = value.after();
    }
  }

  void read_object(const Json& node, const Path& at, auto& object) {
    JsonMembers members(node);
    detail::each_member(object,
                        [&](std::string_view key, auto& member) { read_member(members, at, key, member); });
  }

  void read_member(JsonMembers& members, const Path& at, std::string_view key, auto& member) {
    if (problem_) return;
    const Path step{&at, key};
    const auto found = members.find(key);
    if (!found) return fail(step, "missing");
    read(*found, step, member);
  }

  template <typename Enum>
  void read_name(std::string_view text, const Path& at, Enum& out) {
    const auto value = detail::kNamesOf<Enum>.parse(text);
    if (!value) return fail(at, "unknown name " + in_quotes(text));
    out = *value;
  }

  void expected(std::string_view what, const Json& node, const Path& at) {
    fail(at, fmt::format("expected {}, found {}", what, node.type_name()));
  }

  void fail(const Path& at, std::string_view what) {
    if (!problem_) problem_ = fmt::format("{}: {}", at.text(), what);
  }

  std::optional<std::string> problem_;
};

auto refuse(std::string_view cause) {
  return base::fault("parse", "the snapshot", cause);
}

std::optional<std::string> version_problem(const Json& document) {
  if (document.kind() != Json::Kind::object) {
    return fmt::format("$: expected an object, found {}", document.type_name());
  }
  const auto found = JsonMembers(document).find("schema_version");
  if (!found) return "$.schema_version: missing";
  if (found->kind() == Json::Kind::natural && found->natural() == std::uint64_t{kSchemaVersion})
    return std::nullopt;
  return fmt::format("$.schema_version: {} is not known here, only {}; allocd and this program differ",
                     found->is_integer() ? found->integer_text() : found->type_name(), kSchemaVersion);
}

}  // namespace

base::Result<Snapshot> parse_json(std::string_view text, Detail detail) {
  const auto tree = detail == Detail::without_processes ? JsonTree::parse(detail::skip_processes(text))
                                                        : JsonTree::parse(text);
  if (!tree) return std::unexpected(tree.error());
  const Json document(*tree);
  if (const auto problem = version_problem(document)) return refuse(*problem);
  Snapshot snapshot;
  Reader reader;
  reader.read(document, Path{}, snapshot);
  if (reader.problem()) return refuse(*reader.problem());
  return snapshot;
}

}  // namespace allocd::snapshot
