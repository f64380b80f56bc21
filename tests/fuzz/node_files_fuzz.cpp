// SPDX-License-Identifier: Apache-2.0
// Input: a letter that says which parser, then the file (or what an operator wants of a machine). Never a
// crash, and what is parsed is within bounds; what does not end in a newline is never a value.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "kernel/attribute.hpp"
#include "kernel/command_line.hpp"
#include "kernel/counters.hpp"
#include "kernel/meminfo.hpp"
#include "node/expect.hpp"

namespace {

using namespace allocd;

void require(bool holds) {
  if (!holds) std::abort();
}

bool parse_attribute(std::string_view text) {
  const auto number = kernel::parse_number(text);
  if (const auto flag = kernel::parse_switch(text)) require(number == (*flag ? 1U : 0U));
  const auto numbers = kernel::parse_numbers(text);
  if (numbers) require(!numbers->empty());
  const auto ids = kernel::parse_id_list(text);
  if (ids) {
    require(std::ranges::adjacent_find(*ids, std::greater_equal<>()) == ids->end());
    require(ids->empty() || ids->back() <= kernel::kMaxId);
  }
  return number || numbers || ids;
}

bool parse_selection(std::string_view text) {
  const auto selection = kernel::parse_selection(text);
  if (!selection) return false;
  require(!selection->chosen.empty());
  const auto& options = selection->options;
  require(options.empty() || std::ranges::find(options, selection->chosen) != options.end());
  return true;
}

bool parse_counters(std::string_view text) {
  return kernel::visit_counters(text, [](const kernel::Counter& counter) { require(!counter.name.empty()); });
}

bool parse_meminfo(std::string_view text) {
  return kernel::visit_meminfo(text, [](const kernel::MeminfoLine& line) { require(!line.key.empty()); });
}

bool parse_command_line(std::string_view text) {
  const auto words = kernel::parse_command_line(text);
  if (!words) return false;
  for (const auto& word : *words) static_cast<void>(kernel::sets_parameter(word, "iommu"));
  return true;
}

// "KEY VALUE": what is not accepted is never met.
void compare_expectation(std::string_view text) {
  const auto blank = std::min(text.find(' '), text.size());
  const std::string key(text.substr(0, blank));
  const std::string value(text.substr(std::min(blank + 1, text.size())));
  node::NodeState state;
  state.thp.is_supported = false;
  state.hugetlb.emplace();
  state.vm.swappiness = 60;
  const auto results = node::compare({{key, value}}, state);
  require(results.size() == 1 && results[0].key == key && results[0].wanted == value);
  if (node::check_expectation(key, value)) require(results[0].state == node::ExpectationState::unknown);
  static_cast<void>(node::nearest_expectation_key(key.substr(0, 64)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  bool is_value = false;
  switch (data[0]) {
    case 'a':
      is_value = parse_attribute(text);
      break;
    case 's':
      is_value = parse_selection(text);
      break;
    case 'c':
      is_value = parse_counters(text);
      break;
    case 'm':
      is_value = parse_meminfo(text);
      break;
    case 'l':
      is_value = parse_command_line(text);
      break;
    case 'e':
      compare_expectation(text);
      break;
    default:
      break;
  }
  require(!is_value || text.ends_with('\n'));
  return 0;
}
