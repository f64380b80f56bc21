// SPDX-License-Identifier: Apache-2.0
#include "settings/yaml_document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <sstream>
#include <utility>

namespace allocd::settings {

namespace {

// yaml-cpp takes the end of the file for the end of an open quote, without a word. A document end marker
// behind the text makes it an error, and changes nothing else.
constexpr std::string_view kSentinel = "\n...\n";

// Thrown out of the event handlers to stop the parser: it offers no other way, and older versions recurse
// once for each level of nesting without a bound. Caught below, in parse_document.
struct Stop {
  TextError error;
};

// yaml-cpp's mark, counted from 0 in lines and bytes, in our terms.
Place place_of(const SourceLines& source, const YAML::Mark& mark) {
  return source.place(mark.line + 1, static_cast<std::size_t>(std::max(mark.column, 0)));
}

class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const SourceLines& source) : source_(source) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ < 2) return;
    const auto place = place_of(source_, mark);
    const auto line = source_.line(place.line);
    if (place.column == 1 && line.starts_with("---")) {
      throw Stop{
          {place, "a second YAML document begins here", "one file holds one document; use several files"}};
    }
    throw Stop{{place, "the settings end before this line",
                "is it indented as the lines above, and is it 'key: value' as they are?"}};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    add(make(YamlNode::Kind::null, mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    add(make(YamlNode::Kind::alias, mark));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    auto node = make(YamlNode::Kind::scalar, mark, tag);
    node.plain = tag == "?";  // "!" is what yaml-cpp gives a quoted or block scalar
    node.text = value;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open(make(YamlNode::Kind::list, mark, tag));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(make(YamlNode::Kind::map, mark, tag));
  }
  void OnMapEnd() override { close(); }

  [[nodiscard]] std::optional<YamlNode> take_root() { return std::exchange(root_, std::nullopt); }
  // Where the last node that was understood begins.
  [[nodiscard]] Place last_place() const { return last_place_; }

 private:
  struct Open {
    YamlNode node;
    std::optional<YamlNode> key;  // of the map entry that waits for its value
  };

  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark, std::string_view tag = "?") {
    YamlNode node;
    node.kind = kind;
    node.place = place_of(source_, mark);
    node.tagged = !tag.empty() && tag != "?" && tag != "!";
    if (kind != YamlNode::Kind::null) last_place_ = node.place;
    return node;
  }

  void open(YamlNode node) {
    if (std::ssize(open_) == kDeepest) {
      throw Stop{
          {node.place, fmt::format("nested more than {} levels deep", kDeepest), "settings nest 5 levels"}};
    }
    open_.push_back({std::move(node), std::nullopt});
  }

  void close() {
    auto node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      parent.node.entries.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    }
  }

  const SourceLines& source_;
  std::vector<Open> open_;
  std::optional<YamlNode> root_;
  int documents_ = 0;
  Place last_place_{1, 1};
};

struct Explanation {
  std::string_view theirs;
  std::string_view ours;
  std::string_view hint;
};
constexpr std::string_view kColonHint =
    "is the line indented as its neighbours, is there a blank after each ':', is a quote missing?";
const std::array<Explanation, 15> kExplanations{{
    {YAML::ErrorMsg::MAP_VALUE, "a ':' where no key can stand", kColonHint},
    {YAML::ErrorMsg::MAP_KEY, "a key where none can stand", kColonHint},
    {YAML::ErrorMsg::END_OF_MAP, "a line that is no 'key: value'", kColonHint},
    {YAML::ErrorMsg::END_OF_SEQ, "a line that is no '- item'", kColonHint},
    {YAML::ErrorMsg::BLOCK_ENTRY, "a '-' where no list item can stand",
     "put each '- item' on a line of its own"},
    {YAML::ErrorMsg::END_OF_MAP_FLOW, "a '{' is not closed", "add the '}'"},
    {YAML::ErrorMsg::END_OF_SEQ_FLOW, "a '[' is not closed", "add the ']', or quote the text"},
    {YAML::ErrorMsg::FLOW_END, "a ']' or '}' that closes nothing", "remove it, or quote the text"},
    {YAML::ErrorMsg::DOC_IN_SCALAR, "a quote is not closed", "close the quote"},
    {YAML::ErrorMsg::EOF_IN_SCALAR, "a quote is not closed", "close the quote"},
    {YAML::ErrorMsg::UNKNOWN_ANCHOR, "a '*' begins an alias", "put a pattern that begins with '*' in quotes"},
    {YAML::ErrorMsg::ALIAS_NOT_FOUND, "a '*' begins an alias",
     "put a pattern that begins with '*' in quotes"},
    {YAML::ErrorMsg::CHAR_IN_BLOCK, "a '>' or '|' begins a block of lines",
     "put a value that begins with '>' in quotes, such as '>=65530'"},
    {YAML::ErrorMsg::UNKNOWN_TOKEN, "a character that can begin no value", "put the text in quotes"},
    {YAML::ErrorMsg::TAB_IN_INDENTATION, "tab in the indentation", "YAML indents with spaces"},
}};

TextError explain(const YAML::Exception& error, const SourceLines& source, Place last_place) {
  // Past the end is the sentinel: what was left open began after the last node that was understood.
  const bool past_end = error.mark.line >= source.count();
  const auto place = past_end ? last_place : place_of(source, error.mark);
  const auto* known =
      std::ranges::find_if(kExplanations, [&](const auto& e) { return error.msg.starts_with(e.theirs); });
  if (known == kExplanations.end()) return {place, "not valid YAML: " + error.msg, ""};
  return {place, std::string(known->ours), std::string(known->hint)};
}

}  // namespace

Document parse_document(const SourceLines& source) {
  std::istringstream stream(source.text() + std::string(kSentinel));
  TreeBuilder builder(source);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop& stop) {
    return std::unexpected(stop.error);
  } catch (const YAML::Exception& error) {
    return std::unexpected(explain(error, source, builder.last_place()));
  } catch (const std::exception& error) {
    return std::unexpected(TextError{{}, std::string("not readable as YAML: ") + error.what(), ""});
  }
  return builder.take_root();
}

std::string_view describe(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return "a text";
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
    case YamlNode::Kind::alias:
      break;
  }
  return "an alias";
}

}  // namespace allocd::settings
