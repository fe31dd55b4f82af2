"""Packs and bonuses: what credit is sold in, and whether the rules earn what each costs to sell."""

from decimal import Decimal
from typing import Any, ClassVar

from markupsafe import Markup
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from reseller.backoffice import cells, reasons
from reseller.backoffice.access import ADMINS, STAFF, actor, edits, pages
from reseller.backoffice.editing import EditableTable, VersionedForm, version_given
from reseller.backoffice.prices import current
from reseller.backoffice.tables import Formatter
from reseller.domain.desk import pack_lines
from reseller.domain.payments import pack_changes
from reseller.domain.payments.pack_changes import PackTerms
from reseller.errors import InvalidRequest
from reseller.money import format_decimal, parse_usd
from reseller.web.reports import tenth

NAMED = 3
"""So many of the rules that lose money are named; the others are counted."""


class DecimalText(StringField):  # type: ignore[misc]
    """A plain decimal number, read as strictly as money."""

    def _value(self) -> str:
        return format_decimal(self.data) if isinstance(self.data, Decimal) else str(self.data or "")

    def number(self) -> Decimal:
        """What was typed. Raises InvalidRequest that names the field."""
        try:
            return parse_usd(str(self.data or "").strip().removeprefix("$").removesuffix("%").strip())
        except ValueError:
            raise InvalidRequest("Write a plain number such as 25 or 12.50.", param=self.name) from None


def _number(label: str, **more: Any) -> DecimalText:
    kw = {"inputmode": "decimal", "autocomplete": "off"}
    return DecimalText(label, [InputRequired("How much?"), Length(max=20)], render_kw=kw, **more)


def _reason() -> TextAreaField:
    return TextAreaField("Reason", [InputRequired("Say why; the audit log keeps it."), Length(max=500)], render_kw={"rows": 2})


class PackForm(VersionedForm):
    amount_usd = _number("Amount in dollars")
    label = StringField(
        "Label",
        [Length(max=pack_changes.MAX_LABEL_CHARACTERS)],
        description="Customers see it beside the amount, such as “most chosen”. It may be empty.",
    )
    is_offered = BooleanField("Offered", default=True)
    reason = _reason()

    def terms(self) -> PackTerms:
        """What the form says. Raises InvalidRequest that names the field."""
        return PackTerms(self.amount_usd.number(), self.label.data or "", self.is_offered.data)


class BonusForm(VersionedForm):
    from_usd = _number("From this amount on, in dollars")
    bonus_percent = _number("Bonus, %", description="So much of the amount comes on top of it.")
    reason = _reason()


def _percent(line: Any) -> str:
    return "nothing arrives" if line.break_even_percent is None else f"{tenth(line.break_even_percent)}%"


def _losing(line: Any) -> Markup:
    """Whether the rules earn it: which do not."""
    if not line.losing:
        return cells.tag("all rules earn it", "good")
    named = ", ".join(line.losing[:NAMED])
    more = len(line.losing) - NAMED
    return cells.tag(f"loses money on {named}" + (f" and {more} more" if more > 0 else ""), "bad")


def _seen() -> int:
    return version_given("The form does not say which version you looked at. Open the page again.")


class Sold(EditableTable):
    """What packs and bonuses share."""

    access = pages(STAFF, "index_view") | pages(ADMINS, "export") | edits(ADMINS)
    confirmed = frozenset({"create_view", "edit_view", "delete_view"})
    can_view_details = False
    edit_template = create_template = "prices/sold.html"


class Packs(Sold):
    form = PackForm
    intro = (
        "Amounts that customers buy with one click. A rule whose markup is below break-even loses money on that pack:"
        " the card's fee and the upstream's take more than the markup brings."
    )
    empty = "No pack yet: customers choose an amount themselves. `flask packs load` adds those of config/packs.toml."
    column_list = ("amount_usd", "label", "is_offered", "bonus_usd", "arriving_usd", "break_even_percent", "losing")
    labels: ClassVar = {
        "amount_usd": "Pack",
        "is_offered": "Offered",
        "bonus_usd": "Bonus",
        "arriving_usd": "Arrives after the card's fee",
        "break_even_percent": "Break-even markup",
        "losing": "Rules",
    }
    numeric = frozenset({"amount_usd", "bonus_usd", "arriving_usd", "break_even_percent"})
    cells: ClassVar[dict[str, Formatter]] = {
        "amount_usd": lambda line: cells.money(line.amount_usd),
        "is_offered": lambda line: cells.tag("offered", "good") if line.is_offered else cells.tag("not offered"),
        "bonus_usd": lambda line: cells.money(line.bonus_usd) if line.bonus_usd else None,
        "arriving_usd": lambda line: cells.money(line.arriving_usd),
        "break_even_percent": _percent,
        "losing": _losing,
    }

    def shown(self, rows: list[Any]) -> list[Any]:
        return sorted(pack_lines.pack_lines(rows, current.fees()), key=lambda line: line.amount_usd)

    def add(self, form: Any) -> None:
        pack_changes.add_pack(form.terms(), actor=actor(), reason=form.reason.data)

    def change(self, row: Any, form: Any) -> None:
        pack_changes.change_pack(row.id, form.terms(), seen_version=form.seen_version(), actor=actor(), reason=form.reason.data)

    def remove(self, row: Any) -> None:
        pack_changes.remove_pack(row.id, seen_version=_seen(), actor=actor(), reason=reasons.reason_given())


class Bonuses(Sold):
    form = BonusForm
    intro = "Credit on top of a payment, from certain amounts on: the highest that the payment reaches. It goes when the payment goes back."
    empty = "No bonus yet: customers get what they pay for."
    column_list = ("from_usd", "bonus_percent", "bonus_usd", "break_even_percent", "losing")
    labels: ClassVar = {
        "from_usd": "From",
        "bonus_percent": "Bonus",
        "bonus_usd": "Of just that amount",
        "break_even_percent": "Break-even markup",
        "losing": "Rules",
    }
    numeric = frozenset({"from_usd", "bonus_percent", "bonus_usd", "break_even_percent"})
    cells: ClassVar[dict[str, Formatter]] = {
        "from_usd": lambda line: cells.money(line.from_usd),
        "bonus_percent": lambda line: f"{format_decimal(line.bonus_percent)}%",
        "bonus_usd": lambda line: cells.money(line.bonus_usd),
        "break_even_percent": _percent,
        "losing": _losing,
    }

    def shown(self, rows: list[Any]) -> list[Any]:
        return sorted(pack_lines.tier_lines(rows, current.fees()), key=lambda line: line.from_usd)

    def add(self, form: Any) -> None:
        pack_changes.add_tier(form.from_usd.number(), form.bonus_percent.number(), actor=actor(), reason=form.reason.data)

    def change(self, row: Any, form: Any) -> None:
        amounts = form.from_usd.number(), form.bonus_percent.number()
        pack_changes.change_tier(row.id, *amounts, seen_version=form.seen_version(), actor=actor(), reason=form.reason.data)

    def remove(self, row: Any) -> None:
        pack_changes.remove_tier(row.id, seen_version=_seen(), actor=actor(), reason=reasons.reason_given())
