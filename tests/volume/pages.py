"""The pages that must answer in half a second, however much there is. A new page of staff is a line here."""

PAGES: tuple[tuple[str, str], ...] = (
    ("dashboard", "/admin/"),
    ("performance, 90 days", "/admin/performance/?range=90"),
    ("performance, 30 days", "/admin/performance/?range=30"),
    ("business, 90 days", "/admin/business/?range=90"),
    ("business, 30 days", "/admin/business/?range=30"),
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
    ("holds", "/admin/holds/"),
    ("overage and suspense", "/admin/overage/"),
    ("proof", "/admin/proof/"),
    ("audit log", "/admin/audit-log/"),
    ("people", "/admin/people/"),
    ("jobs", "/admin/jobs/"),
    ("upstreams", "/admin/upstreams/"),
    ("set-up list", "/admin/set-up/"),
)
"""(what, address); the parts in braces are `samples` of the data."""

SAMPLES = """
SELECT (SELECT account_id::text FROM usage_logs GROUP BY account_id ORDER BY count(*) DESC LIMIT 1) AS account,
       (SELECT id::text FROM accounts ORDER BY id OFFSET (SELECT count(*) / 2 FROM accounts) LIMIT 1) AS middle_account,
       (SELECT key_prefix FROM api_keys ORDER BY id LIMIT 1) AS prefix,
       (SELECT 'req_' || replace(id::text, '-', '') FROM usage_logs WHERE status = 'completed' ORDER BY id OFFSET 500 LIMIT 1) AS request,
       (SELECT id::text FROM usage_logs ORDER BY id OFFSET (SELECT count(*) / 2 FROM usage_logs) LIMIT 1) AS middle_call
"""
