# SPDX-License-Identifier: Apache-2.0
"""Which malloc a process uses, on a real systemd, by the observer as it is shipped: user allocd, CAP_SYS_PTRACE."""

import contextlib
import xml.etree.ElementTree

import pytest
from allocd_on_host import HOST_PROGRAMS, config, pick
from this_machine import DYNAMIC_LINKER, LIBRARIES

JEMALLOC = f"{LIBRARIES}/libjemalloc.so.2"
TCMALLOC = f"{LIBRARIES}/libtcmalloc_minimal.so.4"
MIMALLOC = f"{LIBRARIES}/libmimalloc.so.2.0"
UNIT = "probe.service"


def run_probe(host, allocd, command: str, *settings: str, wanted: str = "jemalloc") -> None:
    host.unit(UNIT, "\n".join(["[Service]", f"ExecStart={command}", *settings, ""]))
    host.systemctl("start", UNIT)
    allocd.start(config(probe={"unit": UNIT, "allocator": wanted}))


def the_process(allocd) -> dict:
    found = allocd.processes(UNIT)
    assert len(found) == 1, found
    return found[0]


def wait_for(allocd, describe: str, **evidence: object) -> dict:
    """The unit's one process, once its evidence has these members."""
    def seen():
        found = allocd.processes(UNIT)
        return len(found) == 1 and evidence.items() <= found[0]["evidence"].items() and found[0]
    return allocd.poll(seen, describe, UNIT)


def states(process: dict) -> dict[str, str]:
    return {library["kind"]: library["state"] for library in process["evidence"]["libraries"]}


def test_process_whose_first_thread_has_ended(host, allocd):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/loses_first_thread 64", f"Environment=LD_PRELOAD={JEMALLOC}",
              "Environment=MALLOC_CONF=background_thread:true")
    process = wait_for(allocd, "malloc is jemalloc", active="jemalloc", rung="resolved")
    assert host.read(f"/proc/{process['pid']}/stat").rpartition(")")[2].split()[0] == "Z"
    allocd.poll(lambda: the_process(allocd)["memory"]["anonymous"] >= 64 << 20, "its memory is seen", UNIT)
    allocd.poll(lambda: the_process(allocd)["evidence"]["jemalloc_background_threads"] >= 1, "so are its threads", UNIT)
    assert allocd.unit(UNIT)["assessment"]["state"] == "compliant"


# Preloads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("preload", "active", "idle"), [
    ("", "glibc", []),
    (JEMALLOC, "jemalloc", []),
    (TCMALLOC, "tcmalloc", []),
    (MIMALLOC, "mimalloc", []),
    (f"{TCMALLOC}:{JEMALLOC}", "tcmalloc", ["jemalloc"]),
    (f"{JEMALLOC}:{TCMALLOC}", "jemalloc", ["tcmalloc"]),
])
def test_preload_order_decides(host, allocd, preload, active, idle):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", f"Environment=LD_PRELOAD={preload}")
    process = wait_for(allocd, f"malloc is {active}", active=active, rung="resolved")
    assert states(process) == {active: "active"} | {kind: "mapped_not_active" for kind in idle}
    assert all(len(library["build_id"]) == 40 and library["on_disk"] == "current"
               for library in process["evidence"]["libraries"])
    series = allocd.exposition()
    assert pick(series, "allocd_unit_processes_by_allocator", unit=UNIT, allocator=active) == [1]
    assert sum(pick(series, "allocd_unit_processes_allocator_idle", unit=UNIT)) == len(idle)
    # The unit itself asks for another one: enforcing would mend that, so it is not (yet) a violation.
    expected = "compliant" if active == "jemalloc" else "not_applied"
    assert allocd.unit(UNIT)["assessment"]["state"] == expected


def test_background_threads_are_counted(host, allocd):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", f"Environment=LD_PRELOAD={JEMALLOC}",
              "Environment=MALLOC_CONF=background_thread:true")
    process = allocd.poll(
        lambda: next(iter(p for p in allocd.processes(UNIT) if p["evidence"]["jemalloc_background_threads"]), None),
        "a background thread")
    assert process["evidence"]["jemalloc_background_threads"] >= 1


def test_a_forked_child_has_lost_its_background_thread(host, allocd):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/forks 2", f"Environment=LD_PRELOAD={JEMALLOC}",
              "Environment=MALLOC_CONF=background_thread:true")
    def known():
        found = allocd.processes(UNIT)
        return len(found) == 3 and all(p["evidence"]["active"] == "jemalloc" for p in found) and found
    processes = allocd.poll(known, "three processes on jemalloc")
    counts = sorted(p["evidence"]["jemalloc_background_threads"] for p in processes)
    assert counts[:2] == [0, 0] and counts[2] >= 1


