# SPDX-License-Identifier: Apache-2.0
"""What a drop-in looks like for every form of unit, and that it works: the environment of the started process is the
proof. And what a drop-in cannot beat, named with its file and line."""

from __future__ import annotations

import allocd_on_host
import pytest
from enforcer_on_host import FAULTY, JEMALLOC, SERVICE, SLEEPS, UNITS, conf, env_file, install_faulty_libraries, policy
from this_machine import DYNAMIC_LINKER, LIBRARIES, ROOT_LIBRARIES

OTHER = f"{LIBRARIES}/libm.so.6"  # any library that is harmless to preload


def service(*lines: str, start: str = "/bin/sleep 3600") -> str:
    return "\n".join(["[Service]", f"ExecStart={start}", *lines, ""])


# Templates ------------------------------------------------------------------------------------------------------------


def test_a_glob_over_all_instances_writes_at_the_template(enforcer, host):
    host.unit("many@.service", service())
    host.systemctl("start", "many@a.service", "many@b.service")
    enforcer.configure(policy(unit="many@*.service"))
    item = enforcer.apply("many@.service")
    assert item["units"] == ["many@a.service", "many@b.service"]
    assert enforcer.exists(conf("many@.service")) and not enforcer.exists(conf("many@a.service"))
    for unit in ("many@a.service", "many@never-seen-before.service"):
        assert enforcer.started(unit)["LD_PRELOAD"] == JEMALLOC
    assert enforcer.ask("apply")["items"] == []


def test_a_named_instance_has_a_drop_in_of_its_own(enforcer, host):
    host.unit("many@.service", service())
    host.systemctl("start", "many@a.service", "many@b.service")
    enforcer.configure(policy(unit="many@a.service"))
    enforcer.apply("many@a.service")
    assert enforcer.started("many@a.service")["LD_PRELOAD"] == JEMALLOC
    assert "LD_PRELOAD" not in enforcer.started("many@b.service")


def test_two_services_under_one_template(enforcer, host):
    host.unit("many@.service", service())
    host.systemctl("start", "many@a1.service", "many@b1.service", "many@c1.service")
    enforcer.configure(allocd_on_host.config(
        first={"unit": "many@a*.service", "allocator": "jemalloc"},
        second={"unit": "many@b*.service", "allocator": "jemalloc", "malloc_conf": "narenas:2"}))
    report = enforcer.ask("apply")
    assert sorted(item["target"] for item in report["items"]) == ["many@a1.service", "many@b1.service"], report
    assert not enforcer.exists(conf("many@.service"))
    assert "MALLOC_CONF" not in enforcer.started("many@a1.service")
    assert enforcer.started("many@b1.service")["MALLOC_CONF"] == "narenas:2"
    assert "LD_PRELOAD" not in enforcer.started("many@c1.service")


# What wins ------------------------------------------------------------------------------------------------------------


def test_at_run_time_only(enforcer, host):
    host.unit(SERVICE, service())
    enforcer.configure(policy(persist="runtime"))
    enforcer.apply()
    assert enforcer.exists(conf(units="/run/systemd/system")) and not enforcer.exists(conf())
    assert enforcer.started()["LD_PRELOAD"] == JEMALLOC
    enforcer.configure(policy(persist="system"))
    enforcer.apply()
    assert enforcer.exists(conf()) and not enforcer.exists(conf(units="/run/systemd/system"))
    assert enforcer.started()["LD_PRELOAD"] == JEMALLOC


