"""Jobs around alarms: conditions are looked at, what is over is over, and whoever runs the shop is told."""

import orjson

from config import Settings
from reseller import alarms as sounded
from reseller.clients.webhook_sender import NotSent, Reach, WebhookSender
from reseller.clock import unix_seconds
from reseller.domain import alarms, webhooks
from reseller.domain.alarms import ClaimedMessage, Ears
from reseller.domain.desk import conditions
from reseller.worker.context import Context
from reseller.worker.webhooks import sender_of

AT_A_TIME = 20


def watch(context: Context) -> str:  # noqa: ARG001 - every job has the same face
    """Conditions that are so have an alarm, those that are no longer so have none, and what went quiet is over."""
    found = conditions.look()
    for alarm, subjects in found.items():
        alarms.hold(alarm, subjects)
    over = alarms.clear_quiet()
    return f"{sum(map(len, found.values()))} conditions, {over} went quiet"


def tell(context: Context) -> str:
    """Mailboxes and webhook of the operator have heard of what is new, lasts or is over."""
    settings = context.wiring.settings
    context.heart.write_down_alarms()
    ears = ears_of(settings)
    if not ears.are_any:
        return "nobody to tell: OPERATOR_ALERT_EMAILS and OPERATOR_ALERT_WEBHOOK are empty"
    told = alarms.tell(ears)
    sent, failed = _send(settings) if ears.has_webhook else (0, 0)
    return f"{told} told of, {sent} messages sent" + (f", {failed} tried again later" if failed else "")


def ears_of(settings: Settings) -> Ears:
    """Who hears of alarms in this deployment."""
    return Ears(settings.alert_emails, bool(settings.operator_alert_webhook))


def _send(settings: Settings) -> tuple[int, int]:
    """How many messages the webhook took, and how many it did not; after the first of these the others wait."""
    sent, due, sender = 0, alarms.claim_messages(AT_A_TIME), sender_of(settings, Reach.ANYWHERE)
    for number, message in enumerate(due):
        try:
            _post(message, sender, settings)
        except NotSent as error:
            for left in due[number:]:
                alarms.record_untold(left.id, str(error))
            sounded.sound("alarm_webhook_failing", words=str(error))
            return sent, len(due) - number
        alarms.record_told(message.id)
        sent += 1
    return sent, 0


def _post(message: ClaimedMessage, sender: WebhookSender, settings: Settings) -> None:
    """The operator's receiver has taken the message; if we die here, it is sent again under the same id. Raises NotSent."""
    body, secret = orjson.dumps(message.payload), settings.operator_alert_webhook_secret.get_secret_value()
    headers = webhooks.signed_headers(f"msg_{message.id.hex}", unix_seconds(), body, [secret])
    answer = sender.post(settings.operator_alert_webhook, body, headers)
    if not 200 <= answer.status < 300:
        raise NotSent(f"it answers {answer.status}")
