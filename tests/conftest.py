# SPDX-License-Identifier: Apache-2.0
"""For every pytest tier: a run in which a test was skipped is a skipped run (exit 77), never a passed one."""

SKIPPED = 77


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = SKIPPED
