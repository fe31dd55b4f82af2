"""Between our account at the upstream and our sums: asks there, and has the domain keep and compare what was said (R20).

Only OpenRouter tells; without OPENROUTER_MANAGEMENT_KEY nothing is asked. No transaction is open while the upstream is asked, and what
it said is kept and compared in one: whoever dies in between has done nothing, and the next run does it.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date

from config import Settings
from reseller.clients.failures import BrokenAnswer
from reseller.clients.openrouter_account import LISTED_DAYS, ActivityRow, KeyRefused, OpenRouterAccount, account_at
from reseller.domain import supplier
from reseller.domain.supplier import Balance, Compared, Threshold, Told
from reseller.domain.usage import partitions
from reseller.errors import UpstreamFailure
from reseller.upstreams import OPENROUTER

LONGEST_ANSWER_SECONDS = 30.0


@dataclass(slots=True)
class Reconciled:
    """The days that were compared, and what could not be, in words."""

    days: list[Compared] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def open_days(self) -> list[Compared]:
        """Those that somebody has to look at."""
        return [each for each in self.days if each.is_open]


def is_on(settings: Settings) -> bool:
    """Whether the account at the upstream can be asked."""
    return bool(settings.openrouter_management_key.get_secret_value())


def threshold_of(settings: Settings) -> Threshold:
    """When the credit there counts as low."""
    return Threshold(settings.upstream_balance_low_usd, settings.upstream_balance_low_days)


def read_credit(settings: Settings) -> Balance:
    """The credit that is left is known, and staff are alarmed if it has just become low. Raises UpstreamFailure."""
    with closing(_account(settings)) as account:
        found = account.credit()
    return supplier.note(OPENROUTER, bought_usd=found.bought_usd, used_usd=found.used_usd, threshold=threshold_of(settings))


def due_days() -> list[date]:
    """Days that are over and were not compared for good, as far back as the upstream remembers and our calls are kept."""
    return supplier.due(OPENROUTER, listed_days=LISTED_DAYS, kept_since=partitions.kept_since())


def reconcile(settings: Settings, days: Iterable[date]) -> Reconciled:
    """Each of these days is compared. One that cannot be used is named in `troubles` and keeps no other from it; silence ends the run.

    Raises UpstreamFailure where the account cannot be asked at all.
    """
    found = Reconciled()
    key = settings.openrouter_api_key.get_secret_value()
    with closing(_account(settings)) as account:
        is_of_key = bool(key) and account.knows_key(key)
        for day in days:
            try:
                told = account.activity(day, api_key=key if is_of_key else None)
            except BrokenAnswer as broken:
                found.troubles.append(f"{day}: {words_of(broken)}")
                continue
            except UpstreamFailure as failure:  # no answer at all: the other days would get none either, each after a while
                found.troubles.append(f"{day} and later: {words_of(failure)}")
                break
            found.days.append(supplier.record(OPENROUTER, day, [_told(row) for row in told], is_of_key=is_of_key))
    return found


def words_of(failure: UpstreamFailure) -> str:
    """What is wrong with the account's answer, for staff: the failure's own words are a customer's."""
    if isinstance(failure, BrokenAnswer):
        return failure.reason
    return failure.message if isinstance(failure, KeyRefused) else f"the account there gives no answer ({type(failure).__name__})"


def _account(settings: Settings) -> OpenRouterAccount:
    return account_at(
        settings.openrouter_base_url,
        settings.openrouter_management_key.get_secret_value(),
        connect_seconds=settings.upstream_connect_seconds,
        answer_seconds=LONGEST_ANSWER_SECONDS,
    )


def _told(row: ActivityRow) -> Told:
    return Told(
        row.model, row.names, row.requests, row.prompt_tokens, row.completion_tokens, row.reasoning_tokens, row.cost_usd, row.byok_usd
    )
