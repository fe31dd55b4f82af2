"""The view `customers`: who may open which of its pages. The pages themselves are in the files beside this one, one concern each."""

from reseller.backoffice.access import ADMINS, MONEY, STAFF, pages
from reseller.backoffice.customers.actions import Actions
from reseller.backoffice.customers.credit import Credit
from reseller.backoffice.customers.limits import ChangeLimits
from reseller.backoffice.customers.listing import Listing
from reseller.backoffice.customers.page import CustomerPage


class Customers(CustomerPage, Actions, Credit, ChangeLimits, Listing):
    """Everybody of staff sees and helps every customer. What support may move alone is bounded inside: credit by a cap a day,
    limits by an end that must be given. Only admins let an account go on after its books did not add up.
    """

    access = (
        pages(STAFF, "index_view", "search", "show", "details_view")
        | pages(STAFF, "note", "suspend", "restore", "revoke_key", "send_reset_link", "credit", "limits", "view_as")
        | pages(MONEY, "export")  # everybody's address at once
        | pages(ADMINS, "resume")
    )
    confirmed = frozenset({"resume"})
