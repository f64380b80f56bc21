// SPDX-License-Identifier: Apache-2.0
#include "snapshot/json_tree.hpp"

#include <fmt/format.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/text.hpp"

namespace allocd::snapshot::detail {

namespace {

constexpr std::size_t kLongestQuote = 120;

auto refuse(std::string_view cause) {
  return base::fault("parse", "the snapshot", cause);
}

}  // namespace

// Takes the library's events, see nlohmann::json_sax. Each answers whether to go on.
class JsonTreeBuilder {
 public:
  using Kind = JsonTree::Kind;

  JsonTreeBuilder(JsonTree& tree, std::size_t document_size) : tree_(tree), document_size_(document_size) {
    // About one value in eight bytes, and a third of the text is keys and strings.
    tree_.nodes_.reserve(document_size / 8);
    tree_.strings_.reserve(document_size / 2);
  }

  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

  bool null() {
    return add(Kind::null, [](auto&) {});
  }
  bool boolean(bool value) {
    return add(Kind::boolean, [&](auto& node) { node.natural = value ? 1 : 0; });
  }
  bool number_integer(std::int64_t value) {
    return add(Kind::negative, [&](auto& node) { node.negative = value; });
  }
  bool number_unsigned(std::uint64_t value) {
    return add(Kind::natural, [&](auto& node) { node.natural = value; });
  }
  bool number_float(double value, const std::string& /*text*/) {
    return add(Kind::real, [&](auto& node) { node.real = value; });
  }
  bool string(const std::string& value) { return add_text(value); }
  bool binary(const std::vector<std::uint8_t>& /*value*/) { return false; }  // JSON has none
  bool start_object(std::size_t /*size*/) { return open(Kind::object); }
  bool key(const std::string& value) { return add_text(value, false); }
  bool end_object() { return close(); }
  bool start_array(std::size_t /*size*/) { return open(Kind::array); }
  bool end_array() { return close(); }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& error) {
    constexpr int kSyntax = 1;  // the hundreds of the library's numbers of errors
    if (error.id / 100 != kSyntax) {
      problem_ = base::escape_for_terminal(std::string_view(error.what()).substr(0, kLongestQuote));
    } else if (position > document_size_) {
      problem_ = fmt::format("it ends early, after {} bytes", document_size_);
    } else {
      problem_ = fmt::format("not JSON at byte {}", position);
    }
    return false;
  }

 private:
  // A key is no item of its own: its value counts.
  bool add(Kind kind, auto&& fill, bool counts = true) {
    if (counts && !open_.empty()) ++tree_.nodes_[open_.back()].size;
    auto& node = tree_.nodes_.emplace_back();
    node.kind = kind;
    node.end = static_cast<std::uint32_t>(tree_.nodes_.size());
    fill(node);
    return true;
  }
  bool add_text(const std::string& text, bool counts = true) {
    const auto begin = tree_.strings_.size();
    tree_.strings_ += text;
    return add(
        Kind::string,
        [&](auto& node) {
          node.natural = begin;
          node.size = static_cast<std::uint32_t>(text.size());
        },
        counts);
  }
  bool open(Kind kind) {
    add(kind, [](auto&) {});
    open_.push_back(static_cast<std::uint32_t>(tree_.nodes_.size() - 1));
    return true;
  }
  bool close() {
    tree_.nodes_[open_.back()].end = static_cast<std::uint32_t>(tree_.nodes_.size());
    open_.pop_back();
    return true;
  }

  JsonTree& tree_;
  std::size_t document_size_;
  std::vector<std::uint32_t> open_;
  std::optional<std::string> problem_;
};

base::Result<JsonTree> JsonTree::parse(std::string_view text) {
  // Every value takes a byte of the text at least, so no index overflows.
  if (text.size() >= UINT32_MAX) return refuse("it is too long");
  JsonTree tree;
  try {
    JsonTreeBuilder builder(tree, text.size());
    const bool is_whole = nlohmann::json::sax_parse(text, &builder);
    if (builder.problem()) return refuse(*builder.problem());
    if (!is_whole) return refuse("not JSON");
  } catch (const std::exception& error) {  // memory
    return refuse(base::escape_for_terminal(std::string_view(error.what()).substr(0, kLongestQuote)));
  }
  return tree;
}

double Json::number() const {
  if (kind() == Kind::real) return node().real;
  return kind() == Kind::negative ? static_cast<double>(node().negative)
                                  : static_cast<double>(node().natural);
}

std::string_view Json::type_name() const {
  switch (kind()) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "boolean";
    case Kind::negative:
    case Kind::natural:
    case Kind::real:
      return "number";
    case Kind::string:
      return "string";
    case Kind::array:
      return "array";
    case Kind::object:
      return "object";
  }
  return "";
}

std::string Json::integer_text() const {
  return kind() == Kind::negative ? fmt::format("{}", negative()) : fmt::format("{}", natural());
}

void JsonMembers::rewind() {
  left_ = object_.size();
  if (left_ > 0) next_ = object_.first();
}

std::optional<Json> JsonMembers::find_from_here(std::string_view key) {
  while (left_ > 0) {
    const bool is_found = next_.text() == key;
    const Json value = next_.after();
    if (--left_ > 0) next_ = value.after();
    if (is_found) return value;
  }
  return std::nullopt;
}

std::optional<Json> JsonMembers::find(std::string_view key) {
  if (auto found = find_from_here(key)) return found;
  rewind();
  return find_from_here(key);
}

}  // namespace allocd::snapshot::detail
