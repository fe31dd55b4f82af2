"""Ids of calls in every shape that customers read out to us."""

from uuid import uuid4

import pytest

from reseller.clock import new_id
from reseller.domain.usage import call_id_of, request_id

CALL = new_id()


@pytest.mark.parametrize(
    "shown",
    [
        request_id(CALL),
        f"chatcmpl-{CALL.hex}",
        f"cmpl-{CALL.hex}",
        f"embd-{CALL.hex}",
        CALL.hex,
        str(CALL),
        f"  {request_id(CALL).upper()}\n",
    ],
)
def test_every_shape_of_ours_names_the_call(shown: str) -> None:
    assert call_id_of(shown) == CALL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "req_",
        CALL.hex[:-1],
        f"{CALL.hex}0",
        f"req_{uuid4().hex}",
        str(uuid4()),
        "req_" + "g" * 32,
        "٣" * 32,
        "_".join(CALL.hex)[:32],
        f"{'f' * 12}7{'f' * 3}8{'f' * 15}",  # its instant is in no calendar
    ],
)
def test_anything_else_is_no_call(text: str) -> None:
    assert call_id_of(text) is None