@pytest.mark.parametrize("where", ["unit", "drop_in"])
def test_an_environment_file_is_beaten_by_one_of_ours(enforcer, host, where):
    host.write("/etc/svc.env", f'LD_PRELOAD="{OTHER}"\nMALLOC_CONF=narenas:1\nKEPT=yes\n')
    line = "EnvironmentFile=/etc/svc.env"
    host.unit(SERVICE, service(*[line] if where == "unit" else []))
    if where == "drop_in":
        host.write(f"{UNITS}/{SERVICE}.d/50-mine.conf", f"[Service]\n{line}\n")
        host.systemctl("daemon-reload")
    enforcer.configure(policy(malloc_conf="narenas:4"))
    enforcer.apply()
    assert enforcer.exists(env_file())
    environment = enforcer.started()
    assert environment["LD_PRELOAD"] == f"{JEMALLOC}:{OTHER}"
    assert (environment["MALLOC_CONF"], environment["KEPT"]) == ("narenas:4", "yes")
    host.write("/etc/svc.env", "KEPT=yes\n")
    assert enforcer.apply()["action"] == "write"
    assert not enforcer.exists(env_file())
    assert enforcer.started()["LD_PRELOAD"] == JEMALLOC


def test_unset_environment_is_named(enforcer, host):
    host.unit(SERVICE, service("UnsetEnvironment=LD_PRELOAD"))
    enforcer.configure(policy())
    reason, sentence = enforcer.refused()
    assert reason == "unset_by_unit" and f"{UNITS}/{SERVICE}:3" in sentence


def test_pass_environment_does_not_win(enforcer, host):
    host.systemctl("set-environment", f"LD_PRELOAD={OTHER}", "MALLOC_CONF=narenas:1")
    try:
        host.unit(SERVICE, service("PassEnvironment=LD_PRELOAD MALLOC_CONF"))
        enforcer.configure(policy(malloc_conf="narenas:4"))
        enforcer.apply()
        environment = enforcer.started()
        assert environment["LD_PRELOAD"] == f"{JEMALLOC}:{OTHER}" and environment["MALLOC_CONF"] == "narenas:4"
    finally:
        host.systemctl("unset-environment", "LD_PRELOAD", "MALLOC_CONF")


def test_what_the_manager_gives_to_all_is_merged(enforcer, host):
    host.write("/etc/systemd/system.conf.d/preload.conf", f"[Manager]\nDefaultEnvironment=LD_PRELOAD={OTHER}\n")
    host.systemctl("daemon-reload")
    try:
        host.unit(SERVICE, service())
        enforcer.configure(policy())
        enforcer.apply()
        assert enforcer.started()["LD_PRELOAD"] == f"{JEMALLOC}:{OTHER}"
    finally:
        host.remove("/etc/systemd/system.conf.d/preload.conf")
        host.systemctl("daemon-reload")


@pytest.mark.parametrize("line", ["Environment=LD_PRELOAD=/nowhere.so", "EnvironmentFile=/etc/later.env"])
def test_a_later_drop_in(enforcer, host, line):
    """Its Environment= loses to our file; its EnvironmentFile= comes after ours, and is named."""
    host.write("/etc/later.env", f"LD_PRELOAD={OTHER}\n")
    host.unit(SERVICE, service())
    host.write(f"{UNITS}/{SERVICE}.d/zzz-later.conf", f"[Service]\n{line}\n")
    host.systemctl("daemon-reload")
    enforcer.configure(policy())
    if line.startswith("Environment="):
        enforcer.apply()
        assert enforcer.started()["LD_PRELOAD"].split(":")[0] == JEMALLOC
    else:
        reason, sentence = enforcer.refused()
        assert reason == "overridden_by_file" and "/etc/later.env:1" in sentence


def test_a_later_drop_in_that_systemd_has_not_read_yet(enforcer, host):
    """Our reload brings it into force; what is written wins over it."""
    host.write("/etc/own.env", f"LD_PRELOAD={OTHER}\n")
    host.unit(SERVICE, service())
    host.systemctl("start", SERVICE)
    host.write(f"{UNITS}/{SERVICE}.d/50-own.conf", "[Service]\nEnvironmentFile=/etc/own.env\n")
    enforcer.configure(policy())
    enforcer.apply()
    assert enforcer.ask("apply")["items"] == []
    assert enforcer.started()["LD_PRELOAD"] == f"{JEMALLOC}:{OTHER}"


