// SPDX-License-Identifier: Apache-2.0
// The order in which signals and answers may come, without a bus.
#include "host/unit_view.hpp"

#include "support/catch.hpp"

using namespace allocd::host;

namespace {

using Names = std::vector<std::string>;

UnitFacts facts(const std::string& id, const std::string& active = "active",
                const std::string& load = "loaded") {
  UnitFacts unit;
  unit.name = id;
  unit.active_state = active;
  unit.load_state = load;
  return unit;
}

UnitSelection select_names(Names names, Names patterns = {}) {
  return {.names = std::move(names), .patterns = std::move(patterns), .accepts = {}};
}

bool has(const UnitView& view, const std::string& name) {
  return view.units().contains(name);
}

}  // namespace

TEST_CASE("a change during a read asks for one more read after it") {
  UnitView view;
  view.select(select_names({"a.service"}));
  CHECK(view.take_due() == Names{"a.service"});
  view.unit_changed("a.service");
  CHECK(view.take_due().empty());  // still being read
  view.read_done("a.service", facts("a.service", "activating"));
  CHECK(view.complete());
  CHECK(view.take_due() == Names{"a.service"});
  view.read_done("a.service", facts("a.service"));
  CHECK(view.take_due().empty());
}

TEST_CASE("new and removed within one debounce read an inactive unit not at all, an active one once") {
  UnitView view;
  view.select(select_names({"a.service"}));
  static_cast<void>(view.take_due());
  const bool active = GENERATE(true, false);
  view.read_done("a.service", facts("a.service", active ? "active" : "inactive"));
  view.unit_new("a.service");
  view.unit_removed("a.service");
  CHECK(view.take_due().size() == (active ? 1 : 0));
}

TEST_CASE("a removal does not cancel a read that was asked for otherwise") {
  UnitView view;
  view.select(select_names({"a.service"}));
  view.unit_removed("a.service");
  CHECK(view.take_due() == Names{"a.service"});
}

TEST_CASE("a unit dropped while it is read stays dropped") {
  UnitView view;
  view.select(select_names({}, {"v@*"}));
  CHECK(view.take_list_due());
  CHECK_FALSE(view.take_list_due());
  view.listed({{"v@1.service", "loaded"}, {"other.service", "loaded"}});
  CHECK(view.take_due() == Names{"v@1.service"});
  CHECK_FALSE(view.complete());
  view.unit_removed("v@1.service");
  CHECK(view.complete());
  view.read_done("v@1.service", facts("v@1.service"));
  view.read_failed("v@1.service", true);
  CHECK(view.units().empty());
  CHECK_FALSE(view.has_failed());
}

TEST_CASE("a unit that a new list does not name is dropped, one selected by name is not") {
  UnitView view;
  view.select(select_names({"a.service"}, {"v@*"}));
  static_cast<void>(view.take_list_due());
  view.listed({{"v@1.service", "loaded"}});
  for (const std::string& name : view.take_due()) view.read_done(name, facts(name));
  CHECK(view.take_changed());
  CHECK_FALSE(view.take_changed());
  view.reread_all();
  CHECK(view.take_list_due());
  view.listed({});
  CHECK(view.take_changed());
  CHECK(has(view, "a.service"));
  CHECK_FALSE(has(view, "v@1.service"));
  CHECK(view.complete());  // a reload does not make it incomplete
}

TEST_CASE("an alias and its target are one unit, whichever is read first") {
  const bool alias_first = GENERATE(true, false);
  UnitView view;
  UnitSelection selection = select_names({"alias.service"});
  selection.accepts = [](const UnitFacts&) { return true; };
  view.select(std::move(selection));
  static_cast<void>(view.take_list_due());
  view.listed({{"real.service", "loaded"}});
  CHECK(view.take_due() == Names{"alias.service", "real.service"});
  const auto read_alias = [&] { view.read_done("alias.service", facts("real.service")); };
  if (alias_first) read_alias();
  view.read_done("real.service", facts("real.service"));
  if (!alias_first) read_alias();
  CHECK(view.units().size() == 1);
  CHECK(has(view, "alias.service"));
  CHECK(view.complete());
  view.unit_changed("real.service");
  CHECK(view.take_due() == Names{"alias.service"});
}

TEST_CASE("what was refused is asked about again only when it is loaded anew or on a reload") {
  UnitView view;
  UnitSelection selection;
  selection.accepts = [](const UnitFacts& unit) { return unit.active_state == "active"; };
  view.select(std::move(selection));
  static_cast<void>(view.take_list_due());
  view.listed({{"a.service", "loaded"}, {"b.service", "not-found"}, {"c.mount", "loaded"}});
  CHECK(view.take_due() == Names{"a.service"});
  view.read_done("a.service", facts("a.service", "inactive"));
  CHECK(view.units().empty());
  view.unit_changed("a.service");
  CHECK(view.take_due().empty());
  view.unit_new("a.service");
  CHECK(view.take_due() == Names{"a.service"});
  view.read_done("a.service", facts("a.service", "inactive"));
  view.reread_all();
  CHECK(view.take_list_due());
  view.listed({{"a.service", "loaded"}});
  CHECK(view.take_due() == Names{"a.service"});
}

TEST_CASE("an accepted unit that no longer fits leaves") {
  UnitView view;
  UnitSelection selection;
  selection.accepts = [](const UnitFacts& unit) { return unit.sub_state.empty(); };
  view.select(std::move(selection));
  view.listed({{"a.service", "loaded"}});
  static_cast<void>(view.take_due());
  view.read_done("a.service", facts("a.service"));
  CHECK(has(view, "a.service"));
  view.unit_changed("a.service");
  CHECK(view.take_due() == Names{"a.service"});
  UnitFacts other = facts("a.service");
  other.sub_state = "other";
  view.read_done("a.service", other);
  CHECK(view.units().empty());
}

TEST_CASE("failures are retried on demand; only a timeout leaves the round incomplete") {
  UnitView view;
  view.select(select_names({"a.service", "b.service"}));
  static_cast<void>(view.take_due());
  view.read_failed("a.service", true);
  CHECK_FALSE(view.complete());
  view.read_failed("b.service", false);
  CHECK_FALSE(view.complete());
  CHECK(view.has_failed());
  CHECK(view.take_due().empty());
  view.retry_failed();
  CHECK(view.take_due() == Names{"a.service", "b.service"});
  view.read_done("b.service", facts("b.service"));
  CHECK(view.complete());
  view.read_done("a.service", facts("a.service"));
  CHECK_FALSE(view.has_failed());
}

TEST_CASE("a list that fails is due again on demand") {
  UnitView view;
  view.select(select_names({}, {"v@*"}));
  CHECK(view.take_list_due());
  const bool answered = GENERATE(true, false);
  view.list_failed(answered);
  CHECK(view.complete() == answered);
  CHECK(view.has_failed());
  CHECK_FALSE(view.take_list_due());
  view.retry_failed();
  CHECK(view.take_list_due());
  view.listed({});
  CHECK(view.complete());
  CHECK_FALSE(view.has_failed());
}

TEST_CASE("reads that were abandoned are made again in the next round") {
  UnitView view;
  view.select(select_names({"a.service"}));
  CHECK(view.take_due() == Names{"a.service"});
  view.abandon_reads();
  view.begin_round();
  CHECK(view.take_due() == Names{"a.service"});
}
