// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ctl/advice.hpp"
#include "ctl/enforce/environment_view.hpp"
#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/summary.hpp"
#include "ctl/table.hpp"
#include "ctl/views.hpp"

namespace allocd::ctl {

namespace {

using policy::Verdict;
using snapshot::Unit;

constexpr std::array<std::string_view, policy::kLinkCount> kLinkTitles{"policy", "on disk", "loaded",
                                                                       "started after", "resolved"};

std::string_view mark(Verdict verdict, bool utf8) {
  switch (verdict) {
    case Verdict::holds:
      return utf8 ? "✓" : "yes";
    case Verdict::fails:
      return utf8 ? "✗" : "NO";
    case Verdict::unknown:
      return "?";
    case Verdict::not_applicable:
      return utf8 ? "–" : "-";
  }
  return "?";
}

Style style_of_link(Verdict verdict, bool first_broken) {
  if (first_broken) return verdict == Verdict::fails ? Style::bad : Style::warning;
  if (verdict == Verdict::holds) return Style::good;
  return Style::plain;
}

// The link where the chain breaks is pointed at, in colour and out of it.
void add_link(std::string& out, const policy::Link& link, std::size_t place, bool broken,
              const RenderOptions& options) {
  const std::size_t mark_width = options.utf8 ? 1 : 3;
  const auto sign = mark(link.verdict, options.utf8);
  const std::size_t sign_width = options.utf8 ? 1 : sign.size();
  const auto style = style_of_link(link.verdict, broken);
  const auto label = fmt::format("{} {}{} {}", broken ? ">" : " ", sign,
                                 std::string(mark_width - sign_width, ' '), kLinkTitles.at(place));
  add_labelled(out, options,
               {.label = label,
                .text = link.evidence.empty() ? "no evidence was recorded" : link.evidence,
                .indent = 0,
                .label_width = 3 + mark_width + 14,
                .label_style = style,
                .style = broken ? style : Style::plain});
}

void add_chain(std::string& out, const policy::Assessment& assessment, const RenderOptions& options) {
  const std::size_t broken = first_broken_link(assessment);
  const bool point = !is_settled(assessment.state);
  out += "\n";
  for (std::size_t i = 0; i < assessment.chain.size(); ++i) {
    add_link(out, assessment.chain[i], i, point && i == broken, options);
  }
}

void add_advice(std::string& out, const Unit& unit, const RenderOptions& options) {
  const auto advice = advice_for(unit.assessment.reason, unit.name);
  add_heading(out, options, "What it means");
  add_prose(out, options, advice.meaning, 2);
  add_heading(out, options, "What to do");
  add_prose(out, options, advice.action, 2);
}

constexpr std::size_t kMostListed = 20;

void add_differing(std::string& out, const Unit& unit, const RenderOptions& options) {
  Table table({{.title = "PID", .align = Align::right},
               {.title = "ROLE", .cut = Cut::end},
               {.title = "USES"},
               {.title = "STATE"},
               {.title = "REASON"}});
  std::size_t differing = 0;
  for (const auto& process : unit.processes) {
    if (is_settled(process.state) || ++differing > kMostListed) continue;
    table.add_row({{std::to_string(process.pid)},
                   {role_text(process)},
                   {std::string(allocator::kKindNames.name(process.evidence.active))},
                   {std::string(policy::kStateNames.name(process.state)), style_of(process.state)},
                   {std::string(policy::kReasonNames.name(process.reason))}});
    if (!process.evidence.detail.empty()) table.add_note(process.evidence.detail);
  }
  if (differing == 0) return;
  add_heading(out, options, fmt::format("Processes that differ: {} of {}", differing, unit.processes.size()));
  out += table.render(options, 2);
  if (differing > kMostListed) {
    add_prose(out, options, fmt::format("and {} more: allocctl show {}", differing - kMostListed, unit.name),
              2);
  }
}

}  // namespace

std::string render_explain(const Unit& unit, const RenderOptions& options) {
  std::string out;
  add_prose(out, options, fmt::format("{}: {}", unit.name, verdict_text(unit.assessment)), 0,
            style_of(unit.assessment.state));
  add_chain(out, unit.assessment, options);
  add_environment(out, unit.environment, options);
  add_advice(out, unit, options);
  add_differing(out, unit, options);
  return out;
}

}  // namespace allocd::ctl
