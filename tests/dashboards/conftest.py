# SPDX-License-Identifier: Apache-2.0
"""What is printed of every run of this tier."""


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(
        "dashboard-linter and pint were not run: lint.py stands alone for them (./dev dashboards --linters builds and runs them)")
