// SPDX-License-Identifier: Apache-2.0
// A JSON document as one flat list of nodes in the order of the text, for reading it once.
//
// Why not the JSON library's own tree: a summary of fifty units has thirty thousand values, and a map node
// and a string for each cost more than all the rest of a scrape. Here a value is an entry of a list and its
// text a piece of one buffer. The library still does the parsing, strictly; its exceptions stop here. Private
// to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace allocd::snapshot::detail {

class JsonTree {
 public:
  enum class Kind : std::uint8_t { null, boolean, negative, natural, real, string, array, object };

  // An array's items follow it; an object's keys and values follow it, in turn. `end` is past all of it.
  struct Node {
    union {
      std::uint64_t natural = 0;  // natural, boolean; of a string: where its text begins
      std::int64_t negative;
      double real;
    };
    std::uint32_t end = 0;
    std::uint32_t size = 0;  // items, members; bytes of a string
    Kind kind = Kind::null;
  };

  // The whole of `text` must be one document of no more than 4 GiB.
  [[nodiscard]] static base::Result<JsonTree> parse(std::string_view text);

  [[nodiscard]] const Node& node(std::uint32_t index) const { return nodes_[index]; }
  [[nodiscard]] std::string_view text(const Node& node) const {
    return std::string_view(strings_).substr(node.natural, node.size);
  }

 private:
  friend class JsonTreeBuilder;
  std::vector<Node> nodes_;
  std::string strings_;
};

// One value of a tree, by which the reader sees it.
class Json {
 public:
  using Kind = JsonTree::Kind;

  explicit Json(const JsonTree& tree, std::uint32_t index = 0) : tree_(&tree), index_(index) {}

  [[nodiscard]] Kind kind() const { return node().kind; }
  [[nodiscard]] bool is_integer() const { return kind() == Kind::natural || kind() == Kind::negative; }
  [[nodiscard]] bool is_number() const { return is_integer() || kind() == Kind::real; }
  [[nodiscard]] bool boolean() const { return node().natural != 0; }
  [[nodiscard]] std::uint64_t natural() const { return node().natural; }
  [[nodiscard]] std::int64_t negative() const { return node().negative; }
  [[nodiscard]] double number() const;
  [[nodiscard]] std::string_view text() const { return tree_->text(node()); }
  [[nodiscard]] std::size_t size() const { return node().size; }

  // "a string", as a fault calls it; and an integer as it was written.
  [[nodiscard]] std::string_view type_name() const;
  [[nodiscard]] std::string integer_text() const;

  // The first item or key of an array or object that is not empty, and what comes after a value.
  [[nodiscard]] Json first() const { return Json(*tree_, index_ + 1); }
  [[nodiscard]] Json after() const { return Json(*tree_, node().end); }

 private:
  [[nodiscard]] const JsonTree::Node& node() const { return tree_->node(index_); }

  const JsonTree* tree_;
  std::uint32_t index_;
};

// Finds members of an object. Quick when they are asked for in the order in which they stand.
class JsonMembers {
 public:
  explicit JsonMembers(const Json& object) : object_(object), next_(object), left_(0) { rewind(); }

  // The value of the member; nothing when there is none.
  [[nodiscard]] std::optional<Json> find(std::string_view key);

 private:
  void rewind();
  [[nodiscard]] std::optional<Json> find_from_here(std::string_view key);

  Json object_;
  Json next_;  // a key, while left_ > 0
  std::size_t left_;
};

}  // namespace allocd::snapshot::detail
