# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every step of a change of what was written, and of its removal."""

from __future__ import annotations

from enforcer_on_host import policy
from killed_at_every_step import check_every_step


def test_of_a_change(enforcer, host):
    check_every_step(enforcer, host, policy(malloc_conf="narenas:2"), policy(malloc_conf="narenas:4"), "apply")


def test_of_a_revert_of_what_is_enforced(enforcer, host):
    """Nor is it put back by the enforcement that follows."""
    enforced = policy(malloc_conf="narenas:2", mode="enforce")
    check_every_step(enforcer, host, enforced, enforced, "revert")
