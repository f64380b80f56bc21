// SPDX-License-Identifier: Apache-2.0
// Plans as people see them, against files, and with names that are other people's bytes.
#include "ctl/enforce/plan_view.hpp"

#include <string>

#include "base/text.hpp"
#include "ctl/enforce/diff.hpp"
#include "ctl/terminal_text.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/plan_cases.hpp"

using namespace allocd;
using namespace allocd::ctl;
using policy::Action;
using policy::PlanItem;
using policy::PlanReason;

namespace {

PlanItem item(std::string target, Action action, PlanReason reason, std::string sentence) {
  PlanItem made;
  made.target = target;
  made.units = {std::move(target)};
  made.service = "svc";
  made.action = action;
  made.reason = reason;
  made.sentence = std::move(sentence);
  return made;
}

// One of every kind.
policy::Plan sample_plan() {
  test::PlanUnit unit;
  unit.service.malloc_conf = "background_thread:true";
  auto plan = policy::decide_plan({unit.input()}, {.version = "0.1.0"});
  plan.items.front().notes = {"/etc/default/vllm:3: the line is no assignment and systemd skips it"};
  auto update =
      item("sglang@.service", Action::write, PlanReason::to_update, "service sglang: allocator tcmalloc");
  update.units = {"sglang@a.service", "sglang@b.service"};
  update.service = "sglang";
  update.files = {{"/etc/systemd/system/sglang@.service.d/zz-allocd.conf", "one\ntwo\nthree\nfour\nfive\n",
                   "one\ntwo\nTHREE\nfour\nfive"}};
  auto removed = item("old.service", Action::remove, PlanReason::no_policy, "the policy asks for nothing");
  removed.units.clear();
  removed.files = {{"/run/systemd/system/old.service.d/zz-allocd.conf", "[Service]\n", std::nullopt}};
  plan.items.push_back(std::move(update));
  plan.items.push_back(std::move(removed));
  plan.items.push_back(
      item("tgi.service", Action::blocked, PlanReason::secure_execution,
           "/opt/a/very/long/path/that/is/wider/than/the/whole/line/of/eighty/columns/text-generation "
           "is setuid or has file capabilities: the dynamic linker drops LD_PRELOAD"));
  plan.items.push_back(
      item("own.service", Action::keep, PlanReason::yields,
           "the unit preloads an allocator itself at /etc/default/own:2, and the policy yields"));
  plan.items.push_back(
      item("good.service", Action::keep, PlanReason::in_place, "service svc: allocator jemalloc"));
  plan.items.push_back(
      item("free.service", Action::keep, PlanReason::no_policy, "the policy asks for nothing"));
  return plan;
}

PlanContext sample_context() {
  return {
      .observed = {"vllm"}, .named = {}, .unread = {"good.service"}, .next_step = "Run: sudo allocctl apply"};
}

void check_golden(const std::string& name, const std::string& text) {
  test::check_golden("unit/ctl/golden/" + name + ".txt", text);
}

std::string join(const std::vector<DiffLine>& lines) {
  std::string text;
  for (const auto& line : lines) text += line.text + "\n";
  return text;
}

}  // namespace

TEST_CASE("a plan with one item of every kind") {
  const auto plan = sample_plan();
  check_golden("plan", render_plan_text(plan, sample_context(), {}));
  check_golden("plan_color", render_plan_text(plan, sample_context(), {.color = true}));
}

TEST_CASE("a plan in which nothing changes says so, and what was asked for by name is shown") {
  policy::Plan plan;
  CHECK(render_plan_text(plan, {}, {}) == "Nothing to do: no unit that is loaded has a policy.\n");
  plan.items = {item("good.service", Action::keep, PlanReason::in_place, ""),
                item("free.service", Action::keep, PlanReason::no_policy, "the policy asks for nothing")};
  CHECK(render_plan_text(plan, sample_context(), {}).ends_with("Nothing to do: 1 in place.\n"));
  const auto text =
      render_plan_text(plan, {.observed = {}, .named = {"free.service"}, .unread = {}, .next_step = ""}, {});
  CHECK(text ==
        "Left as it is\n  free.service: no_policy\n    the policy asks for nothing\n\n"
        "Nothing to do: 1 in place, 1 left as it is.\n");
}

TEST_CASE("only what changes leads to another command") {
  policy::Plan plan;
  plan.items = {item("tgi.service", Action::blocked, PlanReason::tampered, "edited")};
  CHECK(render_plan_text(plan, sample_context(), {}).find("Run:") == std::string::npos);
}

