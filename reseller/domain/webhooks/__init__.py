"""Programs of customers are told what happened, at addresses that they name (promise R33).

An event becomes a delivery for each endpoint that wants to hear of it (`fan_out`); a worker claims deliveries that are due
(`claiming`), sends them, and records what came of it (`outcomes`). Each is delivered at least once, under an id that stays, signed
as Standard Webhooks has it (`signing`). An endpoint's deliveries go out one after another in their order (`queue`), and nothing of
one endpoint waits for another. Owners and staff add, change and rotate (`endpoints`), send again (`repeating`) and look (`reading`).

Not here: the request itself (`clients/webhook_sender`), the rounds of the worker (`worker/webhooks`), the events (`outbox`).
"""

from reseller.domain.webhooks.claiming import LEASE, MAX_PER_ACCOUNT, Claimed, claim_due
from reseller.domain.webhooks.endpoints import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_ENDPOINTS,
    OVERLAP,
    SEALED_FOR,
    EndpointOrder,
    EndpointTerms,
    change,
    forget_secrets,
    register,
    rotate,
    switch_off,
    switch_on,
)
from reseller.domain.webhooks.fan_out import fan_out
from reseller.domain.webhooks.messages import message_id, sample_message
from reseller.domain.webhooks.outcomes import Outcome, record_outcome
from reseller.domain.webhooks.queue import ANSWER_SECONDS, IN_ORDER, LASTS
from reseller.domain.webhooks.reading import (
    DeliveryStory,
    ListedDelivery,
    ListedEndpoint,
    Try,
    Waiting,
    deliveries_of,
    endpoint_of,
    endpoints_of,
    recent_tries,
    story_of,
    waiting,
)
from reseller.domain.webhooks.repeating import MAX_TESTS, redeliver, redeliver_given_up, send_test
from reseller.domain.webhooks.signing import new_secret, signed_headers
from reseller.domain.webhooks.tables import DeliveryState, OffBecause, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from reseller.domain.webhooks.urls import MAX_URL_CHARACTERS, normal_url, shown_url

__all__ = [
    "ANSWER_SECONDS", "IN_ORDER", "LASTS", "LEASE", "MAX_DESCRIPTION_CHARACTERS", "MAX_ENDPOINTS", "MAX_PER_ACCOUNT", "MAX_TESTS",
    "MAX_URL_CHARACTERS", "OVERLAP", "SEALED_FOR", "Claimed", "DeliveryState", "DeliveryStory", "EndpointOrder", "EndpointTerms",
    "ListedDelivery", "ListedEndpoint", "OffBecause", "Outcome", "Try", "Waiting", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint",
    "change", "claim_due", "deliveries_of", "endpoint_of", "endpoints_of", "fan_out", "forget_secrets",
    "message_id", "new_secret", "normal_url", "recent_tries", "record_outcome", "redeliver", "redeliver_given_up", "register", "rotate",
    "sample_message", "send_test", "shown_url", "signed_headers", "story_of", "switch_off", "switch_on", "waiting",
]  # fmt: skip
