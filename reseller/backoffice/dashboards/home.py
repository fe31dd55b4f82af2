"""The first page of the back office: how business and machine are doing."""

from reseller.backoffice.access import STAFF, Page, exposed, pages


class Dashboard(Page):
    access = pages(STAFF, "index")

    @exposed("/")
    def index(self) -> str:
        return str(self.render("admin/dashboard.html"))