def test_an_allocator_nobody_knows_is_called_other(host, allocd):
    path = f"{HOST_PROGRAMS}/libunknown_allocator.so"
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", f"Environment=LD_PRELOAD={path}:{JEMALLOC}")
    process = wait_for(allocd, "malloc is the unknown one's", active="other", rung="resolved")
    assert states(process) == {"other": "active", "jemalloc": "mapped_not_active"}
    library = next(library for library in process["evidence"]["libraries"] if library["kind"] == "other")
    assert (library["path"], library["on_disk"]) == (path, "current")
    assert pick(allocd.exposition(), "allocd_unit_processes_by_allocator", unit=UNIT, allocator="other") == [1]
    # That jemalloc lies there too helps nothing.
    assert allocd.unit(UNIT)["assessment"]["state"] != "compliant"


@pytest.mark.parametrize(("threads", "mib"), [(1, 1), (5, 3), (2, 150)])
def test_heaps_are_as_many_as_glibc_says_itself(host, allocd, threads, mib):
    said = "/run/malloc-info"
    host.remove(said)
    run_probe(host, allocd, f"{HOST_PROGRAMS}/makes_heaps {threads} {mib} {said}")
    allocd.poll(lambda: "ready" in host.journal(UNIT, "--output=cat"), "the heaps are made", UNIT)
    arenas = xml.etree.ElementTree.fromstring(host.read(said)).findall("heap")
    assert len(arenas) == threads + 1
    # An arena that is not the main one says of how many heaps it is made.
    heaps = sum(int(part.get("size")) for arena in arenas for part in arena.findall("aspace[@type='subheaps']"))
    assert heaps >= threads * max(1, mib // 64)
    # It may have been read while it was still filling them; the count follows on a later check.
    allocd.poll(lambda: the_process(allocd)["evidence"]["glibc_heaps"] == heaps, f"{heaps} heaps are counted", UNIT)
    assert sum(pick(allocd.next_sample() and allocd.exposition(), "allocd_unit_glibc_heaps", unit=UNIT)) == heaps


# Programs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("program", "active", "rung"), [
    ("allocates_musl", "musl", "resolved"),
    ("allocates_musl_static", "musl", "fingerprint"),
    ("allocates_glibc_static", "glibc", "fingerprint"),
    ("allocates_go", "other", "fingerprint"),
    ("allocates_jemalloc_linked", "jemalloc", "resolved"),
])
def test_programs_of_every_making(host, allocd, program, active, rung):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/{program}")
    process = wait_for(allocd, f"{program} uses {active}", active=active, rung=rung)
    assert states(process).get(active) == "active"


def test_an_allocator_hidden_in_the_program_is_shown_and_not_believed(host, allocd):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates_jemalloc_hidden")
    process = wait_for(allocd, "the link map is walked", rung="resolved")
    assert states(process) == {"glibc": "active", "jemalloc": "embedded"}
    assert allocd.unit(UNIT)["assessment"]["state"] != "compliant"


def test_a_program_with_30000_mappings_is_read(host, allocd):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/many_mappings 30000", f"Environment=LD_PRELOAD={JEMALLOC}")
    # It may be read while it is still growing; the count follows on a later check.
    process = allocd.poll(lambda: next((p for p in allocd.processes(UNIT) if (p["evidence"]["mappings"] or 0) > 30000),
                                       None), "30,000 mappings")
    assert process["evidence"]["active"] == "jemalloc"
    assert pick(allocd.next_sample() and allocd.exposition(), "allocd_unit_mappings_max", unit=UNIT)[0] > 30000


# Where they live ---------------------------------------------------------------------------------------------


def test_another_users_process(host, allocd):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", "User=nobody", "NoNewPrivileges=yes",
              f"Environment=LD_PRELOAD={JEMALLOC}")
    wait_for(allocd, "nobody's process is proved", active="jemalloc", rung="resolved")
    assert host.show("allocd.service", "User")["User"] == "allocd"


