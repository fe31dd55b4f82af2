"""Whoever misbehaves, in a process of its own: `python -m tests.bounds.attacker` reads one order a line, prints what came of it.

It gives way to everybody else on the machine, so that what the neighbour notices is the server's doing.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from typing import Any

from tests.bounds import bodies, clients, floods
from tests.bounds.wire import Target
from tests.limits import raise_file_limit

MISBEHAVIOURS = {**clients.MISBEHAVIOURS, **bodies.MISBEHAVIOURS, **floods.MISBEHAVIOURS}


async def perform(order: dict[str, Any]) -> dict[str, int]:
    """The misbehaviour was kept up for as long as the order says, every connection is closed; how often each status came."""
    target = Target(order["port"], order["key"], order["seconds"], order["share"])
    seen: Counter[str] = await MISBEHAVIOURS[order["name"]](target)
    return dict(seen)


if __name__ == "__main__":
    os.nice(15)
    raise_file_limit()
    for line in sys.stdin:
        print(json.dumps(asyncio.run(perform(json.loads(line)))), flush=True)
