# SPDX-License-Identifier: Apache-2.0
"""When the enforcer restarts what the policy lets it: in a window, and so many at once. Windows are made from the clock
of now, hours away from it, so that no test ends on the other side."""

from __future__ import annotations

import json
import re
import time

from enforcer_on_host import SERVICE, SLEEPS, conf, policy


def window(begin_hours: int, end_hours: int) -> str:
    def at(hours: int) -> str:
        return time.strftime("%H:%M", time.gmtime(time.time() + 3600 * hours))
    return f"{at(begin_hours)}..{at(end_hours)} UTC"


SHUT, OPEN = window(6, 8), window(-6, 6)


def test_outside_its_window_a_unit_waits_and_is_told(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    before = host.show(SERVICE, "InvocationID")
    enforcer.configure(policy(restart="window", window=[SHUT], settle="10s"))
    said = host.run("allocctl", "apply", "--yes", SERVICE).stdout
    opens = rf"when the policy's window opens: {SERVICE} \(\d+-\d\d-\d\dT{SHUT[:5]}:00Z\)\."
    assert re.search(opens, " ".join(said.split())), said
    enforcer.ends()
    assert enforcer.exists(conf()) and host.show(SERVICE, "InvocationID") == before
    assert enforcer.ask("apply")["pending"] == [SERVICE]
    enforcer.configure(policy(restart="window", window=[OPEN], settle="10s"))
    assert enforcer.ask("apply")["restarted"] == [SERVICE]
    enforcer.reaches("settled")
    assert "LD_PRELOAD" in enforcer.environment()


def test_as_many_at_once_as_are_allowed(enforcer, host):
    host.unit("many@.service", SLEEPS)
    units = [f"many@{each}.service" for each in "abc"]
    host.systemctl("start", *units)
    settings = json.loads(policy(unit="many@*.service", settle="10s", restart="now"))
    enforcer.configure(json.dumps(settings | {"max_concurrent_restarts": 2}))
    assert enforcer.ask("apply")["restarted"] == units[:2]
    for unit in units:
        enforcer.reaches("settled", unit, "many@.service")
    a, b, c = (int(host.show(unit, "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"]) for unit in units)
    assert b - a < 10_000_000 <= c - a
