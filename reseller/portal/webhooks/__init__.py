"""/webhooks: where the account's programs are told of events: added, changed, rotated, tried, and what was sent there."""

from reseller.portal.webhooks.pages import webhooks

__all__ = ["webhooks"]
