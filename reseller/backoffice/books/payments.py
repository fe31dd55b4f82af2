"""Payments: every order with what became of it, and the refund screen, which says what can go back and what is spent already."""

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from flask import flash, redirect, request, url_for
from flask_admin.form import BaseForm
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from reseller.backoffice import cells
from reseller.backoffice.access import MONEY, STAFF, exposed, me, pages
from reseller.backoffice.books.event_states import WORDS
from reseller.backoffice.books.moved import MoneyMoved
from reseller.backoffice.editing import put_on_form
from reseller.backoffice.filters import SKEW, AccountIs, Choice, ListFilter, between_days
from reseller.backoffice.own_caps import caps, room
from reseller.backoffice.tables import Formatter, TableView
from reseller.clients.stripe_api import StripeDown, StripeRefused
from reseller.clock import new_id
from reseller.domain.desk import payment_lines
from reseller.domain.identity.sessions import STAFF_LASTS
from reseller.domain.payments import Payment, PaymentStatus, refunds
from reseller.domain.payments.refunds import Asked, RefundDraft
from reseller.domain.payments.topups import FORM_LASTS
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.money import display_usd, format_decimal, parse_usd
from reseller.web import nonces
from reseller.web.typed import NO_DOLLARS, typed_usd
from reseller.wiring import wiring


def _if_any(amount_usd: Decimal) -> Any:
    """An amount where there is one; most payments have neither bonus nor refund."""
    return cells.money(amount_usd) if amount_usd else None


class RefundForm(BaseForm):  # type: ignore[misc]
    """No field says which payment it is: the address does. `unspent_usd` is what the page said of it."""

    nonce = HiddenField()
    unspent_usd = HiddenField()
    amount_usd = StringField(
        "Amount in dollars",
        validators=[InputRequired("How much?"), Length(max=30)],
        render_kw={"inputmode": "decimal", "autocomplete": "off"},
    )
    reason = TextAreaField(
        "Reason",
        validators=[DataRequired("Say why."), Length(max=refunds.MAX_REASON_CHARACTERS)],
        render_kw={"rows": 3},
        description="The audit log and Stripe keep it.",
    )

    def validate_amount_usd(self, field: Any) -> None:
        try:
            self.amount()
        except ValueError:
            raise ValidationError(NO_DOLLARS) from None

    def amount(self) -> Decimal:
        """Raises ValueError for what is no amount."""
        return typed_usd(self.amount_usd.data)

    def unspent(self) -> Decimal:
        """Raises InvalidRequest for a form that is not the page's."""
        try:
            return parse_usd(self.unspent_usd.data or "")
        except ValueError:
            raise InvalidRequest("The form is not complete. Open the page again; nothing was changed.") from None