def test_what_the_unit_preloads_already_stays_behind_ours(enforcer, host):
    host.unit(SERVICE, service(f'Environment="LD_PRELOAD={OTHER} libdl.so.2"'))
    enforcer.configure(policy(extra_preload=[f"{LIBRARIES}/librt.so.1"]))
    enforcer.apply()
    assert enforcer.started()["LD_PRELOAD"] == f"{JEMALLOC}:{LIBRARIES}/librt.so.1:{OTHER}:libdl.so.2"


def test_a_policy_of_glibc_takes_allocators_out(enforcer, host):
    host.unit(SERVICE, service(f'Environment="LD_PRELOAD={JEMALLOC}:{OTHER}"'))
    enforcer.configure(policy(allocator="glibc", glibc={"arena_max": 2}))
    enforcer.apply()
    environment = enforcer.started()
    assert environment["LD_PRELOAD"] == OTHER
    assert environment["GLIBC_TUNABLES"] == "glibc.malloc.arena_max=2"


def test_yielding_leaves_the_unit_its_own(enforcer, host):
    host.unit(SERVICE, service(f"Environment=LD_PRELOAD={LIBRARIES}/libtcmalloc_minimal.so.4"))
    enforcer.configure(policy(precedence="yield"))
    report = enforcer.ask("apply", SERVICE)
    assert (enforcer.item(report)["action"], enforcer.item(report)["reason"]) == ("keep", "yields")
    assert not enforcer.exists(conf())


AWKWARD = r"""/opt/a%n'b\x41"c/libnone.so"""


def test_awkward_characters_reach_the_process_as_they_are(enforcer, host):
    install_faulty_libraries(host)
    host.run("install", "-D", "-m", "755", f"{FAULTY}/libnone.so", AWKWARD)
    host.unit(SERVICE, service("EnvironmentFile=/etc/svc.env"))
    for text in ("", "LD_PRELOAD=x\n"):  # in the drop-in's own Environment=, and in a file beside it
        host.write("/etc/svc.env", text)
        enforcer.configure(policy(library=AWKWARD))
        enforcer.apply()
        assert enforcer.started()["LD_PRELOAD"].split(":")[0] == AWKWARD
    host.remove(AWKWARD)


def test_a_library_whose_path_cannot_be_carried_is_refused(enforcer, host):
    install_faulty_libraries(host)
    host.run("install", "-D", "-m", "755", f"{FAULTY}/libnone.so", "/opt/with blank/libnone.so")
    host.unit(SERVICE, service())
    enforcer.configure(policy(library="/opt/with blank/libnone.so"))
    if enforcer.run() == 0:  # the settings may refuse it first
        enforcer.refused()
    assert not enforcer.exists(conf())


# Names ----------------------------------------------------------------------------------------------------------------

NAMES = [r"a\x2db.service", r"with\x20blank.service", "-lead.service", "trail-.service", "up..down.service",
         "l" * 230 + ".service", r"inst@a\x2fb.service", "d-o:u_b.l-e.service"]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
def test_hostile_unit_names(enforcer, host, name):
    file = name.split("@")[0] + "@.service" if "@" in name else name
    host.unit(file, service())
    host.systemctl("start", "--", name)
    before = enforcer.listing()
    enforcer.configure(policy(unit=name))
    item = enforcer.apply(name)
    assert [change["path"] for change in item["files"]] == [conf(name)]
    assert enforcer.started(name)["LD_PRELOAD"] == JEMALLOC
    report = enforcer.ask("revert", name)
    assert enforcer.item(report, name)["error"] == ""
    assert enforcer.listing() == before
    host.systemctl("stop", "--", name)


def test_a_name_too_long_for_its_directory_is_told(enforcer, host):
    name = "l" * 246 + ".service"  # with ".d" one more than a file name may have
    host.write(f"{UNITS}/{name}", service())
    host.systemctl("daemon-reload")
    try:
        enforcer.configure(policy(unit=name))
        report = enforcer.ask("apply")
        assert "too long" in enforcer.item(report, name)["error"]
        assert report["reload_error"] == "" and not report["reloaded"]
    finally:
        host.remove(f"{UNITS}/{name}")
        host.systemctl("daemon-reload")


