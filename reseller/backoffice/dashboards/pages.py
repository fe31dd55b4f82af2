"""The pages of figures: each a report over a range, shown and exported from the same tables."""

from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

from flask import Response, request

from reseller.backoffice.access import MONEY, STAFF, Page, exposed, pages
from reseller.backoffice.dashboards import business, finance, health, performance, usage
from reseller.domain.desk.figures import Period
from reseller.domain.usage import rollup
from reseller.errors import NotFound
from reseller.reader import TRUE_NOW, Freshness
from reseller.web import ranges
from reseller.web.reports import Report, csv_of
from reseller.wiring import wiring


class ReportPage(Page):
    """A range of days at the top, tiles, tables with their charts, each as CSV."""

    access = pages(STAFF, "index", "export")
    intro: ClassVar[str] = ""
    is_of_now: ClassVar[bool] = False  # what a replica says of this moment is of another one

    def report(self, period: Period) -> Report:
        """What the page shows of these days."""
        raise NotImplementedError

    @exposed("/")
    def index(self) -> str:
        chosen = ranges.chosen()
        with self._database() as freshness:
            report, rolled_at = self.report(chosen.period), rollup.rolled_at()
        return str(
            self.render(
                "figures/report.html",
                chosen=chosen,
                report=report,
                presets=ranges.LABELS,
                rolled_at=rolled_at,
                intro=self.intro,
                as_of=freshness.as_of,
            )
        )

    def _database(self) -> AbstractContextManager[Freshness]:
        return nullcontext(TRUE_NOW) if self.is_of_now else wiring().reader.reports()

    @exposed("/export/")
    def export(self) -> Response:
        """One table of the page, for the same days: exactly what is shown, every digit."""
        chosen = ranges.chosen()
        with self._database():
            table = self.report(chosen.period).table(request.args.get("table", "summary"))
        if table is None:
            raise NotFound("There is no such table on this page.")
        name = f"{self.endpoint}_{table.name}_{chosen.period.first}_{chosen.period.last}.csv"
        return Response(csv_of(table), mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


class Performance(ReportPage):
    intro = "Calls with live keys. A refusal is no call: nothing was sent."

    def report(self, period: Period) -> Report:
        return performance.report(period)


class Business(ReportPage):
    access = pages(MONEY, "index", "export")
    intro = "Without test calls. Money is exact; a day is a day of your time zone."

    def report(self, period: Period) -> Report:
        return business.report(period)


class Finance(ReportPage):
    access = pages(MONEY, "index", "export")
    intro = "Credit, money and what is earned, without test calls. Days are UTC, as in the ledger. Each table is a CSV for the bookkeeping."

    def report(self, period: Period) -> Report:
        return finance.report(period)


class Usage(ReportPage):
    access = pages(MONEY, "index", "export")
    intro = "Calls with live keys that were not refused."

    def report(self, period: Period) -> Report:
        return usage.report(period)


class Health(ReportPage):
    is_of_now = True
    intro = "What the machine is doing now, and what it had to refuse."

    def report(self, period: Period) -> Report:
        return health.report(period)
