"""`flask packs`: what credit is sold in."""

import tomllib
from decimal import Decimal
from pathlib import Path

import click
from flask.cli import AppGroup

from reseller.cli.shared import actor, as_operator, emit, json_option
from reseller.domain.payments import pack_changes
from reseller.domain.payments import packs as domain
from reseller.errors import InvalidRequest
from reseller.money import format_decimal

FILE = Path(__file__).resolve().parents[2] / "config" / "packs.toml"

packs = AppGroup("packs", help="Packs of credit and bonuses.")


@packs.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=FILE)
@json_option
@as_operator
def load(file: Path, as_json: bool) -> None:
    """Add the packs and bonuses of FILE (default: config/packs.toml) that are not there yet."""
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} is not a list of packs: {error}") from None
    added = pack_changes.load(read.get("pack", []), read.get("bonus", []), actor=actor())
    emit({"added": added, "file": str(file)}, as_json, [f"added: {added}"])


@packs.command("list")
@json_option
@as_operator
def list_packs(as_json: bool) -> None:
    """Packs on offer, each with its bonus."""
    rows = [
        {"amount_usd": format_decimal(offer.amount_usd), "bonus_usd": format_decimal(offer.bonus_usd), "label": offer.label}
        for offer in domain.offers()
    ]
    emit({"packs": rows}, as_json, [f"${row['amount_usd']} + ${row['bonus_usd']}  {row['label']}".rstrip() for row in rows])
