// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/plan_view.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "ctl/enforce/diff.hpp"
#include "ctl/lines.hpp"
#include "ctl/terminal_text.hpp"

namespace allocd::ctl {

namespace {

using policy::Action;
using policy::PlanItem;
using policy::PlanReason;

Style style_of(DiffLineKind kind) {
  switch (kind) {
    case DiffLineKind::file:
      return Style::heading;
    case DiffLineKind::hunk:
      return Style::faint;
    case DiffLineKind::added:
      return Style::good;
    case DiffLineKind::removed:
      return Style::bad;
    case DiffLineKind::same:
      break;
  }
  return Style::plain;
}

void add_diff(std::string& out, const policy::FileChange& change, const RenderOptions& options) {
  for (const auto& line : make_diff(change))
    out.append(paint(options, style_of(line.kind), printable(line.text, options.utf8))).append("\n");
}

void add_field(std::string& out, const RenderOptions& options, std::string_view label,
               std::string_view text) {
  add_labelled(out, options, {.label = label, .text = text, .label_width = 7, .where = Break::between_words});
}

void add_paragraph(std::string& out, const RenderOptions& options, std::string_view text,
                   std::size_t indent = 0, Style style = Style::plain) {
  add_prose(out, options, text, indent, style, Break::between_words);
}

void separate(std::string& out) {
  if (!out.empty()) out += "\n";
}

void add_change(std::string& out, const PlanItem& item, const PlanContext& context,
                const RenderOptions& options) {
  separate(out);
  const bool updates = item.reason == PlanReason::to_update;
  add_paragraph(
      out, options,
      fmt::format("{}: {}", item.target, updates ? "update" : policy::kActionNames.name(item.action)), 0,
      Style::heading);
  add_field(out, options, "why", item.sentence);
  add_field(out, options, "reaches", item.units.empty() ? "no loaded unit" : list_names(item.units));
  for (const auto& note : item.notes) add_field(out, options, "note", note);
  if (context.observed.contains(item.service))
    add_field(out, options, "note", "mode: observe: only allocctl apply writes this");
  for (const auto& change : item.files) add_diff(out, change, options);
}

// Blocked, or left as it is though there is a policy for it.
void add_standing(std::string& out, const PlanItem& item, Style style, const RenderOptions& options) {
  add_paragraph(out, options, fmt::format("{}: {}", item.target, policy::kPlanReasonNames.name(item.reason)),
                2, style);
  add_paragraph(out, options, item.sentence, 4);
  for (const auto& note : item.notes) add_paragraph(out, options, "note: " + note, 4);
}

bool is_named(const PlanItem& item, const PlanContext& context) {
  const auto asked = [&](const std::string& name) { return context.named.contains(name); };
  return asked(item.target) || std::ranges::any_of(item.units, asked);
}

// Nothing is done for it, and not because all is as it should be.
bool is_left(const PlanItem& item, const PlanContext& context) {
  if (item.action != Action::keep || item.reason == PlanReason::in_place) return false;
  return item.reason != PlanReason::no_policy || is_named(item, context);
}

template <typename Predicate>
void add_section(std::string& out, std::string_view title, Style style, const policy::Plan& plan,
                 const RenderOptions& options, Predicate belongs) {
  bool first = true;
  for (const auto& item : plan.items) {
    if (!belongs(item)) continue;
    if (first) {
      separate(out);
      out.append(paint(options, Style::heading, title)).append("\n");
    }
    first = false;
    add_standing(out, item, style, options);
  }
}

template <typename Predicate>
std::size_t count_items(const policy::Plan& plan, Predicate belongs) {
  return static_cast<std::size_t>(std::ranges::count_if(plan.items, belongs));
}

std::string describe_counts(const policy::Plan& plan, const PlanContext& context) {
  const auto with = [&](Action action) {
    return count_items(plan, [&](const PlanItem& item) { return item.action == action; });
  };
  const std::array<std::pair<std::size_t, std::string_view>, 5> counts{
      {{with(Action::write), "to write"},
       {with(Action::remove), "to remove"},
       {with(Action::blocked), "blocked"},
       {count_items(plan, [](const PlanItem& item) { return item.reason == PlanReason::in_place; }),
        "in place"},
       {count_items(plan, [&](const PlanItem& item) { return is_left(item, context); }), "left as it is"}}};
  std::vector<std::string> words;
  for (const auto& [count, word] : counts) {
    if (count > 0) words.push_back(fmt::format("{} {}", count, word));
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

void add_summary(std::string& out, const policy::Plan& plan, const PlanContext& context,
                 const RenderOptions& options) {
  separate(out);
  if (!context.unread.empty()) {
    add_paragraph(out, options,
                  fmt::format("systemd has not read the files of {} since they changed: the next apply makes "
                              "it, and so does `systemctl daemon-reload`.",
                              list_names(context.unread)));
  }
  const auto counts = describe_counts(plan, context);
  if (!plan.has_changes() && !plan.has_blocked()) {
    add_paragraph(out, options,
                  counts.empty() ? "Nothing to do: no unit that is loaded has a policy."
                                 : fmt::format("Nothing to do: {}.", counts));
    return;
  }
  add_paragraph(out, options, counts + ".");
  if (!plan.has_changes() || context.next_step.empty()) return;
  // On the same line if it can be copied from there in one piece.
  const auto step = printable(context.next_step, options.utf8);
  if (display_width(counts) + 2 + display_width(step) <= options.width) out.back() = ' ';
  out.append(step).append("\n");
}

}  // namespace

std::string list_names(const std::vector<std::string>& names) {
  constexpr std::size_t kMostNamed = 10;
  const std::size_t shown = std::min(names.size(), kMostNamed);
  const auto text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return shown == names.size() ? text : fmt::format("{} and {} more", text, names.size() - shown);
}

std::string render_plan_text(const policy::Plan& plan, const PlanContext& context,
                             const RenderOptions& options) {
  std::string out;
  for (const auto& item : plan.items) {
    if (item.action == Action::write || item.action == Action::remove)
      add_change(out, item, context, options);
  }
  add_section(out, "Left as it is", Style::plain, plan, options,
              [&](const PlanItem& item) { return is_left(item, context); });
  add_section(out, "Blocked", Style::warning, plan, options,
              [](const PlanItem& item) { return item.action == Action::blocked; });
  add_summary(out, plan, context, options);
  return out;
}

}  // namespace allocd::ctl
