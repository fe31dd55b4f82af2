"""The forms of sign-in and of one's own account: labels and bounds. What is right is decided by the domain."""

import re
from decimal import Decimal
from uuid import UUID

from wtforms import BooleanField, EmailField, Form, HiddenField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, EqualTo, InputRequired, Length, Optional, Regexp, ValidationError

from reseller.domain.accounts import MAX_NAME_CHARACTERS, MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS
from reseller.domain.alerts import AlertKind, RuleTerms, Subjects
from reseller.domain.company import MAX_ADDRESS_CHARACTERS, MAX_TAX_ID_CHARACTERS
from reseller.errors import Refusal
from reseller.web.formats import TIME_ZONES
from reseller.web.typed import NO_DOLLARS, typed_usd

ANY_PASSWORD = (InputRequired("Type your password."), Length(max=MAX_PASSWORD_CHARACTERS))


class SignInForm(Form):  # type: ignore[misc]
    email = EmailField(
        "E-mail address", [InputRequired("Type your e-mail address."), Length(max=320)], render_kw={"autocomplete": "username"}
    )
    password = PasswordField("Password", ANY_PASSWORD, render_kw={"autocomplete": "current-password"})


CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}


class CodeForm(Form):  # type: ignore[misc]
    code = StringField("Code", [InputRequired("Type the code."), Length(max=40)], render_kw=CODE | {"autofocus": True})


class FirstCodeForm(CodeForm):
    """Below a QR code, which is looked at first: the page does not begin in the field."""

    code = StringField("Code", [InputRequired("Type the code."), Length(max=40)], render_kw=CODE)


class AgainForm(Form):  # type: ignore[misc]
    """For people without an authenticator, who show their password again."""

    password = PasswordField("Password", ANY_PASSWORD, render_kw={"autocomplete": "current-password", "autofocus": True})


class VersionedForm(Form):  # type: ignore[misc]
    """A form about something that somebody else may change at the same time."""

    version = HiddenField(validators=[Optional(), Regexp(r"[0-9]{1,9}\Z", message="Open the page again.")])

    def seen_version(self) -> int | None:
        """The version that the form was filled from, if it says."""
        return int(self.version.data) if self.version.data else None


def zone_named(typed: str | None) -> str | None:
    """The time zone that somebody means who types its name in any case, with blanks or without its continent."""
    asked = "_".join((typed or "").split()).lower()
    exact = (zone for zone in TIME_ZONES if zone.lower() == asked)
    cities = [zone for zone in TIME_ZONES if zone.lower().rpartition("/")[2] == asked]
    return next(exact, cities[0] if len(cities) == 1 else typed)


class ProfileForm(VersionedForm):
    full_name = StringField("Name", [Length(max=MAX_NAME_CHARACTERS)], render_kw={"autocomplete": "name"})
    time_zone = StringField(
        "Time zone",
        [AnyOf(TIME_ZONES, "Choose a time zone from the list, such as Europe/Berlin.")],
        filters=[zone_named],
        render_kw={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"},
    )


class CompanyForm(VersionedForm):
    account_name = StringField(
        "Account name",
        [InputRequired("The account needs a name."), Length(max=MAX_NAME_CHARACTERS)],
        description="How the account is called on our pages.",
    )
    company = StringField("Company", [Optional(), Length(max=MAX_NAME_CHARACTERS)], render_kw={"autocomplete": "organization"})
    tax_id = StringField(
        "Tax ID", [Optional(), Length(max=MAX_TAX_ID_CHARACTERS)], description="VAT, GST or EIN, as it should stand on statements."
    )
    billing_address = TextAreaField(
        "Billing address",
        [Optional(), Length(max=MAX_ADDRESS_CHARACTERS)],
        description="Street, city, country: as on an envelope.",
        render_kw={"rows": 4, "autocomplete": "street-address"},
    )


class NoticesForm(VersionedForm):
    tells_alerts = BooleanField("Write to me when an alert of my account has something to tell")
    tells_key_expiry = BooleanField("Write to me a week before a key expires")


KINDS = (
    (AlertKind.BALANCE_AMOUNT.value, "The balance falls below an amount (dollars)"),
    (AlertKind.BALANCE_PERCENT.value, "The balance falls below a share of the last top-up (percent)"),
    (AlertKind.BALANCE_DAYS.value, "The balance lasts for fewer days than (days)"),
    (AlertKind.BUDGET_DAY.value, "Charges of a day exceed a budget (dollars)"),
    (AlertKind.BUDGET_MONTH.value, "Charges of a month exceed a budget (dollars)"),
)


class AlertForm(VersionedForm):
    """What an account is told. Whose budgets there can be is offered by the page."""

    kind = SelectField("Tell me when", choices=[SelectChoice(*kind) for kind in KINDS])
    line = StringField(
        "How much", [InputRequired("Say how much.")], description="Dollars, percent or days, as chosen above.",
        render_kw={"inputmode": "decimal", "autocomplete": "off"},
    )  # fmt: skip
    subject = SelectField(
        "Whose", choices=[SelectChoice("", "The whole account")],
        description="A budget may be of a key or of a member's keys; a balance is the whole account's.",
    )  # fmt: skip
    by_mail = BooleanField("Write a letter, too")

    def offer(self, subjects: Subjects, *, kept: tuple[str, str] | None = None) -> None:
        """These are the choices; `kept` is one that the alert has already."""
        keys = [(f"key {key_id}", f"Key {name}") for key_id, name in subjects.keys]
        members = [(f"member {user_id}", f"Member {email}") for user_id, email in subjects.members]
        extra = [kept] if kept and kept not in keys + members else []
        self.subject.choices = [SelectChoice(*each) for each in (("", "The whole account"), *extra, *keys, *members)]

    def validate_line(self, field: StringField) -> None:
        try:
            if AlertKind(self.kind.data).is_amount:
                typed_usd(field.data)
            elif not re.fullmatch(r"[0-9]{1,3}", field.data.strip().rstrip("%").strip()):
                raise ValidationError("A whole number.")
        except ValueError as error:
            if isinstance(error, ValidationError):
                raise
            raise ValidationError(NO_DOLLARS) from None

    def terms(self) -> RuleTerms:
        """What was asked for, after `validate`."""
        kind, typed = AlertKind(self.kind.data), self.line.data or ""
        line = typed_usd(typed) if kind.is_amount else Decimal(typed.strip().rstrip("%").strip())
        of, _, subject_id = (self.subject.data or "").partition(" ")
        key, member = (UUID(subject_id) if of == name else None for name in ("key", "member"))
        return RuleTerms(kind, line, key, member, bool(self.by_mail.data))

    def refuse(self, refusal: Refusal) -> None:
        """What the domain says stands beside the field it is about."""
        field = self.subject if refusal.param == "subject" else self.line
        field.errors = [*field.errors, refusal.message]


class FirstPasswordForm(Form):  # type: ignore[misc]
    new = PasswordField(
        "New password",
        [InputRequired("Type a new password."), Length(MIN_PASSWORD_CHARACTERS, MAX_PASSWORD_CHARACTERS)],
        description=f"{MIN_PASSWORD_CHARACTERS} characters or more.",
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        "New password again",
        [InputRequired("Type the new password again."), EqualTo("new", "This is not what you typed above.")],
        render_kw={"autocomplete": "new-password"},
    )


class NewPasswordForm(FirstPasswordForm):
    current = PasswordField("Current password", ANY_PASSWORD, render_kw={"autocomplete": "current-password"})
