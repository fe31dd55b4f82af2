"""/settings/company: the account's name and whom its statements are made out to. For the one who owns the account."""

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.domain import company
from reseller.domain.company import Details
from reseller.portal import acting
from reseller.portal.forms import CompanyForm
from reseller.portal.settings.blueprint import settings


@settings.get("/settings/company")
@acting.scoped
def show_company() -> str:
    known = company.of(acting.scope().account_id)
    details = known.details
    return _page(
        CompanyForm(
            data={
                "account_name": details.account_name,
                "company": details.company,
                "tax_id": details.tax_id,
                "billing_address": details.billing_address,
                "version": known.version,
            }
        )
    )


@settings.post("/settings/company")
@acting.scoped
def change_company() -> Response | str:
    form = CompanyForm(request.form)
    if not form.validate():
        return make_response(_page(form), 400)
    scope = acting.scope()
    company.change(
        scope.account_id,
        Details(
            account_name=form.account_name.data or "",
            company=form.company.data or "",
            tax_id=form.tax_id.data or "",
            billing_address=form.billing_address.data or "",
        ),
        by=scope.user_id,
        seen_version=form.seen_version(),
    )
    flash("Saved. Statements name it from now on.", "success")
    return redirect(url_for("settings.show_company"))


def _page(form: CompanyForm) -> str:
    return render_template("settings/company.html", form=form)
