// SPDX-License-Identifier: Apache-2.0
// The one place that sees the JSON library; its exceptions stop in parse_tree().
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "snapshot/json.hpp"
#include "snapshot/members.hpp"
#include "snapshot/skip_processes.hpp"

namespace allocd::snapshot {

namespace {

using Json = nlohmann::json;

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
    if (!node.is_boolean()) return expected("true or false", node, at);
    out = node.get<bool>();
  }

  void read(const Json& node, const Path& at, double& out) {
    if (!node.is_number()) return expected("a number", node, at);
    out = node.get<double>();
  }

  void read(const Json& node, const Path& at, std::string& out) {
    if (!node.is_string()) return expected("a string", node, at);
    out = node.get_ref<const std::string&>();
  }

  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void read(const Json& node, const Path& at, T& out) {
    if (!node.is_number_integer()) return expected("an integer", node, at);
    const bool fits = node.is_number_unsigned() ? std::in_range<T>(node.get<std::uint64_t>())
                                                : std::in_range<T>(node.get<std::int64_t>());
    if (!fits) {
      return fail(at, fmt::format("{} is outside {} to {}", node.dump(), std::numeric_limits<T>::min(),
                                  std::numeric_limits<T>::max()));
    }
    out = node.get<T>();
  }

  void read(const Json& node, const Path& at, kernel::Limit& out) {
    if (node == "max") {
      out = {};
    } else if (node.is_string()) {
      expected("an integer or 'max'", node, at);
    } else {
      read(node, at, out.bytes);
    }
  }

  template <typename Enum>
    requires std::is_enum_v<Enum>
  void read(const Json& node, const Path& at, Enum& out) {
    if (!node.is_string()) return expected("a name", node, at);
    read_name(node.get_ref<const std::string&>(), at, out);
  }

  template <typename T>
  void read(const Json& node, const Path& at, std::optional<T>& out) {
    if (!node.is_null()) read(node, at, out.emplace());
  }

  template <typename T>
  void read(const Json& node, const Path& at, std::vector<T>& out) {
    if (!node.is_array()) return expected("an array", node, at);
    out.resize(node.size());
    for (std::size_t i = 0; i < out.size() && !problem_; ++i) read(node[i], Path{&at, {}, i}, out[i]);
  }

  // The three kinds of keys an object may have besides a struct's: names of a closed set, ids, and the
  // kernel's own names.
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void read(const Json& node, const Path& at, std::map<Enum, std::uint32_t>& out) {
    for_each_key(node, at, [&](const std::string& key, const Json& count, const Path& step) {
      Enum name{};
      read_name(key, step, name);
      if (!problem_) read(count, step, out[name]);
    });
  }

  template <typename Enum, std::size_t Count>
  void read(const Json& node, const Path& at, kernel::Figures<Enum, Count>& out) {
    for_each_key(node, at, [&](const std::string& key, const Json& figure, const Path& step) {
      Enum name{};
      read_name(key, step, name);
      if (!problem_) read(figure, step, out[name].emplace());
    });
  }

  template <typename Enum, std::size_t Count>
  void read(const Json& node, const Path& at, std::map<unsigned, kernel::Figures<Enum, Count>>& out) {
    for_each_key(node, at, [&](const std::string& key, const Json& figures, const Path& step) {
      const auto id = base::parse_u64(key);
      if (!id || !std::in_range<unsigned>(*id)) return fail(step, "not the number of a node");
      read(figures, step, out[static_cast<unsigned>(*id)]);
    });
  }

  void read(const Json& node, const Path& at, node::Counters& out) {
    for_each_key(node, at, [&](const std::string& key, const Json& count, const Path& step) {
      read(count, step, out[key]);
    });
  }

  void read(const Json& node, const Path& at, std::array<policy::Link, policy::kLinkCount>& chain) {
    if (!node.is_array()) return expected("an array", node, at);
    if (node.size() != chain.size()) {
      return fail(at, fmt::format("{} links, expected {}", node.size(), chain.size()));
    }
    for (std::size_t i = 0; i < chain.size() && !problem_; ++i) {
      const Path step{&at, {}, i};
      std::string link;
      if (!node[i].is_object()) return expected("an object", node[i], step);
      read_member(node[i], step, "link", link);
      if (!problem_ && link != policy::kLinkNames[i]) return fail(step, "unexpected link " + in_quotes(link));
      read_object(node[i], step, chain[i]);
    }
  }

  void read(const Json& node, const Path& at, detail::Tabled auto& object) {
    if (!node.is_object()) return expected("an object", node, at);
    read_object(node, at, object);
  }

 private:
  void for_each_key(const Json& node, const Path& at, auto&& visit) {
    if (!node.is_object()) return expected("an object", node, at);
    for (const auto& [key, value] : node.items()) {
      visit(key, value, Path{&at, key});
      if (problem_) return;
    }
  }

  void read_object(const Json& node, const Path& at, auto& object) {
    detail::each_member(object,
                        [&](std::string_view key, auto& member) { read_member(node, at, key, member); });
  }

  void read_member(const Json& node, const Path& at, std::string_view key, auto& member) {
    if (problem_) return;
    const auto found = node.find(key);
    const Path step{&at, key};
    if (found == node.end()) return fail(step, "missing");
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

base::Result<Json> parse_tree(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    if (error.byte > text.size()) {
      return refuse(fmt::format("it ends early, after {} bytes", text.size()));
    }
    return refuse(fmt::format("not JSON at byte {}", error.byte));
  } catch (const std::exception& error) {  // a number out of range, or memory
    return refuse(base::escape_for_terminal(std::string_view(error.what()).substr(0, kLongestQuote)));
  }
}

std::optional<std::string> version_problem(const Json& tree) {
  if (!tree.is_object()) return fmt::format("$: expected an object, found {}", tree.type_name());
  const auto found = tree.find("schema_version");
  if (found == tree.end()) return "$.schema_version: missing";
  if (*found == kSchemaVersion) return std::nullopt;
  return fmt::format("$.schema_version: {} is not known here, only {}; allocd and this program differ",
                     found->is_number_integer() ? found->dump() : found->type_name(), kSchemaVersion);
}

}  // namespace

base::Result<Snapshot> parse_json(std::string_view text, Detail detail) {
  const auto tree =
      detail == Detail::without_processes ? parse_tree(detail::skip_processes(text)) : parse_tree(text);
  if (!tree) return std::unexpected(tree.error());
  if (const auto problem = version_problem(*tree)) return refuse(*problem);
  Snapshot snapshot;
  Reader reader;
  reader.read(*tree, Path{}, snapshot);
  if (reader.problem()) return refuse(*reader.problem());
  return snapshot;
}

}  // namespace allocd::snapshot
