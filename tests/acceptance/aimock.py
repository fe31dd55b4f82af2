"""aimock: a model server that others wrote, which speaks OpenRouter's dialect under /api/v1.

Source: npm @copilotkit/aimock 1.43.0, README.
"""

import json
import os
from pathlib import Path
from typing import Any

from tests.acceptance.npm import installed, node
from tests.servers import ServerProcess, free_port

PACKAGE, VERSION = "@copilotkit/aimock", "1.43.0"


class Aimock(ServerProcess):
    """The server, listening once made. Answers by fixtures: the customer's words → the answer and its bill."""

    def __init__(self, fixtures: list[dict[str, Any]], folder: Path) -> None:
        self.port = free_port()
        written = folder / "fixtures.json"
        written.write_text(json.dumps({"fixtures": fixtures}))
        words = ["-p", str(self.port), "-f", str(written), "-c", "5", "--strict"]
        super().__init__(
            [node(), str(installed(PACKAGE, VERSION, "dist/cli.js")), *words], env={"PATH": os.environ["PATH"]}, log=folder / "aimock.log"
        )
        self.await_answer(self.port, "/api/v1/models", 20)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"
