"""Ids of calls in every shape that customers read out to us."""

from uuid import UUID

import pytest

from reseller.domain.usage import call_id_of, request_id

CALL = UUID("01a2146c-7d1e-73ea-a979-02ac60ecb5fe")


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
        "req_6f9619ff8b864011b42d00cf4fc964ff",
        "6f9619ff-8b86-4011-b42d-00cf4fc964ff",
        "req_" + "g" * 32,
        "٣" * 32,
        "_".join(CALL.hex)[:32],
        f"{'f' * 12}7{'f' * 3}8{'f' * 15}",  # its instant is in no calendar
    ],
)
def test_anything_else_is_no_call(text: str) -> None:
    assert call_id_of(text) is None
