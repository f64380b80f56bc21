# SPDX-License-Identifier: Apache-2.0
"""kill -9 around the restart that a policy of `restart: now` allows."""

from __future__ import annotations

from killed_at_every_step import check_restart


def test_around_the_restart(enforcer, host):
    check_restart(enforcer, host)
