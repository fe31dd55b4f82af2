"""Jobs around webhooks: events are fanned out and sent to where customers want them; what is old is gone.

A round begins what is due and does not wait for it, so a receiver that hangs keeps nobody else waiting; the lease of each delivery,
not that of the job, says who is at it. If we die here, another worker takes over what was in hand.
"""

from datetime import timedelta
from functools import partial

import structlog

from config import Settings
from reseller.clients.webhook_sender import NotSent, Reach, WebhookSender
from reseller.clock import monotonic, now, unix_seconds
from reseller.domain import outbox, webhooks
from reseller.domain.identity.sealing import Seal
from reseller.domain.webhooks import Claimed, Outcome
from reseller.worker.context import Context

ROUND_SECONDS = 20.0
"""How long `flask worker --once` goes on sending."""
AT_A_TIME = 5_000
NO_SECRET = "its secret cannot be read any more: rotate it"  # noqa: S105 - words, not a secret

log = structlog.get_logger()


def send_webhooks(context: Context) -> str:
    """What happened is on its way to whoever listens, and what was due has been begun."""
    settings = context.wiring.settings
    seal = Seal(settings.secret_keys, webhooks.SEALED_FOR)
    sender = sender_of(settings, Reach.PUBLIC_OR_HERE if settings.webhooks_allow_loopback else Reach.PUBLIC)
    events, begun, until = 0, 0, monotonic() + ROUND_SECONDS
    while True:
        events += webhooks.fan_out()
        claimed = webhooks.claim_due(context.errands.places, seal)
        begun += len(claimed)
        for delivery in claimed:
            context.errands.begin(partial(send, delivery, sender))
        if not context.is_once:
            break
        context.errands.finish(ROUND_SECONDS)
        if not claimed or monotonic() > until:
            break
    return f"{events} events, {begun} deliveries begun" if events or begun else "none waiting"


def forget_deliveries(context: Context) -> str:
    """Events that are older than WEBHOOKS_KEPT_DAYS are gone, with what was sent of them."""
    before, gone = now() - timedelta(days=context.wiring.settings.webhooks_kept_days), 0
    while more := outbox.forget_before(before, AT_A_TIME):
        gone += more
    return f"{gone} events"


def sender_of(settings: Settings, reach: Reach) -> WebhookSender:
    """A sender of this deployment."""
    return WebhookSender(user_agent=f"Webhooks/1.0 (+{settings.base_url})", reach=reach, total_seconds=webhooks.ANSWER_SECONDS)


def send(claimed: Claimed, sender: WebhookSender) -> None:
    """The delivery was tried once, and what came of it is recorded."""
    outcome = _tried(claimed, sender)
    off = webhooks.record_outcome(claimed, outcome)
    if off is not None:
        log.warning("webhook_endpoint_off", endpoint_id=str(claimed.endpoint_id), account_id=str(claimed.account_id), because=str(off))


def _tried(claimed: Claimed, sender: WebhookSender) -> Outcome:
    if not claimed.secret_texts:
        return Outcome(None, 0, {}, {}, error=NO_SECRET)
    headers = webhooks.signed_headers(claimed.message_id, unix_seconds(), claimed.body, claimed.secret_texts)
    began = monotonic()
    try:
        answer = sender.post(claimed.url, claimed.body, headers, owner=str(claimed.account_id))
    except NotSent as error:
        return Outcome(None, round((monotonic() - began) * 1000), headers, {}, error=str(error))
    took_ms = round((monotonic() - began) * 1000)
    return Outcome(answer.status, took_ms, headers, answer.headers, answer.body.decode("utf-8", "replace"))
