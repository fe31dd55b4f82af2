"""What a backup holds, counted in the snapshot it was taken from, so that a restore can be compared with it row by row and cent by cent."""

from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any

import orjson
import psycopg
from psycopg import sql

from reseller.clock import now

VERSION = 1

_TABLES = """
SELECT c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
   AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
 ORDER BY c.relname
"""
_WALLS = """
SELECT c.relname || ': ' || c.relrowsecurity || ', ' || c.relforcerowsecurity
       || coalesce(', ' || (SELECT string_agg(p.policyname || ' ' || p.cmd, ', ' ORDER BY p.policyname) FROM pg_policies p
                             WHERE p.schemaname = 'public' AND p.tablename = c.relname), '')
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND (c.relrowsecurity OR c.relforcerowsecurity)
 ORDER BY 1
"""
_MONTHS = (
    "SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = inhparent WHERE relkind = 'p'"
)
_HEADS = """
SELECT count(*), coalesce(sum(entries_nano), 0)::text, encode(sha256(convert_to(coalesce(string_agg(
         concat_ws(' ', account_id, entry_count, last_hash, settled_nano, held_nano, unposted_nano), chr(10) ORDER BY account_id
       ), ''), 'UTF8')), 'hex')
  FROM balances
"""
_TRAFFIC = "SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(total_nano), 0)::text FROM api_keys"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Facts of one snapshot; money in nano-dollars."""

    taken_at: datetime  # by the database's clock; what was committed later is not in it
    revision: str  # of the schema
    server: str
    program: str  # version of pg_dump
    rows: dict[str, int]  # by table, of partitioned ones and of each part
    walls: list[str]  # row-level security: table, whether it is on and forced, its policies
    parts: dict[str, str]  # partition → its table
    accounts: int
    entries_nano: int  # of the ledger, altogether
    heads: str  # digest of every account's last entry, balance, holds and unposted usage
    calls: int  # settled ever
    charged_nano: int  # for them
    bytes_: int = 0  # of the dump
    sha256: str = ""
    version: int = field(default=VERSION)

    def as_json(self, *, bytes_: int, sha256: str) -> bytes:
        """With the size and digest of the file that it describes."""
        return orjson.dumps(asdict(replace(self, bytes_=bytes_, sha256=sha256)))

    @classmethod
    def from_json(cls, told: bytes) -> "Manifest":
        """Raises ValueError or TypeError for anything else."""
        values: dict[str, Any] = orjson.loads(told)
        if values.get("version") != VERSION:
            raise ValueError("a manifest of another version")
        known = {each.name for each in fields(cls)}
        return cls(**{**{k: v for k, v in values.items() if k in known}, "taken_at": datetime.fromisoformat(values["taken_at"])})


def read(connection: "psycopg.Connection[Any]", *, program: str) -> Manifest:
    """What the open transaction of `connection`, acting as the operator, sees."""
    run = connection.execute
    tables = run(_TABLES).fetchall()
    rows = {name: _count(connection, name) for name, _ in tables}
    accounts, entries_nano, heads = run(_HEADS).fetchone() or (0, 0, "")
    calls, charged_nano = run(_TRAFFIC).fetchone() or (0, 0)
    taken_at, revision = run("SELECT now(), (SELECT version_num FROM alembic_version)").fetchone() or (now(), "")
    return Manifest(
        taken_at=taken_at,
        revision=revision,
        server=connection.info.parameter_status("server_version") or "",
        program=program,
        rows=rows,
        walls=[row[0] for row in run(_WALLS)],
        parts={part: whole for whole, part in run(_MONTHS)},
        accounts=accounts,
        entries_nano=int(entries_nano),
        heads=heads,
        calls=calls,
        charged_nano=int(charged_nano),
    )


def unseen(manifest: Manifest) -> list[str]:
    """Partitioned tables with rows that are in none of the parts we may read one by one, as pg_dump does."""
    parts: dict[str, int] = {}
    for part, whole in manifest.parts.items():
        parts[whole] = parts.get(whole, 0) + manifest.rows.get(part, 0)
    return [whole for whole, count in parts.items() if manifest.rows.get(whole, count) != count]


def differences(told: Manifest, found: Manifest) -> list[str]:
    """Where what was found is not what was told, in words; empty if they agree."""
    wrong = [
        f"table {name}: {told.rows.get(name, 'none')} rows in the backup, {found.rows.get(name, 'none')} here"
        for name in sorted(told.rows.keys() | found.rows.keys())
        if told.rows.get(name) != found.rows.get(name)
    ]
    wrong += [f"row-level security of {wall}: in the backup alone" for wall in told.walls if wall not in found.walls]
    wrong += [f"partition {part} of {whole} is not one here" for part, whole in told.parts.items() if found.parts.get(part) != whole]
    for name in ("revision", "accounts", "entries_nano", "heads", "calls", "charged_nano"):
        if getattr(told, name) != getattr(found, name):
            wrong.append(f"{name}: {getattr(told, name)} in the backup, {getattr(found, name)} here")
    return wrong


def _count(connection: "psycopg.Connection[Any]", table: str) -> int:
    [found] = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", table))).fetchone() or (0,)
    return int(found)
