"""The forms of webhook endpoints: what people may decide, as text; what is right is decided by the domain."""

from datetime import timedelta
from itertools import groupby
from typing import Any

from wtforms import Form, HiddenField, RadioField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from reseller.domain.outbox import EVENTS
from reseller.domain.webhooks import MAX_DESCRIPTION_CHARACTERS, MAX_URL_CHARACTERS, EndpointTerms, ListedEndpoint
from reseller.errors import Refusal

TITLES = {"key": "Keys", "budget": "Budgets", "payment": "Payments", "member": "Members", "limit": "Limits", "model": "Models and prices"}
"""Of groups of events, by the noun that their names begin with; others are called by the noun."""
ALL, CHOSEN = "all", "chosen"
OVERLAPS = (("24", "For 24 hours: both sign meanwhile"), ("168", "For 7 days"), ("0", "Stop now: the old secret may have leaked"))
WORDS = tuple((name, kind.description) for name, kind in EVENTS.items())
"""Events with what they tell of."""
FIELDS_OF = {"url": "url", "description": "description", "events": "events", "overlap": "overlap"}


class EndpointForm(Form):  # type: ignore[misc]
    nonce = HiddenField()
    version = HiddenField(validators=[Regexp(r"[0-9]{0,9}\Z", message="Open the page again.")])
    url = StringField(
        "Address",
        [InputRequired("Give the address that events are sent to."), Length(max=MAX_URL_CHARACTERS)],
        description="We send a POST with JSON there. It must begin with https:// and be reached from the internet.",
        render_kw={"inputmode": "url", "autocomplete": "off", "spellcheck": "false", "placeholder": "https://example.com/hooks"},
    )
    description = StringField(
        "Description",
        [Length(max=MAX_DESCRIPTION_CHARACTERS)],
        description="For you, such as “billing alerts”.",
        render_kw={"autocomplete": "off", "maxlength": MAX_DESCRIPTION_CHARACTERS},
    )
    which = RadioField(
        "Events",
        choices=[SelectChoice(ALL, "Every event, those that we add later too"), SelectChoice(CHOSEN, "Only these")],
        default=ALL,
    )
    events = SelectMultipleField(
        "Only these events",
        choices=[SelectChoice(name, name) for name in EVENTS],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
        validate_choice=False,
    )

    def by_noun(self) -> list[tuple[str, list[Any]]]:
        """The choices of events in the groups in which people look for one, each under its title."""
        found = groupby(self.events, lambda option: str(option.label.text).partition(".")[0])
        return [(TITLES.get(noun, noun.capitalize()), list(options)) for noun, options in found]

    def terms(self) -> EndpointTerms:
        """What the form says."""
        events = None if self.which.data == ALL else tuple(self.events.data or ())
        return EndpointTerms(self.url.data, self.description.data or "", events)

    @staticmethod
    def values_of(endpoint: ListedEndpoint, address: str) -> dict[str, Any]:
        """What the fields hold for this endpoint."""
        return {
            "version": str(endpoint.version),
            "url": address,
            "description": endpoint.description,
            "which": ALL if endpoint.events is None else CHOSEN,
            "events": list(endpoint.events or ()),
        }


class RotateForm(Form):  # type: ignore[misc]
    overlap = SelectField(
        "How long the old secret still signs",
        choices=[SelectChoice(*choice) for choice in OVERLAPS],
        default="24",
        description="Meanwhile each message carries both signatures, and your program may check either.",
    )

    def span(self) -> timedelta:
        return timedelta(hours=int(self.overlap.data))


def put_on_form(form: Any, refusal: Refusal) -> None:
    """The refusal stands at the field it is about; one that is about none at the address."""
    field = form._fields.get(FIELDS_OF.get(refusal.param or "", ""), form["url"])
    field.errors = [*field.errors, refusal.message]