def test_without_the_capability_nothing_is_claimed(host, allocd):
    host.write("/etc/systemd/system/allocd.service.d/50-none.conf",
               "[Service]\nAmbientCapabilities=\nCapabilityBoundingSet=\n")
    try:
        host.systemctl("daemon-reload")
        run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", "User=nobody", f"Environment=LD_PRELOAD={JEMALLOC}")
        process = the_process(allocd)
        assert (process["evidence"]["active"], process["evidence"]["rung"]) == ("unknown", "none")
        assert "CAP_SYS_PTRACE" in process["evidence"]["detail"]
        unit = allocd.unit(UNIT)
        assert (unit["assessment"]["state"], unit["assessment"]["reason"]) == ("unknown", "not_permitted")
        assert process["memory"]["resident"] > 0
        series = allocd.exposition()
        assert pick(series, "allocd_unit_permission_errors", unit=UNIT) == [1]
        assert pick(series, "allocd_unit_policy_state", unit=UNIT, state="compliant") == [0]
    finally:
        host.remove("/etc/systemd/system/allocd.service.d/50-none.conf")
        host.systemctl("daemon-reload")


def test_a_library_only_its_mount_namespace_has(host, allocd):
    host.run("mkdir", "-p", "/srv/private", "/srv/seen")
    host.copy(JEMALLOC, "/srv/private/libjemalloc.so.2")
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", "BindReadOnlyPaths=/srv/private:/srv/seen",
              "InaccessiblePaths=/srv/private", "Environment=LD_PRELOAD=/srv/seen/libjemalloc.so.2")
    process = wait_for(allocd, "the private library is found", active="jemalloc")
    library = process["evidence"]["libraries"][0]
    assert library["path"] == "/srv/seen/libjemalloc.so.2"
    assert library["on_disk"] == "current"


def test_a_process_in_a_chroot(host, allocd):
    jail = "/srv/jail"
    wanted = [f"{HOST_PROGRAMS}/allocates", JEMALLOC, DYNAMIC_LINKER]
    wanted += [f"{LIBRARIES}/{name}" for name in ("libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1",
                                                 "libpthread.so.0", "libdl.so.2")]
    host.run("sh", "-c", f"mkdir -p {jail} && cp -L --parents {' '.join(wanted)} {jail}")
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", f"RootDirectory={jail}", f"Environment=LD_PRELOAD={JEMALLOC}")
    process = wait_for(allocd, "the jailed process is proved", active="jemalloc")
    library = process["evidence"]["libraries"][0]
    assert (library["path"], library["on_disk"]) == (JEMALLOC, "current")
    # The jail's own copy counts, not the host's file of the same name.
    host.run("rm", f"{jail}{JEMALLOC}")
    allocd.poll(lambda: the_process(allocd)["evidence"]["libraries"][0]["on_disk"] == "deleted",
                "the jail's library is gone", timeout=45)


@pytest.mark.parametrize("name", ["two  spaces.so", "new\nline.so", "truly (deleted)"])
def test_names_that_mislead(host, allocd, name):
    path = f"/srv/names/{name}"
    host.run("mkdir", "-p", "/srv/names")
    host.copy(JEMALLOC, path)
    host.run("ln", "-sfn", path, "/srv/names/link.so")
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", "Environment=LD_PRELOAD=/srv/names/link.so")
    library = wait_for(allocd, f"{name!r} is proved", active="jemalloc")["evidence"]["libraries"][0]
    assert (library["path"], library["on_disk"]) == (path, "current")
    host.run("rm", path)
    allocd.poll(lambda: the_process(allocd)["evidence"]["libraries"][0]["on_disk"] == "deleted", "it is deleted",
                timeout=45)
    assert the_process(allocd)["evidence"]["libraries"][0]["path"] == path
    assert pick(allocd.exposition(), "allocd_unit_processes_library_off_disk", unit=UNIT) == [1]


def test_an_upgraded_library_is_replaced(host, allocd):
    path = "/srv/upgrade/libjemalloc.so.2"
    host.copy(JEMALLOC, path)
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", f"Environment=LD_PRELOAD={path}")
    wait_for(allocd, "the library is proved", active="jemalloc")
    host.copy(MIMALLOC, f"{path}.new")
    host.run("mv", f"{path}.new", path)
    allocd.poll(lambda: the_process(allocd)["evidence"]["libraries"][0]["on_disk"] == "replaced", "it is replaced",
                timeout=45)
    assert the_process(allocd)["evidence"]["active"] == "jemalloc"


# What the kernel gives ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def refused(host, call: str):
    """allocd, once it is started again, without this system call: EPERM, as on a kernel that does not know it."""
    def allowed() -> bool:
        return call in host.show("allocd.service", "SystemCallFilter")["SystemCallFilter"].split()

    drop_in = "/etc/systemd/system/allocd.service.d"
    assert allowed()
    host.write(f"{drop_in}/50-refused.conf", f"[Service]\nSystemCallFilter=~{call}\n")
    host.systemctl("daemon-reload")
    try:
        assert not allowed()
        yield
    finally:
        host.remove(drop_in)
        host.systemctl("daemon-reload")


