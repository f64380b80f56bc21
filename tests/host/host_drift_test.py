# SPDX-License-Identifier: Apache-2.0
"""What allocd keeps of memory drift, under a real systemd: over a restart, and where its file was damaged."""

import json

from allocd_on_host import config

UNIT = "holds.service"
STATE = "/var/lib/allocd/drift"


def state_files(host) -> list[str]:
    return host.run("ls", STATE, check=False).stdout.split()


def messages(host, part: str) -> list[dict]:
    return [entry for entry in host.journal_entries("allocd.service") if part in str(entry["MESSAGE"])]


def test_drift_is_kept_over_a_restart_and_a_damaged_file_is_set_aside_with_a_word(host, allocd):
    host.unit(UNIT, "[Service]\nExecStart=/bin/sleep 3600\n")
    host.systemctl("start", UNIT)
    pid = int(host.show(UNIT, "MainPID")["MainPID"])
    text = config(holds={"unit": UNIT})
    allocd.start(text)
    allocd.poll(lambda: allocd.unit(UNIT)["up"], "the unit is seen", UNIT)
    allocd.next_sample()
    host.systemctl("restart", "allocd.service", timeout=60)
    (name,) = state_files(host)
    assert name.startswith(f"{UNIT}-") and name.endswith(".json")
    assert host.run("stat", "-c", "%U %a", STATE, f"{STATE}/{name}").stdout.split() == ["allocd", "700", "allocd", "600"]
    kept = json.loads(host.read(f"{STATE}/{name}"))
    assert (kept["unit"], kept["pid"], kept["schema_version"]) == (UNIT, pid, 1)
    assert kept["boot_id"] == host.read("/proc/sys/kernel/random/boot_id").strip()
    taken = kept["peaks"]["samples"]
    assert taken >= 1

    # It goes on where it was.
    allocd.next_sample()
    host.systemctl("stop", "allocd.service", timeout=60)
    again = json.loads(host.read(f"{STATE}/{name}"))
    assert again["peaks"]["samples"] > taken
    assert again["life_started_at"] == kept["life_started_at"]
    assert messages(host, "memory drift") == []

    host.write(f"{STATE}/{name}", '{"schema_version": 1, "unit": "hol')
    host.run("chown", "allocd:allocd", f"{STATE}/{name}")
    allocd.start(text)
    assert allocd.unit(UNIT)["up"]
    (said,) = messages(host, "memory drift")
    assert (said["ALLOCD_UNIT"], said["ALLOCD_PATH"]) == (UNIT, f"{STATE}/{name}.corrupt")
    assert "starts anew" in said["MESSAGE"]
    (shown,) = [one for one in allocd.snapshot()["collectors"] if one["name"] == "drift"]
    assert shown["success"] and shown["errors"] == 1
    host.systemctl("stop", "allocd.service", timeout=60)
    assert sorted(state_files(host)) == [name, f"{name}.corrupt"]
    assert json.loads(host.read(f"{STATE}/{name}"))["pid"] == pid
