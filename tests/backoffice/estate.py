"""A small business with a row in every table, made of the nastiest texts that customers, upstreams and browsers can send.

Made through the domain where it has verbs; then every text that somebody outside chooses is replaced, whatever path it took.
"""

import functools
import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from flask import Flask
from psycopg import sql
from psycopg.rows import dict_row

from reseller import alarms as sounded
from reseller.clock import new_id, now
from reseller.database import Base, acting_as_operator, transaction
from reseller.domain import alarms, clock_alarms, jobs, ledger, letters, notices, outbox, pricing, proofs, staff, supplier, uptime, webhooks
from reseller.domain.accounts import Person, Role
from reseller.domain.alarms import Ears
from reseller.domain.alerts import Alert
from reseller.domain.calls import PriceTerms, processes
from reseller.domain.desk import set_up
from reseller.domain.identity import links, sessions, viewings
from reseller.domain.identity.tables import Identity, RecoveryCode, SecondFactor, Throttle
from reseller.domain.ledger import CapUse, EntryDraft, EntryKind
from reseller.domain.ledger.adjustments import Adjustment, AdjustmentState
from reseller.domain.letters import LetterKind
from reseller.domain.limits import LimitPreset
from reseller.domain.notes import AccountNote
from reseller.domain.notices import Notice
from reseller.domain.payments import MoneySeen, events, learn_money, pack_changes
from reseller.domain.payments.deferred import CreditDay
from reseller.domain.payments.events import Heard
from reseller.domain.payments.pack_changes import PackTerms
from reseller.domain.payments.suspense import Aside, Why, put_aside
from reseller.domain.uptime import Impact, IncidentDraft
from reseller.domain.usage import rollup
from reseller.domain.usage.rollup_statements import SUMS
from reseller.domain.usage.rollup_tables import AccountMonth
from reseller.domain.usage.tables import CarriedCharge, DroppedMonth
from reseller.errors import Refusal
from reseller.tally import Noted, Part, slot_of
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying
from tests.domain.pricing.samples import make_entry
from tests.domain.webhooks import hooking
from tests.staff import session_of

MARK = "\"'><img src=x onerror=hostile()><a href=https://evil.example/>"
FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1")
BILLED_DAY = now().date() - timedelta(days=2)
SECRET_NAME = re.compile(r"hash|digest|sealed|secret")

OUTSIDERS_TEXTS = {
    "accounts": ("name", "company", "tax_id", "billing_address", "status_reason", "halted_reason"),
    "account_notes": ("body",),
    "adjustments": ("reason", "decision_note"),
    "alerts": ("about",),
    "alarms": ("subject", "words", "note"),
    "api_keys": ("name",),
    "confirmations": ("note",),
    "holds": ("model", "endpoint"),
    "incident_updates": ("words",),
    "incidents": ("title",),
    "job_runs": ("result", "last_error"),
    "ledger_entries": ("reason", "reference"),
    "limit_presets": ("name",),
    "models": ("name", "description", "status_reason", "upstream_model"),
    "packs": ("label",),
    "payment_disputes": ("reason", "status"),
    "payment_refunds": ("reason",),
    "price_versions": ("reason",),
    "processes": ("host",),
    "sessions": ("user_agent", "address"),
    "staff_actions": ("reason", "subject_id", "address"),
    "stripe_events": ("type", "problem"),
    "supplier_items": ("resolution",),
    "supplier_models": ("model",),
    "suspense_items": ("subject", "words", "resolution"),
    "throttles": ("name",),
    "usage_logs": ("model", "served_model", "endpoint", "error_code", "generation_id", "flag"),
    "users": ("full_name", "email"),
    "viewings": ("reason",),
    "webhook_attempts": ("answer", "error"),
    "webhook_deliveries": ("last_error",),
    "webhook_endpoints": ("description",),
}
"""What people, upstreams and browsers write. Whoever adds a text column of that kind adds it here."""