@pytest.mark.parametrize("path", [JEMALLOC, "/srv/query/two  spaces.so", "/srv/query/truly (deleted)"])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_kernel_without_procmap_query_gives_the_same_answer(host, allocd, path, is_deleted):
    if is_deleted and path == JEMALLOC:
        path = "/srv/query/plain.so"
    if path != JEMALLOC:
        host.copy(JEMALLOC, path)
    host.run("sh", "-c", "mkdir -p /srv/query && ln -sfn \"$1\" /srv/query/link", "sh", path)
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", "Environment=LD_PRELOAD=/srv/query/link")
    wait_for(allocd, "it is proved", active="jemalloc")
    if is_deleted:
        host.remove(path)

    def evidence() -> dict:
        allocd.start(config(probe={"unit": UNIT, "allocator": "jemalloc"}))
        found = wait_for(allocd, "it is proved again", active="jemalloc", rung="resolved")["evidence"]
        return {key: value for key, value in found.items() if key != "checked_at"}

    usual = evidence()
    with refused(host, "ioctl"):
        assert evidence() == usual
    (library,) = [library for library in usual["libraries"] if library["kind"] == "jemalloc"]
    assert (library["path"], library["on_disk"]) == (path, "deleted" if is_deleted else "current")
    assert len(library["build_id"]) == 40


def test_memory_that_may_not_be_read_leaves_the_map_and_no_claim(host, allocd):
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", f"Environment=LD_PRELOAD={JEMALLOC}")
    wait_for(allocd, "it is proved", active="jemalloc")
    assert allocd.unit(UNIT)["assessment"]["state"] == "compliant"
    with refused(host, "process_vm_readv"):
        allocd.start(config(probe={"unit": UNIT, "allocator": "jemalloc"}))
        process = wait_for(allocd, "its map is read", rung="mapped")
        assert process["evidence"]["active"] == "unknown"
        assert "could not be read" in process["evidence"]["detail"]
        # Seen, but nothing is said of its use: not even that it lies idle.
        assert states(process) == {"jemalloc": "mapped"}
        assert allocd.unit(UNIT)["assessment"]["state"] == "unknown"
        series = allocd.exposition()
        assert pick(series, "allocd_unit_policy_state", unit=UNIT, state="compliant") == [0]
        assert pick(series, "allocd_unit_processes_by_allocator", unit=UNIT, allocator="jemalloc") == [0]


# While it is read --------------------------------------------------------------------------------------------


def test_exec_is_noticed(host, allocd):
    go = "/run/go-exec"
    run_probe(host, allocd, f"{HOST_PROGRAMS}/execs_late {go} LD_PRELOAD={JEMALLOC} {HOST_PROGRAMS}/allocates")
    before = wait_for(allocd, "the wrapper uses glibc", active="glibc")
    host.write(go, "")
    after = wait_for(allocd, "the program uses jemalloc", active="jemalloc")
    assert (after["pid"], after["start_ticks"]) == (before["pid"], before["start_ticks"])
    host.remove(go)


@pytest.fixture
def neighbour(host):
    """A process that holds still, beside one that does not."""
    host.unit("steady.service", f"[Service]\nEnvironment=LD_PRELOAD={JEMALLOC}\nExecStart={HOST_PROGRAMS}/allocates\n")
    host.systemctl("start", "steady.service")
    return "steady.service"


def watch_beside(host, allocd, neighbour: str, command: str) -> list[dict]:
    """What was said of the unit's processes over some samples. Its neighbour is proved meanwhile."""
    host.unit(UNIT, f"[Service]\nEnvironment=LD_PRELOAD={JEMALLOC}\nExecStart={command}\n")
    host.systemctl("start", UNIT)
    allocd.start(config(probe={"unit": UNIT, "allocator": "jemalloc"},
                        steady={"unit": neighbour, "allocator": "jemalloc"}))
    before = host.show("allocd.service", "MainPID")
    allocd.poll(lambda: allocd.processes(neighbour, state="compliant"), "the neighbour is proved", neighbour, UNIT)
    seen = []
    for _ in range(4):
        allocd.next_sample()
        seen += allocd.processes(UNIT)
    assert allocd.processes(neighbour, state="compliant")
    assert host.show("allocd.service", "MainPID") == before
    assert all(collector["success"] for collector in allocd.snapshot()["collectors"])
    return seen


