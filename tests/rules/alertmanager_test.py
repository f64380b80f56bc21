# SPDX-License-Identifier: Apache-2.0
"""The example of Alertmanager: what amtool says of it, and what a running Alertmanager does with allocd's alerts."""

import os
import re

import pytest

import rule_files
import servers
from rule_files import ALERTMANAGER, AMTOOL, RULES, TOOLS
from servers import ask

CONFIG = RULES / "alertmanager.yaml.example"
ALERTS = {(rule["alert"], rule["labels"]["severity"]) for _, rule in rule_files.alerts()}


def test_amtool_accepts_it():
    ended = rule_files.run(AMTOOL, "check-config", CONFIG)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("name,severity", sorted(ALERTS))
def test_each_severity_goes_its_way(name, severity):
    receiver = {"critical": "pager", "warning": "tickets", "info": "nobody"}[severity]
    ended = rule_files.run(AMTOOL, "config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receiver}",
                           f"alertname={name}", f"severity={severity}", "instance=gpu-01")  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_inhibition_names_alerts_that_exist():
    words = set(re.findall(r"Allocd\w+", CONFIG.read_text()))
    assert words <= {name for name, _ in ALERTS} | {"Allocd"}


def in_a_view_of_its_own(*command):
    """Debian's Alertmanager reads a template below /usr/share, and is only unpacked: it is shown its own tree there."""
    share = TOOLS / "prometheus-alertmanager/usr/share"
    script = 'mount --bind "$0" /usr/share && exec "$@"'
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *user, "--mount", "sh", "-c", script, str(share), *map(str, command)]


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alertmanager")
    address = servers.free_address()
    command = in_a_view_of_its_own(
        ALERTMANAGER, f"--config.file={CONFIG}", f"--storage.path={folder}/data",
        f"--web.listen-address={address}", "--cluster.listen-address=")  # fmt: skip
    with servers.running(command, folder / "log"):
        servers.wait_for(lambda: ask(address, "/api/v2/status"), (folder / "log").read_text)
        yield address


_cases = iter(range(1000))


def muted(address, *alerts):
    """Post alerts, which a cluster of their own keeps from those of other cases, and see which are muted."""
    case = f"c{next(_cases)}"
    common = {"case": case, "cluster": case, "instance": "gpu-01", "job": "allocd"}
    ask(address, "/api/v2/alerts", [{"labels": {**common, **alert}} for alert in alerts])
    answer = ask(address, f"/api/v2/alerts?filter=case%3D%22{case}%22")
    assert len(answer) == len(alerts)
    return {key_of(alert["labels"]) for alert in answer if alert["status"]["inhibitedBy"]}


def key_of(labels):
    return labels["alertname"], labels["severity"]


def alert(name, severity="warning", unit="vllm.service", **labels):
    return {"alertname": name, "severity": severity, "unit": unit, **labels}


def on_host(name, severity="warning", **labels):
    return {"alertname": name, "severity": severity, **labels}


EXHAUSTION = alert("AllocdMemoryExhaustionSoon", "critical")


@pytest.mark.parametrize(
    "cause,effects",
    [
        (EXHAUSTION, [alert("AllocdMemoryDriftFast"), alert("AllocdMemoryDriftSlow"), alert("AllocdUnitMemoryPressure")]),
        (alert("AllocdMemoryDriftFast"), [alert("AllocdMemoryDriftSlow"), alert("AllocdMemoryDriftSlow", "info")]),
        (alert("AllocdMemoryDriftSlow"), [alert("AllocdMemoryDriftSlow", "info")]),
        (alert("AllocdMemoryDriftSlow", "info"), [alert("AllocdMemoryGrowthHiddenByRestarts", "info")]),
        (on_host("AllocdNodeMemoryPressure"), [alert("AllocdUnitMemoryPressure")]),
        (alert("AllocdDropInTampered", state="tampered"), [alert("AllocdPolicyNotApplied"), alert("AllocdPolicyViolation")]),
        (alert("AllocdPolicyRolledBack"), [alert("AllocdPendingRestartTooLong")]),
        (on_host("AllocdEnforcerRunFailed"), [alert("AllocdPolicyNotApplied")]),
        (on_host("AllocdPermissionLost", collector="units"), [on_host("AllocdCollectorFailing", collector="units")]),
        (on_host("AllocdSnapshotStale"), [on_host("AllocdCollectorFailing", collector="units")]),
        ({"alertname": "NodeDown", "severity": "critical"}, [on_host("AllocdDown"), alert("AllocdMemoryDriftSlow")]),
    ],
    ids=lambda value: value["alertname"] if isinstance(value, dict) else None,
)
def test_the_cause_mutes_its_effects(alertmanager, cause, effects):
    assert muted(alertmanager, cause, *effects) == {key_of(effect) for effect in effects}
    assert all(muted(alertmanager, effect) == set() for effect in effects)


@pytest.mark.parametrize(
    "cause,other",
    [
        (EXHAUSTION, alert("AllocdMemoryDriftSlow", unit="tgi.service")),
        (EXHAUSTION, {**alert("AllocdMemoryDriftSlow"), "instance": "gpu-02"}),
        (EXHAUSTION, {**alert("AllocdMemoryDriftSlow"), "cluster": "another"}),
        (EXHAUSTION, alert("AllocdPolicyViolation")),
        (alert("AllocdMemoryDriftSlow"), EXHAUSTION),
        (on_host("AllocdSnapshotStale"), on_host("AllocdDown")),
        (on_host("AllocdPermissionLost", collector="units"), on_host("AllocdCollectorFailing", collector="node")),
        (alert("AllocdPolicyViolation"), alert("AllocdJemallocWithoutBackgroundThread", "info")),
    ],
)
def test_nothing_else_is_muted(alertmanager, cause, other):
    assert key_of(other) not in muted(alertmanager, cause, other)
