# SPDX-License-Identifier: Apache-2.0
"""Memory beyond the sums of processes, on a real systemd: control groups, the machine, model files, costly reads,
where a unit may run. Each figure beside one that something else gives."""

import json
import re

import jsonschema
import pytest
from allocd_on_host import config, locations

SLEEPER = "[Service]\nExecStart=/bin/sleep 3600\n"
MODELS = "/run/models"
MEBIBYTE = 1 << 20


def start_unit(host, name: str, text: str = SLEEPER) -> dict:
    host.unit(name, text)
    host.systemctl("start", name)
    return host.show(name, "MainPID", "ControlGroup", "NUMAPolicy", "NUMAMask", "CPUAffinity")


def with_expectations(expect: dict, **services: dict) -> str:
    settings = json.loads(config(**services))
    return json.dumps(settings | {"node": {"expect": expect}})


def collector(snapshot: dict, name: str) -> dict | None:
    return next((one for one in snapshot["collectors"] if one["name"] == name), None)


def check_schema(snapshot: dict) -> None:
    _, source = locations()
    schema = json.loads((source / "docs" / "snapshot.schema.json").read_text())
    found = [f"{e.json_path}: {e.message}" for e in jsonschema.Draft202012Validator(schema).iter_errors(snapshot)]
    assert found == []


def kibibytes(text: str, key: str) -> int:
    return int(re.search(rf"^{key}:\s+(\d+) kB$", text, re.MULTILINE)[1]) * 1024


# Control groups --------------------------------------------------------------------------------------------------


def test_every_unit_says_what_its_control_group_knows_and_the_sums_stand(host, allocd):
    shown = {name: start_unit(host, name) for name in ("one.service", "two.service")}
    allocd.start(config(one={"unit": "one.service"}, two={"unit": "two.service"}))
    for name, facts in shown.items():
        unit = allocd.poll(lambda name=name: (seen := allocd.unit(name)) and seen["up"] and seen, f"{name} is up")
        controllers = host.read(f"/sys/fs/cgroup{facts['ControlGroup']}/cgroup.controllers").split()
        state = "available" if "memory" in controllers else "controller_off"
        assert unit["cgroup"]["state"] == state
        assert (unit["cgroup"]["memory"] is not None) == ("memory" in controllers)
        resident = kibibytes(host.read(f"/proc/{facts['MainPID']}/status"), "VmRSS")
        assert sum(role["memory"]["resident"] for role in unit["roles"]) == pytest.approx(resident, rel=0.1)
    groups = collector(allocd.snapshot(), "cgroup_memory")
    assert groups["success"] and groups["errors"] == 0


def test_unit_that_starts_again_is_another_control_group(host, allocd):
    start_unit(host, "again.service")
    allocd.start(config(a={"unit": "again.service"}))
    first = allocd.poll(lambda: (seen := allocd.unit("again.service"))["up"] and seen, "up")
    host.systemctl("restart", "again.service")
    second = allocd.poll(lambda: (seen := allocd.unit("again.service"))["up"] and
                         seen["invocation_id"] != first["invocation_id"] and seen, "up again")
    assert second["cgroup"]["state"] == first["cgroup"]["state"]
    assert collector(allocd.snapshot(), "cgroup_memory")["errors"] == 0


# The machine -----------------------------------------------------------------------------------------------------


def check_node(host, node: dict) -> None:
    assert node["known"] and node["read_at"] > 0 and node["interval"] == 60
    assert node["state"]["memory"]["total"] == kibibytes(host.read("/proc/meminfo"), "MemTotal")
    assert node["state"]["vm"]["swappiness"] == int(host.read("/proc/sys/vm/swappiness"))
    enabled = re.search(r"\[(\S+)\]", host.read("/sys/kernel/mm/transparent_hugepage/enabled"))
    assert node["state"]["thp"]["enabled"] == enabled[1]
    listed = host.run("sh", "-c", "ls -d /sys/devices/system/node/node[0-9]* 2>/dev/null | wc -l").stdout
    assert len(node["state"]["numa"]["nodes"]) == int(listed)


def test_the_machine_is_in_the_first_snapshot(host, allocd):
    start_unit(host, "one.service")
    allocd.start(config(one={"unit": "one.service"}))
    snapshot = allocd.snapshot()
    check_node(host, snapshot["node"])
    assert collector(snapshot, "node")["duration"] > 0