def test_an_alias_writes_where_systemd_looks(enforcer, host):
    host.unit("real.service", service() + "[Install]\nAlias=alias.service\n")
    host.systemctl("enable", "real.service")
    host.systemctl("start", "real.service")
    try:
        enforcer.configure(policy(unit="alias.service"))
        report = enforcer.ask("apply")
        assert [item["error"] for item in report["items"]] == [""], report
        assert enforcer.started("real.service")["LD_PRELOAD"] == JEMALLOC
        assert enforcer.ask("apply")["items"] == []
    finally:
        host.systemctl("disable", "real.service")


# What a drop-in cannot reach ------------------------------------------------------------------------------------------


def test_a_program_that_drops_the_preload(enforcer, host):
    """setuid, unless NoNewPrivileges= keeps it from taking effect; file capabilities always, and if in vain."""
    host.run("sh", "-c", "cp /bin/sleep /opt/setuid; chmod 4755 /opt/setuid; cp /bin/sleep /opt/capable; "
                         "setcap cap_net_bind_service+ep /opt/capable")
    enforcer.configure(policy())
    for program in ("/opt/setuid", "/opt/capable"):
        host.unit(SERVICE, service("User=nobody", start=f"{program} 3600"))
        reason, sentence = enforcer.refused()
        assert reason == "secure_execution" and program in sentence
    host.unit(SERVICE, service("User=nobody", "NoNewPrivileges=yes", start="/opt/capable 3600"))
    assert enforcer.refused()[0] == "secure_execution"
    host.unit(SERVICE, service("User=nobody", "NoNewPrivileges=yes", start="/opt/setuid 3600"))
    enforcer.apply()
    pid = (enforcer.started(), host.show(SERVICE, "MainPID")["MainPID"])[1]
    assert JEMALLOC in host.read(f"/proc/{pid}/maps")


def test_a_root_directory_with_and_without_the_library(enforcer, host):
    # One of bind mounts would be empty to the enforcer: a tree of its own.
    host.run("sh", "-c", f"mkdir -p /srv/root/bin $(dirname /srv/root{DYNAMIC_LINKER}) /srv/root/dev /srv/root/proc /srv/root/sys /srv/root/tmp "
                         f"/srv/root/run /srv/root{LIBRARIES} && cp /bin/sleep /srv/root/bin && "
                         f"cp -L {DYNAMIC_LINKER} /srv/root{DYNAMIC_LINKER} && "
                         f"cp -L {ROOT_LIBRARIES}/libc.so.6 /srv/root{LIBRARIES}/")
    host.unit(SERVICE, service("RootDirectory=/srv/root"))
    enforcer.configure(policy())
    reason, sentence = enforcer.refused()
    assert reason == "library_absent_in_root" and f"RootDirectory=/srv/root at {UNITS}/{SERVICE}:" in sentence
    assert f"BindReadOnlyPaths={JEMALLOC}" in sentence
    host.run("sh", "-c", f"cd /srv/root{LIBRARIES} && cp -L {JEMALLOC} {ROOT_LIBRARIES}/libm.so.6 "
                         f"{LIBRARIES}/libstdc++.so.6 {ROOT_LIBRARIES}/libgcc_s.so.1 .")
    item = enforcer.apply()
    assert item["action"] == "write", item
    assert enforcer.started()["LD_PRELOAD"] == JEMALLOC
    pid = host.show(SERVICE, "MainPID")["MainPID"]
    assert "libjemalloc.so.2" in host.read(f"/proc/{pid}/maps")


