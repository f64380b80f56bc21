// SPDX-License-Identifier: Apache-2.0
#include "ctl/sparkline.hpp"

#include <limits>
#include <vector>

#include "ctl/terminal_text.hpp"
#include "support/catch.hpp"

using namespace allocd::ctl;

namespace {

using Figures = std::vector<std::optional<double>>;

}  // namespace

TEST_CASE("a line rises from the lowest to the highest, in blocks and in ASCII") {
  const Figures rising{10, 20, 30, 40, 50, 60, 70, 80};
  CHECK(render_sparkline(rising, 60, true) == "▁▂▃▄▅▆▇█");
  CHECK(render_sparkline(rising, 60, false) == ".:-=+*#@");
  CHECK(render_sparkline(Figures{80, 10}, 60, true) == "█▁");
}

TEST_CASE("what was not seen has a mark of its own, and is not low") {
  CHECK(render_sparkline(Figures{10, std::nullopt, 80}, 60, true) == "▁·█");
  CHECK(render_sparkline(Figures{10, std::nullopt, 80}, 60, false) == ".?@");
  CHECK(render_sparkline(Figures{std::nullopt, std::nullopt}, 60, true) == "··");
  CHECK(render_sparkline(Figures{}, 60, true).empty());
  CHECK(render_sparkline(Figures{0, 0}, 60, true) == "▁▁");  // and 0 was seen
}

TEST_CASE("noise around a level looks flat") {
  CHECK(render_sparkline(Figures{1000, 1001, 1003, 1002}, 60, true) == "▁▁▁▁");
  CHECK(render_sparkline(Figures{1000, 1100}, 60, true) == "▁█");
}

TEST_CASE("more figures than columns: a mark is the lowest of its share, and all have one") {
  const Figures figures{8, 1, 9, 8, std::nullopt, std::nullopt, 9, std::nullopt, 8};
  CHECK(render_sparkline(figures, 3, true) == "▁██");
  CHECK(render_sparkline(figures, 9, true).size() > render_sparkline(figures, 8, true).size());
  CHECK(render_sparkline(figures, 1, true) == "▁");
  CHECK(render_sparkline(figures, 0, true).empty());
}

TEST_CASE("no figure breaks the line") {
  constexpr double kMost = std::numeric_limits<double>::max();
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  for (const auto& figures :
       {Figures{kMost, -kMost}, Figures{kInfinite, 1, kNaN}, Figures{-5, -4}, Figures{kNaN}}) {
    for (const bool utf8 : {true, false}) {
      const auto line = render_sparkline(figures, 60, utf8);
      CHECK(display_width(line) == figures.size());
      CHECK(printable(line, utf8) == line);
    }
  }
}
