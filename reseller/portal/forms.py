"""The forms of sign-in and of one's own account: labels and bounds. What is right is decided by the domain."""

from wtforms import EmailField, Form, HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import EqualTo, InputRequired, Length, Optional, Regexp

from reseller.domain.accounts import MAX_NAME_CHARACTERS, MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS
from reseller.web.formats import TIME_ZONES

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


class ProfileForm(Form):  # type: ignore[misc]
    full_name = StringField("Name", [Length(max=MAX_NAME_CHARACTERS)], render_kw={"autocomplete": "name"})
    time_zone = SelectField("Time zone", choices=[SelectChoice(zone, zone.replace("_", " ")) for zone in TIME_ZONES])
    version = HiddenField(validators=[Optional(), Regexp(r"[0-9]{1,9}\Z", message="Open the page again.")])

    def seen_version(self) -> int | None:
        """The version of the person that the form was filled from, if it says."""
        return int(self.version.data) if self.version.data else None


class NewPasswordForm(Form):  # type: ignore[misc]
    current = PasswordField("Current password", ANY_PASSWORD, render_kw={"autocomplete": "current-password"})
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