def test_a_root_directory_into_which_the_library_is_bound(enforcer, host):
    """What the advice says mends it."""
    host.run("sh", "-c", f"mkdir -p /srv/bound/bin $(dirname /srv/bound{DYNAMIC_LINKER}) /srv/bound/dev /srv/bound/proc "
                         f"/srv/bound/sys /srv/bound/tmp /srv/bound/run /srv/bound{LIBRARIES} && cp /bin/sleep /srv/bound/bin && "
                         f"cp -L {DYNAMIC_LINKER} /srv/bound{DYNAMIC_LINKER} && cd /srv/bound{LIBRARIES} && "
                         f"cp -L {ROOT_LIBRARIES}/libc.so.6 {ROOT_LIBRARIES}/libm.so.6 {LIBRARIES}/libstdc++.so.6 "
                         f"{ROOT_LIBRARIES}/libgcc_s.so.1 .")
    enforcer.configure(policy())
    host.unit(SERVICE, service("RootDirectory=/srv/bound"))
    assert enforcer.refused()[0] == "library_absent_in_root"
    host.unit(SERVICE, service("RootDirectory=/srv/bound", f"BindReadOnlyPaths={JEMALLOC}"))
    assert enforcer.apply()["action"] == "write"
    assert enforcer.started()["LD_PRELOAD"] == JEMALLOC
    pid = host.show(SERVICE, "MainPID")["MainPID"]
    assert "libjemalloc.so.2" in host.read(f"/proc/{pid}/maps")


def test_a_root_image_is_not_looked_into(enforcer, host):
    host.unit(SERVICE, service("RootImage=/opt/some.raw"))
    enforcer.configure(policy())
    reason, sentence = enforcer.refused()
    assert reason == "root_image" and f"RootImage=/opt/some.raw at {UNITS}/{SERVICE}:" in sentence


@pytest.mark.parametrize("client", ["docker", "podman", "nerdctl"])
def test_a_container_client_is_not_enforceable(enforcer, host, client):
    host.write(f"/opt/fake/{client}", "#!/bin/sh\nexec sleep 3600\n", 0o755)
    host.unit(SERVICE, service(start=f"/opt/fake/{client} run --rm image"))
    enforcer.configure(policy())
    reason, sentence = enforcer.refused()
    assert reason == "container" and client in sentence and "-e LD_PRELOAD" in sentence


def test_a_quadlet_has_its_drop_in_beside_the_container_file(enforcer, host):
    host.write("/opt/fake/podman", "#!/bin/sh\nexec sleep 3600\n", 0o755)
    host.write("/etc/containers/systemd/llm.container", "[Container]\nImage=image\n")
    host.unit("llm.service", "[Unit]\nSourcePath=/etc/containers/systemd/llm.container\n"
                             + service(start="/opt/fake/podman run --name llm image"))
    enforcer.configure(policy(unit="llm.service", malloc_conf="narenas:2"))
    item = enforcer.apply("llm.container")
    path = "/etc/containers/systemd/llm.container.d/zz-allocd.conf"
    assert [change["path"] for change in item["files"]] == [path]
    text = host.read(path)
    assert "[Container]" in text and f"Volume={JEMALLOC}:{JEMALLOC}:ro" in text
    assert f"LD_PRELOAD={JEMALLOC}" in text and "MALLOC_CONF=narenas:2" in text
    assert enforcer.ask("apply")["items"] == []
    enforcer.ask("revert", "llm.container")
    assert not enforcer.exists("/etc/containers/systemd/llm.container.d")


def test_programs_without_a_dynamic_linker_of_glibc(enforcer, host):
    install_faulty_libraries(host)
    enforcer.configure(policy())
    for program, wanted in (("static_program", "static_program"), ("static_pie_program", "static_program"),
                            ("musl_program", "musl_program")):
        host.unit(SERVICE, service(start=f"{FAULTY}/{program}"))
        reason, sentence = enforcer.refused()
        assert reason == wanted and f"{FAULTY}/{program}" in sentence
    host.systemctl("start", SERVICE)  # one that ends at once hurts nobody
    assert enforcer.refused()[0] == "musl_program"


def test_a_unit_made_at_run_time_is_refused(enforcer, host):
    host.run("systemd-run", "--unit=svc", "sleep", "3600")
    try:
        enforcer.configure(policy())
        assert enforcer.refused()[0] == "transient_unit"
    finally:
        host.systemctl("stop", SERVICE)