class Payments(TableView):
    access = pages(STAFF, "index_view", "details_view") | pages(MONEY, "export", "refund", "look")
    confirmed = frozenset({"refund"})
    details_template = "books/payment.html"
    intro = "Orders of credit, newest first, and what Stripe says of them. What stands in the books of each is on its page."
    empty = "Nobody has bought credit yet."
    column_list = (
        "created_at",
        "account_name",
        "status",
        "amount_usd",
        "bonus_usd",
        "refunded_usd",
        "disputed_usd",
        "fee_usd",
        "intent_id",
    )
    column_export_list = (
        "id", "created_at", "paid_at", "account_id", "account_name", "buyer", "status", "amount_usd", "bonus_usd", "total_usd", "tax_usd",
        "refunded_usd", "disputed_usd", "fee_usd", "session_id", "intent_id", "charge_id",
    )  # fmt: skip
    labels: ClassVar = {
        "created_at": "Begun",
        "account_name": "Account",
        "account_id": "Account id",
        "amount_usd": "Credit",
        "refunded_usd": "Refunded",
        "disputed_usd": "Disputed",
        "fee_usd": "Stripe’s fee",
        "intent_id": "At Stripe",
    }
    numeric = frozenset({"amount_usd", "bonus_usd", "refunded_usd", "disputed_usd", "fee_usd", "total_usd", "tax_usd"})
    cells: ClassVar[dict[str, Formatter]] = {
        "account_name": lambda line: cells.account(line.account_id, line.account_name),
        "status": lambda line: cells.status(line.status),
        "amount_usd": lambda line: cells.money(line.amount_usd),
        "bonus_usd": lambda line: _if_any(line.bonus_usd),
        "refunded_usd": lambda line: _if_any(line.refunded_usd),
        "disputed_usd": lambda line: _if_any(line.disputed_usd),
        "fee_usd": lambda line: cells.money(line.fee_usd),
        "intent_id": lambda line: cells.ident(line.intent_id or line.session_id) if line.session_id else "never reached Stripe",
    }
    column_filters: ClassVar[tuple[ListFilter, ...]] = (
        Choice("status", "Status", lambda status: Payment.status == status, options=[(status, status) for status in PaymentStatus]),
        AccountIs(Payment.account_id),
        *between_days(Payment.id, Payment.created_at, skew=SKEW + FORM_LASTS),
        MoneyMoved(),
    )

    def shown(self, rows: list[Any]) -> list[Any]:
        return payment_lines.lines(rows)

    @exposed("/details/")
    def details_view(self) -> Any:
        """One payment: its money, its papers, refunds, disputes, entries and events. Also found by any of Stripe's ids."""
        payment_id = payment_lines.find(request.args.get("id", ""))
        if payment_id is None:
            raise NotFound("There is no such payment.")
        form = RefundForm(request.args)
        form.nonce.data = str(new_id())
        return self._page(payment_id, form)

    @exposed("/<uuid:payment_id>/refund/", methods=("POST",))
    def refund(self, payment_id: UUID) -> Any:
        """The credit is taken and Stripe asked for the refund; sent twice it is one refund."""
        check_open()  # before the credit is taken
        form = RefundForm(request.form)
        if not form.validate():
            return self._page(payment_id, form), 400
        try:
            draft = RefundDraft(nonces.nonce_given(STAFF_LASTS), payment_id, form.amount(), form.reason.data, form.unspent())
            asked = refunds.ask(draft, me().user_id, caps())
        except InvalidRequest as refusal:
            put_on_form(form, refusal)
            return self._page(payment_id, form), 400
        _send(asked)
        return redirect(self.get_url(".details_view", id=payment_id))

    @exposed("/<uuid:payment_id>/look/", methods=("POST",))
    def look(self, payment_id: UUID) -> Any:
        """The books know what Stripe knows now."""
        check_open()
        line = payment_lines.one(payment_id)
        try:
            if line.session_id is None:
                raise NotFound("This order never reached Stripe.")
            wiring().cashier.look(line.session_id)
            flash("Asked Stripe; this is what it says.", "success")
        except (StripeDown, StripeRefused) as error:
            flash(f"Stripe could not be asked: {error}", "error")
        return redirect(self.get_url(".details_view", id=payment_id))

    def to_confirm(self, name: str, **given: Any) -> Response:
        """Back to the refund with what was typed, which is sent anew by whoever has shown their second factor."""
        if name != "refund":
            return super().to_confirm(name, **given)
        amount, reason = (request.form.get(field, "") for field in ("amount_usd", "reason"))
        here = url_for("payments.details_view", id=given["payment_id"], amount_usd=amount, reason=reason, _anchor="refund")
        return redirect(url_for("sign_in.confirm", next=here))

    def _page(self, payment_id: UUID, form: RefundForm) -> Any:
        found, refundable = payment_lines.whole(payment_id), refunds.refundable(payment_id)
        form.unspent_usd.data = format_decimal(refundable.unspent_usd)
        return self.render(
            self.details_template,
            found=found,
            form=form,
            refundable=refundable,
            room=room(),
            is_own=refunds.is_own(payment_id, me().user_id),
            is_on=wiring().cashier.is_open,
            event_words=WORDS,
        )


def _send(asked: Asked) -> None:
    """Stripe is asked for it, and the page that comes next says what it answered."""
    amount = display_usd(asked.amount_usd)
    try:
        wiring().cashier.send_refund(asked)
    except StripeRefused as error:
        flash(f"Stripe refused the refund, and its credit is the customer's again: {error}", "error")
    except StripeDown:
        flash("Stripe does not answer just now. The credit is taken; the refund is asked for again within the hour.", "conflict")
    else:
        if refunds.is_under_way(asked.refund_id):
            flash(f"{amount} is on its way back.", "success")
        else:
            flash(f"The refund of {amount} {refunds.UNREACHED}.", "error")


def check_open() -> None:
    """Raises Conflict where payments are off, before anything is done that needs Stripe."""
    if not wiring().cashier.is_open:
        raise Conflict("Stripe is not configured here, so it cannot be asked for anything. Nothing was changed.")


def href_of(payment_id: UUID) -> str:
    """The page of a payment."""
    return url_for("payments.details_view", id=payment_id)