def test_the_machine_is_there_with_once(equipped, host):
    start_unit(host, "one.service")
    host.write("/etc/allocd/once.yaml", config(one={"unit": "one.service"}))
    done = host.run("/usr/bin/allocd", "--once", "--config", "/etc/allocd/once.yaml", timeout=60)
    check_node(host, json.loads(done.stdout)["node"])
    check_schema(json.loads(done.stdout))


def test_expectations_are_compared_and_follow_a_reload(host, allocd):
    swappiness = int(host.read("/proc/sys/vm/swappiness"))
    start_unit(host, "one.service")
    allocd.start(with_expectations({"swappiness": swappiness, "max_map_count": "0..1"}, one={"unit": "one.service"}))
    found = {one["key"]: one for one in allocd.snapshot()["node"]["expectations"]}
    assert found["swappiness"]["state"] == "met"
    assert found["max_map_count"]["state"] == "missed"
    assert found["max_map_count"]["found"] == host.read("/proc/sys/vm/max_map_count").strip()
    allocd.configure(with_expectations({"swappiness": f"{swappiness + 1}..200"}, one={"unit": "one.service"}))
    host.systemctl("reload", "allocd.service")
    allocd.poll(lambda: [one["state"] for one in allocd.snapshot()["node"]["expectations"]] == ["missed"],
                "the new expectation is compared")


# Model files -----------------------------------------------------------------------------------------------------


def cached_bytes(host, path: str) -> int:
    return int(host.run("fincore", "--bytes", "--noheadings", "--output", "RES", path).stdout)


def test_page_cache_of_model_files_is_what_fincore_says(host, allocd):
    """A file with holes: on tmpfs exactly what was written is in the page cache."""
    host.run("mkdir", "-p", MODELS)
    for name, owner in (("mine.gguf", "allocd"), ("roots.gguf", "root")):
        path = f"{MODELS}/{name}"
        host.run("sh", "-c", f"truncate -s 16M {path} && dd if=/dev/urandom of={path} bs=1M count=5 conv=notrunc")
        host.run("chown", f"{owner}:{owner}", path)
        host.run("chmod", "644", path)
    start_unit(host, "one.service")
    allocd.start(config(one={"unit": "one.service", "model_paths": [f"{MODELS}/*.gguf"]}))
    files = allocd.poll(lambda: next((one for one in allocd.snapshot()["model_files"] if one["read_at"]), None),
                        "the model files were looked at")
    assert files["service"] == "one"
    figures = files["figures"]
    # Before Linux 6.14 the kernel told everybody who may read.
    seen = ["mine.gguf"] if figures["not_permitted"] else ["mine.gguf", "roots.gguf"]
    assert figures["files"] == len(seen)
    assert figures["files"] + figures["not_permitted"] == 2
    assert figures["bytes"] == 16 * MEBIBYTE * len(seen)
    assert figures["cached"] == sum(cached_bytes(host, f"{MODELS}/{name}") for name in seen) == 5 * MEBIBYTE * len(seen)


def test_without_model_files_nothing_is_looked_for(host, allocd):
    start_unit(host, "one.service")
    allocd.start(config(one={"unit": "one.service"}))
    snapshot = allocd.next_sample()
    assert snapshot["model_files"] == []
    assert collector(snapshot, "page_cache") is None


# Costly reads ----------------------------------------------------------------------------------------------------


def test_costly_reads_are_off_by_default(host, allocd):
    start_unit(host, "one.service")
    allocd.start(config(one={"unit": "one.service"}))
    snapshot = allocd.next_sample()
    assert collector(snapshot, "costly") is None
    assert snapshot["own"]["costly_reads"] == 0
    assert next(unit for unit in snapshot["units"] if unit["name"] == "one.service")["costly"] == []


def test_costly_reads_show_their_figures_with_age_and_cost(host, allocd):
    facts = start_unit(host, "one.service")
    allocd.start(config(one={"unit": "one.service", "costly_reads": ["smaps_rollup", "numa_maps"]}))
    waiting = {"waiting"}
    unit = allocd.poll(lambda: (seen := allocd.unit("one.service"))["costly"] and
                       not any(waiting & kind["states"].keys() for kind in seen["costly"]) and seen, "both are read")
    smaps, maps = unit["costly"]
    assert (smaps["kind"], maps["kind"]) == ("smaps_rollup", "numa_maps")
    text = host.read(f"/proc/{facts['MainPID']}/smaps_rollup")
    assert smaps["states"] == {"read": 1} and smaps["processes"] == 1
    for key in ("Pss", "AnonHugePages", "Private_Dirty"):
        assert smaps["smaps"][key] == pytest.approx(kibibytes(text, key), rel=0.2, abs=65536), key
    assert smaps["oldest_read_at"] > 0 and smaps["last_seconds"] > 0 and smaps["reads"] >= 1
    assert unit["processes"][0]["costly"][0]["smaps"] == smaps["smaps"]
    assert maps["states"] in ({"read": 1}, {"unsupported": 1})
    if "read" in maps["states"]:
        assert sum(sum(kinds.values()) for kinds in maps["nodes"].values()) > 0
    snapshot = allocd.snapshot()
    check_schema(snapshot)
    assert collector(snapshot, "costly")["success"]
    assert snapshot["own"]["costly_seconds"] >= smaps["seconds_total"]


