# SPDX-License-Identifier: Apache-2.0
"""The example of Prometheus: promtool accepts it, as it is and with every setting on, and the labels join."""

import re
import shutil

import pytest

import rule_files
import servers
from rule_files import PROMETHEUS, PROMTOOL, RULES

EXAMPLE = RULES / "prometheus.yaml.example"


@pytest.fixture(params=["as shipped", "all on"])
def config(request, tmp_path):
    for path in rule_files.files():
        shutil.copy(path, tmp_path)
    text = EXAMPLE.read_text()
    if request.param == "all on":
        text = re.sub(r"^#(?!#)", "", text, flags=re.MULTILINE)
    (tmp_path / "prometheus.yaml").write_text(text)
    return tmp_path / "prometheus.yaml"


def test_promtool_accepts_it(config):
    ended = rule_files.run(PROMTOOL, "check", "config", config)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    names = re.findall(r"(\S+)\.rules\.yaml", config.read_text())
    assert ended.stdout.count("rules found") == len([name for name in names if f"- {name}" in strip(config)])


def strip(config):
    return re.sub(r"^\s*#.*$", "", config.read_text(), flags=re.MULTILINE)


@pytest.fixture
def targets(config, tmp_path):
    """What Prometheus makes of the targets, whether they answer or not."""
    address = servers.free_address()
    jobs = len(re.findall(r"^  - job_name:", config.read_text(), re.MULTILINE))
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address={address}"]

    def all_found():
        found = servers.ask(address, "/api/v1/targets?state=active")["data"]["activeTargets"]
        return found if len({target["labels"]["job"] for target in found}) == jobs else None

    with servers.running(command, tmp_path / "log"):
        yield [target["labels"] for target in servers.wait_for(all_found, (tmp_path / "log").read_text)]


def test_the_labels_of_all_jobs_join(targets):
    hosts = {target["instance"] for target in targets if target["job"] == "allocd"}
    assert hosts == {"gpu-01", "gpu-02"}
    for target in targets:
        if target["job"] != "allocd":
            assert target["instance"] in hosts and target["unit"].endswith(".service")


def test_every_rule_file_is_named():
    text = EXAMPLE.read_text()
    assert all(f"- {path.name}" in text for path in rule_files.files())
