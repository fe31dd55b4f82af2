"""How numbers, money and moments look on pages. Templates format; they never add, subtract or round money."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from flask import Flask, g

from config import Settings
from reseller import money
from reseller.clock import day_start, now
from reseller.money import display_usd, to_usd
from reseller.web import branding
from reseller.web.signed_in import person

TOO_LITTLE_USD = Decimal("0.0000005")  # rounded to six places it is zero
TIME_ZONES = tuple(sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))) + ("UTC",)


def viewer_zone() -> ZoneInfo:
    """The time zone of whoever looks; UTC for strangers."""
    known = g.get("viewer_zone")
    if known is None:
        who = person()
        known = g.viewer_zone = ZoneInfo(who.time_zone if who else "UTC")
    assert isinstance(known, ZoneInfo)
    return known


def viewer_days_of(utc_day: date) -> dict[str, Any]:
    """The filters for the viewer's days that the UTC day touches."""
    first = day_start(utc_day)
    last = first + timedelta(days=1, microseconds=-1)
    return {"from": first.astimezone(viewer_zone()).date(), "to": last.astimezone(viewer_zone()).date()}


def usd(amount: Decimal | int | None) -> str:
    """Dollars for people, two or six places; an int is nano-dollars. A dash for None.

    What is too little for six places is not nothing: "<$0.000001", for beside "$0.00" nobody would look for the rest.
    """
    if amount is None:
        return "–"
    exact = to_usd(amount) if isinstance(amount, int) else amount
    if exact and abs(exact) <= TOO_LITTLE_USD:
        return "<$0.000001" if exact > 0 else ">-$0.000001"
    return display_usd(exact)


def fixed_usd(nano: int, places: int) -> str:
    """One amount of a column in which all have `places_of` its amounts, so that it adds up as it is read."""
    return money.fixed_usd(nano, places)


def exact_usd(amount: Decimal | int | None) -> str:
    """Every digit, as in the books."""
    if amount is None:
        return "–"
    return money.exact_usd(to_usd(amount) if isinstance(amount, int) else amount)


def per_million(rate_usd: Decimal | None) -> str:
    """A price per token as dollars per million tokens."""
    return "–" if rate_usd is None else money.exact_usd(rate_usd * 1_000_000)


def usd_per_million(rate_usd: Decimal) -> str:
    """An amount per token as dollars per million tokens for people, two or six places."""
    return display_usd(rate_usd * 1_000_000)


def number(value: int | None) -> str:
    """Digits in groups of three."""
    return "–" if value is None else f"{value:,}"


def counted(count: int, noun: str) -> str:
    """So many of it, with an s where there is not just one."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(value: Decimal | None, places: int = 1) -> str:
    """A percentage for people; a dash for None."""
    if value is None:
        return "–"
    return f"{value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):,}%"


def exact_moment(at: datetime) -> str:
    """Date, time and zone in the viewer's zone, to the second."""
    return at.astimezone(viewer_zone()).strftime("%Y-%m-%d %H:%M:%S %Z")


def ago(at: datetime) -> str:
    """How far away an instant is, in one unit: "5 min ago", "in 3 days"."""
    seconds = (now() - at).total_seconds()
    size = abs(seconds)
    for limit, unit, name in (
        (60, 1, "s"),
        (3600, 60, "min"),
        (86400, 3600, "h"),
        (86400 * 60, 86400, "days"),
        (86400 * 730, 2_629_800, "months"),
    ):
        if size < limit:
            count = int(size // unit)
            text = f"{count} {name[:-1] if count == 1 and name.endswith('s') and len(name) > 1 else name}"
            break
    else:
        text = f"{int(size // 31_557_600)} years"
    if size < 5:
        return "just now" if seconds >= 0 else "now"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def next_try(at: datetime | None) -> str:
    """When something that waits is tried, to the second; it may be due and have others before it. A dash: never."""
    if at is None:
        return "–"
    return "in its turn" if at <= now() else exact_moment(at)


def duration(span: timedelta | Decimal | float | None) -> str:
    """A length of time in the unit that suits it; a number is milliseconds: "0.4 ms", "210 ms", "1.25 s", "3 min 20 s"."""
    if span is None:
        return "–"
    milliseconds = span.total_seconds() * 1000 if isinstance(span, timedelta) else span
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.2f} s"
    minutes, seconds = divmod(int(milliseconds // 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def iso(at: datetime | date) -> str:
    """For `datetime` attributes and CSV."""
    return at.astimezone(UTC).isoformat(timespec="seconds") if isinstance(at, datetime) else at.isoformat()


def install(app: Flask, settings: Settings) -> None:
    """Templates have these as filters, and the brand as a global."""
    for function in (
        usd,
        fixed_usd,
        exact_usd,
        per_million,
        usd_per_million,
        number,
        counted,
        percent,
        exact_moment,
        next_try,
        ago,
        duration,
        iso,
    ):
        app.add_template_filter(function)
    brand = settings.brand
    app.jinja_env.globals.update(
        brand=brand.name, brand_support=brand.support_email, brand_legal=brand.legal_links, brand_sign=branding.sign_name(brand)
    )
