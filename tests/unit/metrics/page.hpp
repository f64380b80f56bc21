// SPDX-License-Identifier: Apache-2.0
// Reads an exposition back, line by line, so that tests can ask for one series.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "metrics/metrics.hpp"

namespace allocd::test {

struct Page {
  explicit Page(std::string page) : text(std::move(page)) {
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::string_view line = base::take_line(rest);
      if (line.starts_with("# ")) {
        comments.emplace_back(line);
        continue;
      }
      const std::size_t space = line.rfind(' ');
      const auto [at, fresh] = series.emplace(line.substr(0, space), line.substr(space + 1));
      if (!fresh) duplicates.emplace_back(at->first);
    }
  }
  explicit Page(const metrics::Scrape& scrape) : Page(metrics::render_page(scrape)) {}

  [[nodiscard]] std::string value(const std::string& name) const {
    const auto found = series.find(name);
    return found == series.end() ? "no sample" : found->second;
  }
  // Series whose text begins so.
  [[nodiscard]] std::size_t count(std::string_view prefix) const {
    std::size_t number = 0;
    for (const auto& [name, text_value] : series) number += std::size_t{name.starts_with(prefix)};
    return number;
  }
  // Series about units: all of them carry the label first.
  [[nodiscard]] std::size_t about_units() const {
    std::size_t number = 0;
    for (const auto& [name, text_value] : series)
      number += std::size_t{name.find("{unit=") != std::string::npos};
    return number;
  }

  std::string text;
  std::vector<std::string> comments;
  std::map<std::string, std::string> series;
  std::vector<std::string> duplicates;
};

}  // namespace allocd::test
