"""The forms of sign-in and of one's own account: labels and bounds. What is right is decided by the domain."""

from wtforms import BooleanField, EmailField, Form, HiddenField, PasswordField, StringField, TextAreaField
from wtforms.validators import AnyOf, EqualTo, InputRequired, Length, Optional, Regexp, ValidationError

from reseller.domain.accounts import MAX_NAME_CHARACTERS, MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS
from reseller.domain.company import MAX_ADDRESS_CHARACTERS, MAX_TAX_ID_CHARACTERS
from reseller.domain.notices import MAX_LOW_BALANCE_USD
from reseller.money import display_usd
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


def _dollars(form: Form, field: StringField) -> None:
    """An amount is needed only where a letter about it is."""
    if not form.tells_low_balance.data:
        return
    try:
        line = typed_usd(field.data)
    except ValueError:
        raise ValidationError(NO_DOLLARS) from None
    if not 0 < line <= MAX_LOW_BALANCE_USD:
        raise ValidationError(f"More than zero, and at most {display_usd(MAX_LOW_BALANCE_USD)}.")


class NoticesForm(VersionedForm):
    tells_low_balance = BooleanField("Write to me when my balance falls below this amount")
    low_balance_usd = StringField("Amount in dollars", [_dollars], render_kw={"inputmode": "decimal", "autocomplete": "off"})
    tells_key_expiry = BooleanField("Write to me a week before a key expires")


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
