# SPDX-License-Identifier: Apache-2.0
"""Every query of the boards and rules against a real Prometheus with two weeks of the fleet of fleet.py: each must answer,
and the ones an engineer acts on must say what was put in."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import picture
from boards import View, all_boards, board, panel, panels
from dataset import DAY, END, START
from fleet import DAYS, GIB, NODES, SILENT, UNITS, unit
from prometheus import all_rules, make_blocks, serve, standard_rules

BOARDS = {one["uid"]: one for one in all_boards()}
# What some boards are about; the rest of their variables is All.
CHOSEN = {"allocd-compare": {"instance": ["gpu-01"], "unit": "vllm-code.service"}}
# Queries that have nothing to show in this fleet, and why.
SILENT_QUERIES = {
    ("allocd-service", "Time to first token", 3): "an engine with a mean of it has percentiles as well",
}
OFF_POLICY = {"violation", "rolled_back", "not_applied", "not_enforceable"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve(make_blocks(tmp_path_factory.mktemp("prometheus"))) as one:
        yield one


@pytest.fixture
def look(server):
    def at(uid, days=7, now=END, **chosen):
        return View(board(uid), server, now, days, chosen or CHOSEN.get(uid))

    return at


def every_query():
    for uid, one in BOARDS.items():
        for of in panels(one):
            for number in range(len(of["targets"])):
                yield pytest.param(uid, of["title"], number, id=f"{uid}: {of['title']} {'ABCDEFGHIJ'[number]}")


@pytest.mark.parametrize("uid, title, number", list(every_query()))
def test_each_query_answers(look, uid, title, number):
    view = look(uid, days=14 if uid != "allocd-compare" else 7)
    (answer,) = view.answers({**panel(view.board, title), "targets": [panel(view.board, title)["targets"][number]]})
    assert bool(answer) == ((uid, title, number) not in SILENT_QUERIES)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_each_rule_is_valid_and_those_that_record_answer(server, rule):
    answer = server.instant(rule["expr"], END)
    assert answer or "alert" in rule or rule not in standard_rules()


# Variables and events -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("uid", list(BOARDS))
def test_variables_offer_allocds_jobs_nodes_and_units(look, uid):
    view = look(uid)
    assert view.options["job"] == ["allocd"]
    assert view.options["instance"] == list(NODES)
    if "unit" in view.options:
        chosen = {"gpu-01"} if uid == "allocd-compare" else set(NODES)
        assert set(view.options["unit"]) == {one.name for one in UNITS if one.node in chosen}


def test_events_are_the_starts_of_units_and_what_the_enforcer_wrote(look):
    events = look("allocd-service", days=13, instance=["gpu-01"], unit=["vllm-code.service"]).events()
    assert ("Unit started", START + 8 * DAY, "vllm-code.service on gpu-01") in events
    assert ("Policy applied", START + int(7.75 * DAY), "allocd-enforcer, apply, on gpu-01") in events
    restarts = [at for name, at, _ in look("allocd-service", days=13, unit=["llama-draft.service"]).events() if name == "Unit started"]
    assert len(restarts) == 13
    started = [at for name, at, _ in look("allocd-self", days=13).events() if name == "allocd started"]
    assert started == [START + int(SILENT[2] * DAY)]


# The fleet ----------------------------------------------------------------------------------------------------


def tile(view, title):
    (value,) = view.numbers(panel(view.board, title))
    return value


def test_the_first_row_of_the_fleet_counts_what_is_wrong(look):
    view = look("allocd-fleet")
    assert tile(view, "Verdict") == 3
    assert tile(view, "Silent nodes") == 0
    assert tile(view, "Off policy") == sum(one.state in OFF_POLICY for one in UNITS) == 3
    assert tile(view, "Restart due") == sum(one.state == "pending_restart" for one in UNITS) == 1
    assert tile(view, "Cannot be read") == sum(one.state == "unknown" for one in UNITS) == 1
    assert tile(view, "Drifting") == sum(one.expect_drift in ("drift", "exhaustion") for one in UNITS) == 2
    assert tile(view, "Not as declared") == 1


@pytest.mark.parametrize("one", UNITS, ids=lambda one: f"{one.node} {one.name}")
def test_each_tile_counts_its_own_units_and_no_others(look, one):
    view = look("allocd-fleet", instance=[one.node], unit=[one.name])
    assert tile(view, "Off policy") == (one.state in OFF_POLICY)
    assert tile(view, "Restart due") == (one.state == "pending_restart")
    assert tile(view, "Cannot be read") == (one.state == "unknown")
    if one.readable:
        assert tile(view, "Drifting") == (one.expect_drift in ("drift", "exhaustion"))


def test_what_to_do_names_each_place_the_most_urgent_first(look):
    rows = look("allocd-fleet").rows(panel(BOARDS["allocd-fleet"], "What to do"))
    found = [(row["Act"], row["Node"], row["Unit"], row["What is wrong"]) for row in rows]
    assert [act for act, *_ in found] == sorted((act for act, *_ in found), reverse=True)
    assert set(found) == {
        (3, "gpu-03", "sglang-batch.service", "its memory limit is hours away"),
        (3, "gpu-02", "vllm-cpu.service", "malloc is not the one its policy asks for"),
        (3, "gpu-03", "triton-vision.service", "its drop-in was taken back"),
        (2, "gpu-01", "vllm-chat.service", "what it holds at its quietest rises day by day"),
        (2, "gpu-01", "vllm-chat.service", "nothing sets the allocator its policy asks for"),
        (2, "gpu-02", "tgi-summarize.service", "it cannot be read: nothing is proved of it"),
        (2, "gpu-02", None, "the machine is not as declared: thp.enabled"),
        (2, "gpu-02", None, "allocd cannot read: page_cache"),
        (1, "gpu-02", "sglang-chat.service", "a restart is due"),
        (1, "gpu-03", "vllm-chat.service", "its floor rose over the last day"),
    }
    (action,) = [row["What to do"] for row in rows if row["Unit"] == "sglang-chat.service"]
    assert action == "in its window: systemctl restart sglang-chat.service"


def test_a_node_in_order_has_nothing_to_do(look):
    view = look("allocd-fleet", instance=["gpu-01"], unit=["llama-embed.service"])
    assert tile(view, "Verdict") == 0
    assert view.rows(panel(view.board, "What to do")) == []


def test_a_silent_observer_is_the_first_thing_said_and_its_units_are_not_called_well(look):
    view = look("allocd-fleet", now=START + int((SILENT[1] + SILENT[2]) / 2 * DAY), days=3)
    assert tile(view, "Verdict") == 3
    assert tile(view, "Silent nodes") == 1
    rows = view.rows(panel(view.board, "What to do"))
    assert (3, "gpu-03", "the observer is silent: nothing is known of the units") in [(row["Act"], row["Node"], row["What is wrong"]) for row in rows]
    assert not any(row["Node"] == "gpu-03" and row["Unit"] for row in rows)
    (node,) = [row for row in view.rows(panel(view.board, "Nodes")) if row["Node"] == "gpu-03"]
    assert node["Observer"] == 0 and node["Off policy"] is None


def test_the_table_of_units_has_the_fastest_growing_first(look):
    rows = look("allocd-fleet").rows(panel(BOARDS["allocd-fleet"], "Memory of units, fastest growing first"))
    assert [(row["Node"], row["Unit"]) for row in rows[:2]] == [("gpu-03", "sglang-batch.service"), ("gpu-01", "vllm-chat.service")]
    assert len(rows) == len(UNITS)
    first, second = rows[:2]
    assert 9 * GIB < first["Floor rises a day"] < 12 * GIB and first["Limit in"] < DAY
    assert 0.8 * GIB < second["Floor rises a day"] < 1.6 * GIB and second["At its quietest"] < second["Holds now"]
    by_name = {(row["Node"], row["Unit"]): row for row in rows}
    assert by_name["gpu-02", "tgi-summarize.service"]["Holds now"] is None


def test_timelines_show_only_who_was_off_and_since_when(look):
    view = look("allocd-fleet", days=14)
    series = {one["name"]: one["values"] for one in view.answers(panel(view.board, "Units off policy, and since when"))[0]}
    assert set(series) == {f"{one.name} {one.node}" for one in UNITS if any(state not in ("compliant", "exempt") for _, state, _ in one.states)}
    moved = [(at, value) for at, value in series["vllm-code.service gpu-01"]]
    assert {value for at, value in moved if at < START + 7.75 * DAY} == {"6"}
    assert {value for at, value in moved if at > START + 8 * DAY} == {"2"}


# One node -----------------------------------------------------------------------------------------------------


def test_the_node_that_booted_without_its_setting(look):
    view = look("allocd-node", instance=["gpu-02"])
    assert tile(view, "Observer") == 1
    assert tile(view, "Not as declared") == 1
    assert tile(view, "Transparent huge pages") == 2
    assert tile(look("allocd-node", instance=["gpu-01"]), "Transparent huge pages") == 1
    rows = view.rows(panel(view.board, "As declared?"))
    assert [(row["Setting"], row["State"]) for row in rows if row["State"]] == [("thp.enabled", 2)]
    (off_node,) = [row for row in view.rows(panel(view.board, "Units of this machine")) if row["Unit"] == "sglang-chat.service"]
    assert off_node["Off its node"] == pytest.approx(0.45)


def test_the_observer_of_a_node_is_silent_when_it_is(look):
    silent = START + int((SILENT[1] + SILENT[2]) / 2 * DAY)
    assert tile(look("allocd-node", now=silent, days=2, instance=["gpu-03"]), "Observer") == 0


# One service --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", UNITS, ids=lambda one: f"{one.node} {one.name}")
def test_the_first_row_of_a_service(look, one):
    view = look("allocd-service", instance=[one.node], unit=[one.name])
    codes = {"inactive": 0, "exempt": 1, "compliant": 2, "pending_restart": 3, "unknown": 4, "not_enforceable": 5, "not_applied": 6,
             "rolled_back": 7, "violation": 8}
    assert tile(view, "Policy") == codes[one.state]
    drift = {"warming": 0, "normal": 1, "watch": 2, "drift": 3, "exhaustion": 4}
    assert view.numbers(panel(view.board, "Drift")) == ([drift[one.expect_drift]] if one.expect_drift else [])
    allocators = [series["name"] for series in view.answers(panel(view.board, "Malloc in force"))[0]]
    assert allocators == ([one.allocator] if one.readable else [])


def last(series):
    return float(series["values"][-1][1])


def test_floor_and_ceiling_enclose_what_is_held(look):
    view = look("allocd-service", instance=["gpu-01"], unit=["vllm-chat.service"])
    now, floor, ceiling, warm, limit = [last(series[0]) for series in view.answers(panel(view.board, "Floor and ceiling"))]
    assert floor <= now <= ceiling * 1.05 and warm < 0.75 * floor
    assert limit == unit("gpu-01", "vllm-chat.service").limit * GIB
    (signs,) = view.rows(panel(view.board, "Signs of retention"))
    assert signs["Growth"] == 1 and signs["glibc heaps"] > 100 and signs["Hours that rose"] > 0.9 and signs["Judged on"] > 13 * DAY
    kinds = [last(series[0]) for series in view.answers(panel(view.board, "Resident memory by kind"))]
    assert kinds[0] == pytest.approx(now, rel=0.001) and kinds[3] == 0


# Which figure each engine has: percentiles, a mean alone, or none. As docs/prometheus.md tells it.
HAVE = {
    "vllm": ("percentiles", "percentiles", "percentiles"),
    "sglang": ("percentiles", "percentiles", "percentiles"),
    "tgi": ("none", "percentiles", "percentiles"),
    "llama_cpp": ("none", "mean", "none"),
    "triton": ("percentiles", "none", "mean"),
}


@pytest.mark.parametrize("engine", list(HAVE))
def test_latency_and_queue_of_each_engine_and_nothing_where_it_has_none(look, engine):
    one = next(one for one in UNITS if one.engine == engine)
    view = look("allocd-service", instance=[one.node], unit=[one.name])
    for title, have in zip(("Time to first token", "Time between tokens", "Time of a whole request"), HAVE[engine]):
        answers = view.answers(panel(view.board, title))
        assert [len(series) for series in answers] == {"percentiles": [1, 1, 1, 0], "mean": [0, 0, 0, 1], "none": [0, 0, 0, 0]}[have], title
        if have == "percentiles":
            assert 0 < last(answers[0][0]) < last(answers[1][0]) < last(answers[2][0]) < 200
    waiting, running = view.answers(panel(view.board, "Requests waiting and running"))
    assert len(waiting) == 1 and len(running) == (engine != "triton")


# Before and after ---------------------------------------------------------------------------------------------


def test_two_lives_are_laid_over_each_other_by_age(look):
    view = look("allocd-compare")
    one = unit("gpu-01", "vllm-code.service")
    assert int(view.values["shift"]) == 8 * DAY and START + 8 * DAY <= int(view.values["born"]) <= START + 8 * DAY + 60
    after, before = [series[0]["values"] for series in view.answers(panel(view.board, "Memory held"))]
    assert after[0][0] == before[0][0] and after[0][0] >= START + 8 * DAY
    assert float(after[-1][1]) < 1.3 * one.lives[1].base * GIB < float(before[-1][1])
    assert 0.2 < tile(view, "Memory saved") < 0.6
    assert tile(view, "Age compared") == pytest.approx((DAYS - 8) * DAY, abs=60)
    heaps_after, heaps_before = [last(series[0]) for series in view.answers(panel(view.board, "Heaps of glibc arenas"))]
    assert heaps_after == 0 < heaps_before
    assert tile(view, "p99 of a request, change") < 0


def test_a_service_without_a_life_under_the_other_allocator_has_nothing_to_compare(look):
    view = look("allocd-compare", instance=["gpu-01"], unit="llama-embed.service")
    assert view.values["shift"] == "604800"
    assert all(len(series[1]) == 0 for series in [view.answers(panel(view.board, "Memory held"))])


# allocd itself ------------------------------------------------------------------------------------------------


def test_the_failing_collector_is_first(look):
    view = look("allocd-self")
    assert tile(view, "Failing collectors") == 1 and tile(view, "Not permitted") == 3 and tile(view, "Nodes not scraped") == 0
    assert tile(view, "Oldest sample") == 7
    first = view.rows(panel(view.board, "Collectors"))[0]
    assert (first["Node"], first["Collector"], first["Works"], first["Not permitted"]) == ("gpu-02", "page_cache", 0, 3)
    rows = view.rows(panel(view.board, "Versions and last plan"))
    assert [(row["Node"], row["Version"], row["Would change"], row["Blocked"]) for row in rows] == [
        ("gpu-01", "0.1.0", 1, 0), ("gpu-02", "0.1.0", 0, 1), ("gpu-03", "0.1.0", 0, 0)]


# Pictures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uid", list(BOARDS))
def test_the_page_that_pictures_are_taken_of_has_every_panel_and_its_answer(look, uid):
    view = look(uid)
    text = picture.page(view, {})
    data = json.loads(text.partition("window.BOARD = ")[2].partition("</script>")[0])
    assert set(data["answers"]) == {str(of["id"]) for of in panels(view.board)}
    assert [one["id"] for one in data["panels"]] == [one["id"] for one in view.board["panels"]]
    assert not any("$" in one["title"] for one in data["panels"])


# Alerts -------------------------------------------------------------------------------------------------------

# At the end, were it not for their `for`: node and unit. An alert that is not here must not fire.
FIRING = {
    "AllocdMemoryExhaustionSoon": {("gpu-03", "sglang-batch.service")},
    "AllocdMemoryDriftSlow": {("gpu-01", "vllm-chat.service"), ("gpu-03", "sglang-batch.service")},
    "AllocdMemoryGrowthHiddenByRestarts": {("gpu-02", "llama-draft.service")},
    "AllocdUnitMemoryPressure": {("gpu-03", "sglang-batch.service")},
    "AllocdPolicyViolation": {("gpu-02", "vllm-cpu.service")},
    "AllocdPolicyRolledBack": {("gpu-03", "triton-vision.service")},
    "AllocdNodeExpectationMissed": {("gpu-02", None)},
    "AllocdCollectorFailing": {("gpu-02", None)},
}


@pytest.mark.parametrize("alert", sorted({rule["alert"] for rule in standard_rules() if "alert" in rule}))
def test_alerts_see_on_the_boards_data_what_the_boards_show(server, alert):
    found = set()
    for rule in standard_rules():
        if rule.get("alert") == alert:
            found |= {(one["metric"].get("instance"), one["metric"].get("unit")) for one in server.instant(rule["expr"], END)}
    assert found == FIRING.get(alert, set())