TEST_CASE("prose keeps to 80 columns and leaves no path broken") {
  const auto text = render_plan_text(sample_plan(), sample_context(), {});
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = base::take_line(rest);
    const bool is_diff = line.starts_with("+") || line.starts_with("-") || line.starts_with("@");
    const bool is_one_word = base::trim(line).find(' ') == std::string_view::npos;
    INFO(line);
    CHECK((is_diff || is_one_word || display_width(line) <= 80));
  }
  CHECK(text.find("/of/eighty/columns/text-generation\n") != std::string::npos);
}

TEST_CASE("nothing of a hostile plan reaches the terminal raw") {
  const std::string hostile = "\x1B]0;owned\x07\xE2\x80\xAEgnol\n+++ /etc/passwd\xFF\t.service";
  auto plan = sample_plan();
  for (auto& one : plan.items) {
    one.target = one.sentence = one.service = hostile;
    one.units = one.notes = {hostile, hostile};
    for (auto& file : one.files) {
      file.path = hostile;
      if (file.after) *file.after = hostile;
    }
  }
  const auto text = render_plan_text(
      plan, {.observed = {hostile}, .named = {}, .unread = {hostile}, .next_step = "Run: " + hostile}, {});
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = base::take_line(rest);
    CHECK(printable(line, true) == line);
  }
  // The one in the text of the file is a line of the diff; a path cannot make one.
  CHECK(text.find("\n+++ /etc/passwd") == std::string::npos);
}

TEST_CASE("diffs") {
  const std::string path = "/a.conf";
  CHECK(make_diff({path, "same\n", "same\n"}).empty());
  CHECK(join(make_diff({path, std::nullopt, "a\nb\n"})) ==
        "--- /dev/null\n+++ /a.conf\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  CHECK(join(make_diff({path, "a\nb\n", std::nullopt})) ==
        "--- /a.conf\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n");
  CHECK(join(make_diff({path, "a\n", "a"})) ==
        "--- /a.conf\n+++ /a.conf\n@@ -1,1 +1,1 @@\n-a\n+a\n\\ No newline at end of file\n");
  CHECK(join(make_diff({path, std::nullopt, ""})) == "--- /dev/null\n+++ /a.conf\n");
  std::string before;
  for (int i = 1; i <= 30; ++i) before += std::to_string(i) + "\n";
  auto after = before;
  after.replace(after.find("\n5\n"), 3, "\nfive\n");
  after.replace(after.find("\n25\n"), 4, "\n");
  const auto text = join(make_diff({path, before, after}));
  CHECK(text.find("@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n") != std::string::npos);
  CHECK(text.find("@@ -22,7 +22,6 @@\n 22\n 23\n 24\n-25\n 26\n 27\n 28\n") != std::string::npos);
}

namespace {

// The texts on both sides of a diff, read off the diff alone.
struct Sides {
  std::string before, after;
};
Sides read_sides(const std::vector<DiffLine>& lines) {
  Sides sides;
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const auto& [kind, text] = lines[i];
    if (kind == DiffLineKind::hunk || text.starts_with('\\')) continue;
    const bool is_last = i + 1 < lines.size() && lines[i + 1].text.starts_with('\\');
    const auto line = text.substr(1) + (is_last ? "" : "\n");
    if (kind != DiffLineKind::added) sides.before += line;
    if (kind != DiffLineKind::removed) sides.after += line;
  }
  return sides;
}

}  // namespace

TEST_CASE("a diff of short texts holds both of them whole") {
  // Short enough for one hunk with all the context there is.
  const std::vector<std::string> words{"",       "a",      "b",  "a\n",    "b\n",
                                       "a\nb\n", "b\na\n", "\n", "a\n\nb", "c\na\nb\nc\n"};
  for (const auto& before : words) {
    for (const auto& after : words) {
      if (before == after) continue;
      const auto sides = read_sides(make_diff({"/f", before, after}));
      INFO(before << "|" << after);
      CHECK(sides.before == before);
      CHECK(sides.after == after);
    }
  }
}

TEST_CASE("texts too long to compare are shown as replaced") {
  std::string before;
  std::string after;
  for (int i = 0; i < 3000; ++i) {
    before += std::to_string(i) + "\n";
    after += std::to_string(i + 1) + "\n";
  }
  const auto lines = make_diff({"/f", before, after});
  CHECK(lines.size() == 6003);
  CHECK(read_sides(lines).after == after);
}
