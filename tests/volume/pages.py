"""The pages that must answer in half a second (customers' in 300 ms), however much there is. A new page is a line here."""

from collections.abc import Mapping
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from reseller.domain.accounts import Person, Role
from tests import staff

PAGES: tuple[tuple[str, str], ...] = (
    ("dashboard", "/admin/"),
    ("performance, 90 days", "/admin/performance/?range=90"),
    ("performance, 30 days", "/admin/performance/?range=30"),
    ("business, 90 days", "/admin/business/?range=90"),
    ("business, 30 days", "/admin/business/?range=30"),
    ("finance, 90 days", "/admin/finance/?range=90"),
    ("usage, 90 days", "/admin/usage/?range=90"),
    ("usage, 30 days", "/admin/usage/?range=30"),
    ("health, 90 days", "/admin/health/?range=90"),
    ("customers", "/admin/customers/"),
    ("customers, deep", "/admin/customers/?after={middle_account}"),
    ("customer, the busiest", "/admin/customers/{account}/"),
    ("search by e-mail", "/admin/customers/search?q=person77@customer77.example"),
    ("search by company", "/admin/customers/search?q=Company+77"),
    ("search by key prefix", "/admin/customers/search?q={prefix}"),
    ("search by request id", "/admin/customers/search?q={request}"),
    ("calls", "/admin/calls/"),
    ("calls of a customer", "/admin/calls/?account={account}"),
    ("calls that failed", "/admin/calls/?status=failed"),
    ("calls by error code", "/admin/calls/?code=upstream_timeout"),
    ("calls by model", "/admin/calls/?model=maker/model-3"),
    ("calls with a flag", "/admin/calls/?flag=estimate"),
    ("calls, deep", "/admin/calls/?after={middle_call}"),
    ("one call", "/admin/calls/{request}/"),
    ("ledger", "/admin/ledger/"),
    ("ledger of a customer", "/admin/ledger/?account={account}"),
    ("payments", "/admin/payments/"),
    ("one payment", "/admin/payments/details/?id={payment}"),
    ("holds", "/admin/holds/"),
    ("overage and suspense", "/admin/overage/"),
    ("suspense", "/admin/suspense/"),
    ("Stripe’s events", "/admin/stripe-events/"),
    ("supplier", "/admin/supplier/"),
    ("proof", "/admin/proof/"),
    ("alarms", "/admin/alarms/"),
    ("incidents", "/admin/incidents/"),
    ("webhook deliveries", "/admin/deliveries/"),
    ("webhook deliveries of a customer", "/admin/deliveries/?account={account}"),
    ("webhook deliveries given up", "/admin/deliveries/?state=given_up"),
    ("webhook endpoints", "/admin/endpoints/"),
    ("audit log", "/admin/audit-log/"),
    ("people", "/admin/people/"),
    ("jobs", "/admin/jobs/"),
    ("upstreams", "/admin/upstreams/"),
    ("set-up list", "/admin/set-up/"),
)
"""(what, address); the parts in braces are `samples` of the data."""

OWN_PAGES: tuple[tuple[str, str], ...] = (
    ("own overview", "/overview"),
    ("own usage, 30 days", "/usage?range=30"),
    ("own usage, 90 days", "/usage?range=90"),
    ("own usage, 90 days by model", "/usage?range=90&group=model"),
    ("own usage, 90 days by key", "/usage?range=90&group=key"),
    ("own latency, 90 days by model", "/usage?range=90&group=model&measure=latency"),
    ("own usage of one model", "/usage?range=90&model=maker/model-3"),
    ("own usage, 14 days by hour", "/usage?from={fortnight}&to={today}&step=hour&group=model"),
    ("own usage as CSV", "/usage/export?range=90&group=model&table=over-time"),
    ("own calls", "/usage/calls"),
    ("own calls, deep", "/usage/calls?after={middle_call}"),
    ("own errors", "/usage/calls?status=errors"),
    ("own calls with a key", "/usage/calls?key={own_key}"),
    ("own calls to a model", "/usage/calls?model=maker/model-3"),
    ("own calls of a day", "/usage/calls?from={today}&to={today}"),
    ("own receipt", "/usage/calls/{own_request}"),
    ("own ledger", "/billing"),
    ("own ledger, one kind", "/billing?kind=top_up"),
    ("own day of usage", "/billing/entries/{entry}"),
    ("own webhooks", "/webhooks"),
    ("own endpoint", "/webhooks/{own_endpoint}"),
    ("own alerts", "/settings/alerts"),
    ("own statements", "/billing/statements"),
    ("own statement of a month", "/billing/statements/{month}"),
)
"""The same for pages of customers, opened by whoever owns the busiest account."""

ALL_PAGES = PAGES + OWN_PAGES

SAMPLES = """
WITH busiest AS (SELECT account_id FROM usage_logs GROUP BY account_id ORDER BY count(*) DESC LIMIT 1)
SELECT (SELECT account_id::text FROM busiest) AS account,
       (SELECT k.id::text FROM api_keys k JOIN busiest USING (account_id) LIMIT 1) AS own_key,
       (SELECT 'req_' || replace(max(u.id::text), '-', '') FROM usage_logs u JOIN busiest USING (account_id) WHERE status = 'completed')
         AS own_request,
       to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS today,
       to_char(now() AT TIME ZONE 'UTC' - interval '13 days', 'YYYY-MM-DD') AS fortnight,
       (SELECT id::text FROM accounts ORDER BY id OFFSET (SELECT count(*) / 2 FROM accounts) LIMIT 1) AS middle_account,
       (SELECT key_prefix FROM api_keys ORDER BY id LIMIT 1) AS prefix,
       (SELECT 'req_' || replace(id::text, '-', '') FROM usage_logs WHERE status = 'completed' ORDER BY id OFFSET 500 LIMIT 1) AS request,
       (SELECT id::text FROM usage_logs ORDER BY id OFFSET (SELECT count(*) / 2 FROM usage_logs) LIMIT 1) AS middle_call,
       (SELECT e.id::text FROM ledger_entries e JOIN busiest USING (account_id) WHERE e.kind = 'usage' ORDER BY e.id DESC LIMIT 1) AS entry,
       (SELECT m.user_id::text FROM memberships m JOIN busiest USING (account_id)) AS owner,
       (SELECT id::text FROM payments ORDER BY id DESC LIMIT 1) AS payment,
       (SELECT e.id::text FROM webhook_endpoints e JOIN busiest USING (account_id) LIMIT 1) AS own_endpoint,
       to_char(now() - interval '1 month', 'YYYY-MM') AS month
"""


def visitor_of(app: Flask, what: str, samples: Mapping[str, str]) -> FlaskClient:
    """Whoever opens this page: its account's owner, or an admin."""
    if what not in dict(OWN_PAGES):
        return staff.client_of(app)
    owner = Person(UUID(samples["owner"]), UUID(samples["account"]), "")
    return staff.client_of(app, Role.CUSTOMER, person=owner)
