"""Every line is one JSON object without secrets, whoever writes it (R37)."""

import json
import subprocess
import sys

import pytest

KEY = "sk_live_abcdEFGH12345678901234567890123456789012345678"
PROGRAM = """
import logging, structlog, sys
from config.logging import configure_logging
configure_logging()
said = sys.argv[1]
structlog.get_logger().info("ours", text=said, nested={"deep": [said]}, password="open sesame")
logging.getLogger("library").warning("theirs %s", said)
try:
    raise RuntimeError(said)
except RuntimeError:
    structlog.get_logger().error("failed", exc_info=True)
"""


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        (f"key {KEY} was used", KEY[12:]),
        ("sk-or-v1-0123456789abcdef0123456789", "0123456789abcdef"),
        ('Authorization: Bearer eyJhbGciOi.J9"and more', "eyJhbGciOi"),
        ("postgresql://reseller:hunter2@db.example/reseller", "hunter2"),
        ("whsec_0123456789abcdef0123456789", "0123456789abcdef"),
        ("whsec_AB+/cdEF0123456789/abcdefgh/ijklmnop+==", "cdEF0123456789"),
        ("whsec_ABCDEFGH0123456789/abcdefgh/ijklmnop+==", "abcdefgh/ijklmnop"),
    ],
)
def test_secrets_are_masked_in_every_line_and_every_line_is_json(said: str, secret: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, said], capture_output=True, text=True, check=True, timeout=60)

    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert [line["event"].split()[0] for line in lines] == ["ours", "theirs", "failed"]
    assert secret not in done.stderr
    assert "open sesame" not in done.stderr


def test_addresses_side_by_side_with_e_mail_stay_whole() -> None:
    said = "see http://127.0.0.1:9100/x"

    done = subprocess.run([sys.executable, "-c", PROGRAM.replace("nested=", 'mail="a@b.example", nested='), said],
                          capture_output=True, text=True, check=True, timeout=60)  # fmt: skip

    assert json.loads(done.stderr.splitlines()[0])["text"] == said
