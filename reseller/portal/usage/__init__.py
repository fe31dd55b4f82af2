"""/usage: what the account called, when, with which key, and what each call was charged and why."""

from reseller.portal.usage import calls, charts, receipt
from reseller.portal.usage.blueprint import own_usage

__all__ = ["calls", "charts", "own_usage", "receipt"]