def test_a_program_that_execs_in_a_loop(host, allocd, neighbour):
    go = "/run/go-still"
    host.remove(go)
    seen = watch_beside(host, allocd, neighbour, f"{HOST_PROGRAMS}/execs_in_a_loop {go}")
    # One process all the while, and nothing said of it that is not so: each image has jemalloc in front.
    assert len({(process["pid"], process["start_ticks"]) for process in seen}) == 1
    assert {process["evidence"]["active"] for process in seen} <= {"unknown", "jemalloc"}
    host.write(go, "")
    process = wait_for(allocd, "it holds still and is proved", active="jemalloc", rung="resolved")
    assert process["pid"] == seen[0]["pid"]
    host.remove(go)


def test_processes_that_exit_while_they_are_read(host, allocd, neighbour):
    seen = watch_beside(host, allocd, neighbour, f"{HOST_PROGRAMS}/exits_in_a_loop 8")
    assert {process["evidence"]["active"] for process in seen} <= {"unknown", "jemalloc"}
    parent = int(host.show(UNIT, "MainPID")["MainPID"])
    allocd.poll(lambda: any(process["pid"] == parent for process in allocd.processes(UNIT, state="compliant")),
                "the one that stays is proved", UNIT)
    allocd.poll(lambda: (unit := allocd.unit(UNIT))["processes_seen"] > 8 and unit["processes_vanished"] > 0,
                "children were seen, and some vanished under its eyes", UNIT)


def test_a_library_opened_late_is_mapped_only(host, allocd):
    go = "/run/go-dlopen"
    run_probe(host, allocd, f"{HOST_PROGRAMS}/dlopens_late {go} {JEMALLOC}",
              "Environment=GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384")
    wait_for(allocd, "glibc at first", active="glibc")
    host.write(go, "")
    process = allocd.poll(lambda: (p := the_process(allocd)) and "jemalloc" in states(p) and p, "jemalloc is mapped",
                          timeout=45)
    assert states(process) == {"glibc": "active", "jemalloc": "mapped_not_active"}
    host.remove(go)


def test_a_reused_pid_is_another_process(host, allocd):
    go = "/run/go-reuse"
    host.write("/srv/first", f"#!/bin/sh\nexec env LD_PRELOAD={JEMALLOC} {HOST_PROGRAMS}/allocates\n", mode=0o755)
    run_probe(host, allocd, f"{HOST_PROGRAMS}/reuses_pid {go} /srv/first {HOST_PROGRAMS}/allocates")
    def child(active):
        return lambda: next((p for p in allocd.processes(UNIT)
                             if p["comm"] == "allocates" and p["evidence"]["active"] == active), None)
    first = allocd.poll(child("jemalloc"), "the first process uses jemalloc", UNIT)
    host.write(go, "")
    second = allocd.poll(child("glibc"), "the second process uses glibc", UNIT)
    assert second["pid"] == first["pid"]
    assert second["start_ticks"] > first["start_ticks"]
    host.remove(go)


def test_a_read_that_never_returns_holds_up_nobody(host, allocd):
    host.unit("stuck.service", f"[Service]\nExecStart={HOST_PROGRAMS}/blocks_reader\n")
    host.systemctl("start", "stuck.service")
    run_probe(host, allocd, f"{HOST_PROGRAMS}/allocates", f"Environment=LD_PRELOAD={JEMALLOC}")
    allocd.start(config(observe={"read_deadline": "200ms"},
                        stuck={"unit": "stuck.service", "allocator": "jemalloc"},
                        probe={"unit": UNIT, "allocator": "jemalloc"}))
    wait_for(allocd, "the other process is proved", active="jemalloc")
    stuck = allocd.poll(lambda: next((p for p in allocd.processes("stuck.service")
                                      if "deadline" in p["evidence"]["detail"]), None), "the read is given up")
    assert stuck["evidence"]["active"] == "unknown"
    assert stuck["memory"]["resident"] > 0
    assert allocd.unit("stuck.service")["assessment"]["state"] == "unknown"
    before = allocd.snapshot()["sequence"]
    allocd.poll(lambda: allocd.snapshot()["sequence"] > before + 3, "samples go on")
    assert allocd.snapshot()["own"]["evidence_deadlines"] == 1
    assert pick(allocd.exposition(), "allocd_evidence_deadlines_total") == [1]
    # And it can still be stopped at once.
    host.systemctl("stop", "allocd.service", timeout=10)
    assert host.show("allocd.service", "Result")["Result"] == "success"