# Where a unit may run --------------------------------------------------------------------------------------------


def test_placement_that_systemd_was_told_of(host, allocd):
    """The types and the bit order of systemd's properties: one wrong and the whole unit could not be read."""
    facts = start_unit(host, "bound.service", SLEEPER + "CPUAffinity=0\nNUMAPolicy=bind\nNUMAMask=0\n")
    assert (facts["NUMAPolicy"], facts["NUMAMask"], facts["CPUAffinity"]) == ("bind", "0", "0")
    start_unit(host, "free.service")
    allocd.start(config(bound={"unit": "bound.service"}, free={"unit": "free.service"}))
    bound = allocd.poll(lambda: (seen := allocd.unit("bound.service"))["up"] and seen, "up")
    locality = bound["locality"]
    assert (locality["cpu_affinity"], locality["policy"], locality["policy_nodes"]) == ("0", "bind", [0])
    assert bound["processes"][0]["placement"]["cpus_allowed"] == "0"
    assert (locality["cpus_differ"], locality["mems_differ"]) == (0, 0)
    free = allocd.unit("free.service")
    assert (free["locality"]["cpu_affinity"], free["locality"]["policy"]) == ("", "unset")
    status = host.read(f"/proc/{free['main_pid']}/status")
    placement = free["processes"][0]["placement"]
    for key, name in (("cpus_allowed", "Cpus_allowed_list"), ("mems_allowed", "Mems_allowed_list")):
        assert placement[key] == re.search(rf"^{name}:\t(.*)$", status, re.MULTILINE)[1]


def test_process_that_leaves_its_unit_s_cpus_is_counted(host, allocd):
    if int(host.run("nproc").stdout) < 2:
        pytest.skip("needs two processors")
    facts = start_unit(host, "strays.service", SLEEPER + "CPUAffinity=0\n")
    host.run("taskset", "--pid", "--cpu-list", "0-1", facts["MainPID"])
    allocd.start(config(s={"unit": "strays.service"}))
    allocd.poll(lambda: allocd.unit("strays.service")["locality"]["cpus_differ"] == 1, "one process differs")


def test_process_with_huge_pages_switched_off_is_counted(host, allocd):
    program = "import ctypes, time; ctypes.CDLL(None).prctl(41, 1, 0, 0, 0); time.sleep(3600)"
    start_unit(host, "small.service", f"[Service]\nExecStart=/usr/bin/python3 -c \"{program}\"\n")
    start_unit(host, "usual.service")
    allocd.start(config(s={"unit": "small.service"}, u={"unit": "usual.service"}))
    def disabled(unit: str) -> int:
        return sum(role["thp_disabled"] for role in allocd.unit(unit)["roles"])
    allocd.poll(lambda: disabled("small.service") == 1, "its huge pages are switched off")
    assert allocd.unit("small.service")["processes"][0]["placement"]["thp_enabled"] is False
    assert disabled("usual.service") == 0


def test_gpu_that_a_process_has_mapped_is_named(host, allocd):
    """A plain file stands in for the device: its name in the memory map is what is looked for. Its place is then not
    known, and nothing is said of memory beside it."""
    host.run("sh", "-c", "truncate -s 4096 /dev/nvidia7")
    program = "import mmap, time; f = open('/dev/nvidia7', 'r+b'); m = mmap.mmap(f.fileno(), 4096); time.sleep(3600)"
    start_unit(host, "gpu.service", f"[Service]\nExecStart=/usr/bin/python3 -c \"{program}\"\n")
    allocd.start(config(g={"unit": "gpu.service"}))
    unit = allocd.poll(lambda: (seen := allocd.unit("gpu.service"))["processes"] and
                       seen["processes"][0]["placement"]["gpus"] and seen, "its GPU is seen")
    assert unit["processes"][0]["placement"]["gpus"] == ["nvidia7"]
    assert unit["locality"]["gpu_nodes"] == [] and unit["locality"]["off_gpus"] is None
