"""The forms of keys: what people may decide, as text; what is right is decided by the domain.

No field says whose key it is, of which kind an existing one is, or what it has spent: addresses, sessions and calls do.
"""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wtforms import DateField, Form, HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError

from reseller.clock import now
from reseller.domain.keys import MAX_LIFE, MAX_NAME_CHARACTERS, KeyTerms, SpendLimit, SpendPeriod
from reseller.errors import Refusal
from reseller.money import format_decimal
from reseller.web.formats import viewer_zone
from reseller.web.typed import NO_DOLLARS, typed_usd

MAX_MODELS_CHARACTERS = 12_000
PERIODS = ((SpendPeriod.LIFETIME, "in all"), (SpendPeriod.DAY, "a day"), (SpendPeriod.WEEK, "a week"), (SpendPeriod.MONTH, "a month"))
EXPIRIES = (("never", "Never"), ("7", "In 7 days"), ("30", "In 30 days"), ("90", "In 90 days"), ("date", "At the end of a day"))
GRACES = (("0", "Not at all: refuse it now"), ("1", "For 1 hour"), ("24", "For 24 hours"), ("168", "For 7 days"))
FIELDS_OF = {"name": "name", "expiry": "expires", "spend_limit": "limit", "models": "models", "grace": "grace"}
"""What a refusal is about → the field it stands at."""


class TermsForm(Form):  # type: ignore[misc]
    name = StringField(
        "Name",
        [InputRequired("Give the key a name."), Length(max=MAX_NAME_CHARACTERS)],
        description="What it is for, such as “website” or “Anna’s laptop”. You see it in lists and in your usage.",
        render_kw={"autocomplete": "off", "maxlength": MAX_NAME_CHARACTERS},
    )
    expires = SelectField("Expires", choices=[SelectChoice(*choice) for choice in EXPIRIES], default="never")
    expires_on = DateField("Day", [Optional()], description="The key works until the end of this day, in your time zone.")
    limit = StringField(
        "Spend limit in dollars",
        [Optional(), Length(max=30)],
        description="Calls that could go beyond it are refused. Empty: no limit but your balance.",
        render_kw={"inputmode": "decimal", "autocomplete": "off", "placeholder": "No limit"},
    )
    period = SelectField(
        "Counted",
        choices=[SelectChoice(str(period), words) for period, words in PERIODS],
        default=str(SpendPeriod.MONTH),
        description="Days, weeks from Monday, and months begin at midnight UTC.",
    )
    models = TextAreaField(
        "Models",
        [Optional(), Length(max=MAX_MODELS_CHARACTERS)],
        description="One name or pattern a line; * stands for anything, ? for one character. Empty: every model.",
        render_kw={"rows": 3, "spellcheck": "false", "autocomplete": "off", "placeholder": "Every model", "class": "mono"},
    )

    def validate_limit(self, field: Any) -> None:
        try:
            typed_usd(field.data)
        except ValueError:
            raise ValidationError(NO_DOLLARS) from None

    def validate_expires_on(self, field: Any) -> None:
        today = now().astimezone(viewer_zone()).date()
        if self.expires.data == "date" and field.data is not None and not today <= field.data < today + MAX_LIFE:
            raise ValidationError("Choose today or a day within the next ten years.")

    def validate(self, *args: Any, **more: Any) -> bool:
        is_valid = bool(super().validate(*args, **more))
        if is_valid and self.expires.data == "date" and self.expires_on.data is None:
            self.expires_on.errors = ["Choose a day."]
            return False
        return is_valid

    def patterns(self) -> tuple[str, ...] | None:
        """The lines that say something, each once."""
        lines = dict.fromkeys(line.strip() for line in (self.models.data or "").splitlines() if line.strip())
        return tuple(lines) or None

    def terms(self) -> KeyTerms:
        """What the form says."""
        spend = SpendLimit(typed_usd(self.limit.data), SpendPeriod(self.period.data)) if (self.limit.data or "").strip() else None
        return KeyTerms(self.name.data, self.expiry(), spend, self.patterns())

    def expiry(self) -> datetime | None:
        """When the key ends."""
        if self.expires.data == "never":
            return None
        if self.expires.data == "date":
            return _end_of(self.expires_on.data, viewer_zone())
        return now() + timedelta(days=int(self.expires.data))

    @property
    def is_more_needed(self) -> bool:
        """Whether something beyond the name was typed, or is wrong."""
        typed = self.limit.data or self.models.data or self.expires.data != "never"
        return bool(typed or self.expires.errors or self.expires_on.errors or self.period.errors)


class NewKeyForm(TermsForm):
    nonce = HiddenField()
    kind = RadioField(
        "Kind",
        choices=[
            SelectChoice("live", "Live: answered by the model, charged to your balance"),
            SelectChoice("test", "Test: answered by the sandbox, costs nothing"),
        ],
        default="live",
    )

    @property
    def is_test(self) -> bool:
        return bool(self.kind.data == "test")


class EditKeyForm(TermsForm):
    """Filled from a key. An expiry that is kept stays as it is to the second."""

    version = HiddenField(validators=[Regexp(r"[0-9]{1,9}\Z", message="Open the page again.")])
    expires = SelectField("Expires", choices=[SelectChoice("keep", "As it is now"), *(SelectChoice(*choice) for choice in EXPIRIES)])

    def __init__(self, *args: Any, kept: datetime | None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._kept = kept

    def expiry(self) -> datetime | None:
        return self._kept if self.expires.data == "keep" else super().expiry()

    @staticmethod
    def values_of(terms: KeyTerms, version: int) -> dict[str, Any]:
        """What the fields hold for a key with these terms."""
        return {
            "name": terms.name,
            "expires": "keep",
            "limit": format_decimal(terms.spend.usd) if terms.spend else "",
            "period": str(terms.spend.period) if terms.spend else str(SpendPeriod.MONTH),
            "models": "\n".join(terms.model_patterns or ()),
            "version": str(version),
        }


class RotateForm(Form):  # type: ignore[misc]
    grace = SelectField("How long the old key still works", choices=[SelectChoice(*choice) for choice in GRACES], default="24")

    def span(self) -> timedelta:
        return timedelta(hours=int(self.grace.data))


def put_on_form(form: Any, refusal: Refusal) -> None:
    """The refusal stands at the field it is about; one that is about none at the name, which comes first."""
    field = form._fields.get(FIELDS_OF.get(refusal.param or "", ""), form["name"])
    field.errors = [*field.errors, refusal.message]


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), zone)