@dataclass(frozen=True, slots=True)
class Estate:
    """The ids that addresses ask for, and the secrets that no page may show."""

    app: Flask
    admin_url: str
    customer: Person
    ids: dict[str, str]  # what stands in addresses → its value here
    secrets: dict[str, set[str]]  # table.column → its values

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as a superuser sees them."""
        with psycopg.connect(self.admin_url, row_factory=dict_row, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    def first_of(self, view: Any) -> str:
        """The key of a row that this list shows."""
        with self.app.test_request_context(), acting_as_operator():
            found = view.rows({}, after=None, limit=1)
        assert found, f"Give {view.name} a row to show in tests/backoffice/estate.py"
        return str(getattr(found[0], next(iter(view.model.__mapper__.primary_key)).key))

    def fingerprints(self) -> dict[str, tuple[int, str]]:
        """Rows and content of every table, save those that beat by themselves."""
        tables = sorted({table.name for table in Base.metadata.tables.values()} - {"sessions", "processes"})
        content = (
            "SELECT '{0}' AS name, count(*) AS rows, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS digest FROM {0} t"
        )
        found = self.query(" UNION ALL ".join(content.format(name) for name in tables))
        return {row["name"]: (row["rows"], row["digest"]) for row in found}


def settle(app: Flask, admin_url: str) -> Estate:
    """The estate stands. `admin_url` is the same database as a superuser."""
    with app.app_context(), acting_as_operator():
        person = populate(app)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # append-only tables are changed here, and nowhere else
        for table, columns in OUTSIDERS_TEXTS.items():
            for column in columns:
                poison(connection, table, column)
        connection.execute("UPDATE staff_actions SET changes = jsonb_build_object('name', jsonb_build_array(reason, reason))")
        secrets = dict(secret_values(connection))
        ids = ids_of(person, connection)
    with app.app_context(), acting_as_operator():
        rollup.run()
        pricing.tell_of_prices()
        outbox.first_told("limit.hit", person.account_id)
        used = dict.fromkeys(SUMS, 1)
        sold = dict.fromkeys(("deferred_nano", "owed_nano", "sold_nano", "back_nano", "given_nano", "used_nano"), 1)
        with transaction() as session:
            session.add(CreditDay(day=now().date() - timedelta(days=1), **sold))
            session.add(AccountMonth(month=date(2026, 1, 1), account_id=person.account_id, **used))
    return Estate(app, admin_url, person, ids, secrets)


def poison(connection: psycopg.Connection[Any], table: str, column: str) -> None:
    """Every text of the column is hostile and still unique."""
    connection.execute(
        sql.SQL(
            "UPDATE {table} t SET {column} = (%s::text[])[1 + n %% %s] || %s || n::text FROM (SELECT ctid AS at, tableoid AS part,"
            " row_number() OVER () AS n FROM {table}) numbered WHERE t.ctid = numbered.at AND t.tableoid = numbered.part"
        ).format(table=sql.Identifier(table), column=sql.Identifier(column)),
        (list(FORMULAS), len(FORMULAS), MARK),
    )


def ids_of(person: Person, connection: psycopg.Connection[Any]) -> dict[str, str]:
    """One value for every name that addresses have parameters of."""
    found = {
        "account_id": person.account_id,
        "user_id": person.user_id,
        "slug": "acme/two",
        "export_type": "csv",
        "upstream": "openrouter",
        "day": BILLED_DAY.isoformat(),
    }
    for name, query in {
        "key_id": "SELECT id FROM api_keys WHERE account_id = %s",
        "call_id": "SELECT id FROM usage_logs WHERE account_id = %s AND charge_nano > 0",
        "rule_id": "SELECT id FROM pricing_rules WHERE account_id = %s",
        "adjustment_id": "SELECT id FROM adjustments WHERE account_id = %s AND state = 'waiting'",
        "payment_id": "SELECT id FROM payments WHERE account_id = %s AND status = 'paid'",
        "event_id": "SELECT e.id FROM stripe_events e JOIN payments p ON p.id = e.payment_id WHERE p.account_id = %s",
        "alarm_id": "SELECT id FROM alarms WHERE alarm = 'request_failed' AND %s IS NOT NULL",
        "endpoint_id": "SELECT id FROM webhook_endpoints WHERE account_id = %s",
        "delivery_id": "SELECT id FROM webhook_deliveries WHERE account_id = %s",
        "incident_id": "SELECT id FROM incidents WHERE %s IS NOT NULL",
        "item_id": "SELECT i.id FROM suspense_items i JOIN payments p ON p.id = i.payment_id WHERE p.account_id = %s",
    }.items():
        row = connection.execute(query, (person.account_id,)).fetchone()
        assert row is not None, name
        found[name] = row[0]
    return {name: str(each) for name, each in found.items()}


def secret_values(connection: psycopg.Connection[Any]) -> list[tuple[str, set[str]]]:
    """Every hash, digest and sealed secret in the database, by the name of its column."""
    found = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if SECRET_NAME.search(column.name):
                query = sql.SQL("SELECT DISTINCT {}::text FROM {}").format(sql.Identifier(column.name), sql.Identifier(table.name))
                values = {row[0] for row in connection.execute(query).fetchall() if row[0]}
                found.append((f"{table.name}.{column.name}", values - {"0" * 64}))
    return found


def populate(app: Flask) -> Person:
    """One customer with a life, a second one, a member of staff, and what the house keeps for itself."""
    sell(app)
    first = live(app)
    live(app)
    member = factories.make_person(role=Role.FINANCE)
    identify(member)
    identify(first)
    view(member, first)
    notices.choose(first.user_id, notices.Choices(), actor=factories.ACTOR)
    with transaction() as session:
        actor = staff.actor_of(member.user_id)
        session.add(Notice(user_id=first.user_id, account_id=first.account_id, subject="key 1"))
        session.add(
            Alert(account_id=first.account_id, crossing="1", kind="budget_day", line="$5", value_usd=Decimal(6), starts_on=now().date())
        )
        session.add(AccountNote(account_id=first.account_id, author=actor, body="called"))
        for usd in ("40", "-3"):
            session.add(
                Adjustment(
                    account_id=first.account_id,
                    amount_usd=Decimal(usd),
                    reason="goodwill",
                    state=AdjustmentState.WAITING,
                    requested_by_id=member.user_id,
                )
            )
        session.add(DroppedMonth(month=date(2020, 1, 1), kept_months=6))
        session.add(CarriedCharge(account_id=first.account_id, day=date(2020, 2, 1), month=date(2020, 1, 1), charge_nano=1))
        session.add(CapUse(user_id=member.user_id, amount_usd=Decimal(2)))
        session.add(LimitPreset(name="roomy", requests_per_minute=600))
        session.add(Throttle(name="someone@example.com", started_at=now(), failures=3))
        session.flush()
    buy_from_upstream()
    processes.beat(wiring_of(app).process_id, "web")
    go_wrong(member)
    set_up.confirm(set_up.AGREEMENT, user_id=member.user_id, note="signed")
    jobs.lease("post usage", 600, wiring_of(app).process_id)
    jobs.finish("post usage", wiring_of(app).process_id, error="it broke")
    clock_alarms.add({"job_failed": 1})
    proofs.record(proofs.Proof(now() - timedelta(days=1), "0" * 64, 1_000_000, 2, 9))
    tell_of_service(member)
    return first


def tell_of_service(member: Person) -> None:
    """Pages were shown, one failed, and staff write of an incident."""
    uptime.add({(Part.WEBSITE, slot_of(now())): Noted(good=9, bad=1, milliseconds=[20.0])})
    uptime.make_snapshot()
    uptime.open_incident(IncidentDraft("Some calls fail", Impact.MINOR, [Part.API], "We look into it."), user_id=member.user_id)


def buy_from_upstream() -> None:
    """Its bill of a day differs from our books, that of the day before did, and its credit is low."""
    told = supplier.Told("acme/one", ("acme/one",), 3, 21, 9, 0, Decimal("1.5"))
    for day in (BILLED_DAY, BILLED_DAY - timedelta(days=1)):
        supplier.record("openrouter", day, [told], is_of_key=True)
    supplier.resolve(supplier.open_items()[-1].id, actor=factories.ACTOR, resolution="a test of ours")
    supplier.note("openrouter", bought_usd=Decimal(10), used_usd=Decimal(9), threshold=supplier.Threshold(Decimal(5), 1))


def go_wrong(member: Person) -> None:
    """Alarms: of something that happened, one that somebody looks after, one that is over, and a message about it."""
    sounded.note("request_failed", "api.chat", "it broke")
    alarms.keep(sounded.take())
    alarms.hold("job_failing", {"post usage": "it broke"})
    alarms.tell(Ears((), has_webhook=True))
    alarms.acknowledge(alarms.open_alarms()[0].id, actor=staff.actor_of(member.user_id), note="on it")
    sounded.note("request_failed", "api.other", "it broke")
    alarms.keep(sounded.take())
    alarms.hold("job_failing", {})


def sell(app: Flask) -> None:
    """A model for sale, and one whose new price waits."""
    wiring_of(app).upstreams.register()
    pricing.sync("openrouter", [make_entry("acme/one"), make_entry("acme/two")], actor=factories.ACTOR)
    pricing.sync("openrouter", [make_entry("acme/one"), make_entry("acme/two", prompt="0.01")], actor=factories.ACTOR)
    factories.make_rule()
    pack_changes.add_pack(PackTerms(Decimal(10), "most bought"), actor=factories.ACTOR, reason="to sell")
    pack_changes.add_tier(Decimal(10), Decimal(5), actor=factories.ACTOR, reason="to sell")


def live(app: Flask) -> Person:
    """A customer with money, a rule and a key of their own; calls that were charged, refused, failed, and one that runs."""
    till = wiring_of(app).till
    person = factories.make_person(usd="1")
    factories.grant(person, usd="0.5")
    for kind, nano in ((EntryKind.TOP_UP, 3_000_000_000), (EntryKind.REFUND, -1_000_000_000)):
        ledger.post(EntryDraft(person.account_id, kind, nano, f"payment {new_id()}", factories.ACTOR))
    buy(person)
    hear(person)
    rule = factories.make_rule(account_id=person.account_id, priority=5)
    version = scenes.rows("SELECT max(version) AS version FROM price_versions")[0]["version"]
    terms = PriceTerms(price_version=version, rule_id=rule.id, markup_percent=rule.markup_percent, min_cost_nano=0)
    _, key = factories.mint_key(person, model_patterns=["acme/*"])
    who = scenes.Customer(person.account_id, key.id)
    timed = functools.partial(scenes.settlement, response_metadata={"admitted_ms": 1, "sent_ms": 2, "first_byte_ms": 50, "ended_ms": 90})
    for end in (timed, scenes.failure):
        op = scenes.admission(who, terms=terms)
        till.admit(op)
        till.settle(end(op))
    till.admit(scenes.admission(who, terms=terms))
    try:
        till.admit(scenes.admission(who, terms=terms, hold=50_000_000_000))
    except Refusal:
        return person
    raise AssertionError("a hold above the balance must be refused")


def buy(person: Person) -> None:
    """A payment of which some went back, some is disputed, and of which Stripe told something that does not fit; and one that waits."""
    begun = paying.buy(person, "20")
    paying.order(person, "10")
    back = (paying.refund(new_id().hex, "2"),)
    learn_money(MoneySeen(paying.intent_of(begun), refunds=back, disputes=(paying.dispute(new_id().hex, "3", 1, "3"),)))
    heard = Heard(f"evt_{new_id().hex}", "charge.refunded", False, now(), {})
    events.keep(heard)
    events.done(heard.event_id, begun.payment_id)
    put_aside(Aside(Why.WRONG_SESSION, f"cs_{new_id().hex}", "another session", begun.payment_id, Decimal(5)))


def hear(person: Person) -> None:
    """A program of theirs was told of something and failed; what comes next waits. Its secret was rotated."""
    _, row = hooking.add(person)
    webhooks.rotate(row.id, account_id=person.account_id, seal=hooking.SEAL, actor=factories.ACTOR)
    hooking.tell(person, 2)
    for claimed in hooking.claim():
        hooking.ended(claimed, 500)


def view(member: Person, customer: Person) -> None:
    """The member of staff looks at the portal as the customer."""
    found = sessions.find(session_of(member.user_id))
    assert found is not None
    viewings.begin(found.session_id, member.user_id, customer.account_id, reason="a ticket")


def identify(person: Person) -> None:
    """The person has everything that signing in leaves behind."""
    session_of(person.user_id)
    with transaction() as session:
        session.add(SecondFactor(user_id=person.user_id, sealed_secret=f"sealed {new_id().hex}", confirmed_at=now() - timedelta(days=1)))
        session.add(Identity(user_id=person.user_id, issuer="https://accounts.example", subject=new_id().hex, label=person.email))
        session.add(RecoveryCode(user_id=person.user_id, code_digest=f"digest {new_id().hex}"))
        links.make(person.user_id, links.Purpose.RESET, person.email, browser=new_id().hex)
        letters.write(LetterKind.RESET_PASSWORD, person.email, sealed_token=f"sealed {new_id().hex}")
        session.flush()
