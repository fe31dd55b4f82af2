"""Signatures that the receivers' own library accepts, and the example of the specification."""

import base64

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from reseller.clock import unix_seconds
from reseller.domain.webhooks import new_secret, signed_headers

BODY = '{"type":"key.created","data":{"name":"ключ"}}'.encode()


def test_the_example_of_the_specification() -> None:
    """standard-webhooks/spec, "Signature scheme" and the libraries' tests: `msg_p5jXN8AQM9LWM0D4loKWxJek`."""
    body = b'{"test": 2432232314}'

    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_receivers_accept_what_we_sign() -> None:
    secret = new_secret()

    headers = signed_headers("evt_1", unix_seconds(), BODY, [secret])

    assert Webhook(secret).verify(BODY, headers) == {"type": "key.created", "data": {"name": "ключ"}}


@pytest.mark.parametrize("which", [0, 1])
def test_while_two_secrets_overlap_either_is_enough(which: int) -> None:
    secrets = [new_secret(), new_secret()]

    headers = signed_headers("evt_1", unix_seconds(), BODY, secrets)

    assert Webhook(secrets[which]).verify(BODY, headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize(
    "changes", [{"webhook-id": "evt_2"}, {"webhook-timestamp": str(2**31)}, {"webhook-signature": "v1,AAAA"}], ids=["id", "time", "mark"]
)
def test_what_was_changed_on_the_way_is_refused(changes: dict[str, str]) -> None:
    secret = new_secret()
    headers = signed_headers("evt_1", unix_seconds(), BODY, [secret])

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers | changes)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_secrets_have_256_bits_and_are_never_the_same() -> None:
    drawn = {new_secret() for _ in range(50)}

    assert len(drawn) == 50
    assert {len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) for text in drawn} == {32}
