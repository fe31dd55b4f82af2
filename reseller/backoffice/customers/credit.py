"""Credit and debit with a reason: at once within the person's own cap of the day, else for somebody else to approve (R25)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import flash, redirect, request, url_for
from flask_admin.form import BaseForm
from wtforms import HiddenField, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from reseller.backoffice.access import Page, exposed, me
from reseller.backoffice.customers.actions import nonce_given
from reseller.backoffice.editing import put_on_form
from reseller.backoffice.own_caps import caps, room
from reseller.clock import new_id
from reseller.database import transaction
from reseller.domain.accounts import Account
from reseller.domain.ledger import Adjustment, AdjustmentDraft, AdjustmentState, adjustments, balance_now
from reseller.errors import InsufficientBalance, InvalidRequest
from reseller.money import display_usd
from reseller.web.signed_in import person
from reseller.web.typed import NO_DOLLARS, typed_usd

SIGNS = {"credit": 1, "debit": -1}


class CreditForm(BaseForm):  # type: ignore[misc]
    """No field says whose account it is, who asks or in which role: the address and the session do."""

    nonce = HiddenField()
    direction = RadioField(
        "What",
        choices=[SelectChoice("credit", "Give credit"), SelectChoice("debit", "Take back")],
        default="credit",
        validators=[InputRequired("Choose one.")],
    )
    amount = StringField(
        "Amount in dollars",
        validators=[InputRequired("How much?"), Length(max=30)],
        render_kw={"inputmode": "decimal", "autocomplete": "off", "placeholder": "12.50"},
    )
    reason = TextAreaField(
        "Reason",
        validators=[DataRequired("Say why."), Length(max=adjustments.MAX_REASON_CHARACTERS)],
        render_kw={"rows": 3},
        description="The customer reads it in their ledger.",
    )

    def validate_amount(self, field: Any) -> None:
        try:
            amount = typed_usd(field.data)
        except ValueError:
            raise ValidationError(NO_DOLLARS) from None
        if amount <= 0:
            raise ValidationError("The amount must be more than zero; choose above whether it is given or taken back.")

    def amount_usd(self) -> Decimal:
        """With its sign: positive is the customer's to spend."""
        return typed_usd(self.amount.data) * SIGNS[self.direction.data]


class Credit(Page):
    @exposed("/<uuid:account_id>/credit/", methods=("GET", "POST"))
    def credit(self, account_id: UUID) -> Any:
        form, status = CreditForm(request.form if request.method == "POST" else request.args), 200
        if request.method == "POST":
            status = 400
            if form.validate():
                try:
                    return self._ask(account_id, form)
                except InsufficientBalance as refusal:
                    form.amount.errors = [*form.amount.errors, f"That is more than there is: {refusal.message}."]
                except InvalidRequest as refusal:
                    put_on_form(form, refusal)
        else:
            form.nonce.data = str(new_id())
        with transaction() as session:
            account = session.get(Account, account_id)
            balance = balance_now(account_id)
            name = account.name if account else ""
        return self.render("customers/credit.html", form=form, account_id=account_id, name=name, balance=balance, room=room()), status

    def _ask(self, account_id: UUID, form: CreditForm) -> Any:
        draft = AdjustmentDraft(nonce_given(), account_id, form.amount_usd(), form.reason.data)
        who = person()
        if abs(draft.amount_usd) > room().left_usd and not (who and who.is_confirmed):
            return _confirm_first(account_id, form)
        is_repeated = adjustments.is_known(draft.id)
        made = adjustments.request(draft, me().user_id, caps())
        is_done = made.state == AdjustmentState.POSTED and not is_repeated
        words = f"This form had been sent before; nothing more has moved. {_words(made)}" if is_repeated else _words(made)
        flash(words, "success" if is_done else "info")
        return redirect(self.get_url(".show", account_id=account_id, _anchor="ledger"))


def _confirm_first(account_id: UUID, form: CreditForm) -> Any:
    """To the page that asks for the second factor, and back to this form with what was typed."""
    typed = {name: form[name].data for name in ("direction", "amount", "reason")}
    return redirect(url_for("sign_in.confirm", next=url_for("customers.credit", account_id=account_id, **typed)))


def _words(made: Adjustment) -> str:
    amount = display_usd(abs(made.amount_usd))
    if made.state == AdjustmentState.POSTED:
        return f"{amount} {'credited' if made.amount_usd > 0 else 'taken back'}. The customer can see it."
    if made.state == AdjustmentState.REJECTED:
        return f"This adjustment of {amount} was rejected: {made.decision_note}"
    return f"{amount} lies above what you may adjust alone today. It waits for somebody of finance or an admin; nothing has moved yet."
