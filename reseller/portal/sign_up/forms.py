"""The forms of coming in: labels and bounds. They have no field for a role, an account or money."""

from wtforms import EmailField, Form, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length, Optional

from reseller.domain.accounts import MAX_NAME_CHARACTERS, MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS
from reseller.portal.forms import ANY_PASSWORD

ADDRESS = (InputRequired("Type your e-mail address."), Length(max=320))


def _new_password(label: str) -> PasswordField:
    return PasswordField(
        label,
        [InputRequired("Type a password."), Length(MIN_PASSWORD_CHARACTERS, MAX_PASSWORD_CHARACTERS)],
        description=f"{MIN_PASSWORD_CHARACTERS} characters or more. A few words in a row are good, and easy to keep.",
        render_kw={"autocomplete": "new-password"},
    )


class SignUpForm(Form):  # type: ignore[misc]
    email = EmailField("E-mail address", ADDRESS, render_kw={"autocomplete": "email"})
    password = _new_password("Password")
    full_name = StringField(
        "Your name", [InputRequired("Type your name."), Length(max=MAX_NAME_CHARACTERS)], render_kw={"autocomplete": "name"}
    )
    company = StringField("Company", [Optional(), Length(max=MAX_NAME_CHARACTERS)], render_kw={"autocomplete": "organization"})


class WhoForm(Form):  # type: ignore[misc]
    """Whose password is lost."""

    email = EmailField("E-mail address", ADDRESS, render_kw={"autocomplete": "username"})


class ChosenForm(Form):  # type: ignore[misc]
    password = _new_password("New password")
    again = PasswordField(
        "New password again",
        [InputRequired("Type the new password again."), EqualTo("password", "This is not what you typed above.")],
        render_kw={"autocomplete": "new-password"},
    )


class OwnPasswordForm(Form):  # type: ignore[misc]
    """In another browser than the one that signed up."""

    password = PasswordField("Password", ANY_PASSWORD, render_kw={"autocomplete": "current-password"})


class AddressForm(Form):  # type: ignore[misc]
    email = EmailField("New e-mail address", ADDRESS, render_kw={"autocomplete": "email"})
