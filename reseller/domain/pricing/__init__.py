"""What is sold, to whom, for how much: the public face of pricing.

`tables` and the verbs of `changes`, `upstreams` and `catalogue` write; `book` is the picture that calls
read; `rates`, `ceiling`, `arithmetic`, `explaining`, `rules` and `listing` are pure. Other packages import
from here. Money moves nowhere in here.
"""

from reseller.domain.pricing.arithmetic import CostLine, charge_nano, cost_lines, cost_of, marked_up, sum_usd
from reseller.domain.pricing.book import Book, PriceBook, load, rates_at
from reseller.domain.pricing.catalogue import SyncReport, accept, expire_quarantine, reject, restore, sync, withdraw
from reseller.domain.pricing.ceiling import HoldTerms
from reseller.domain.pricing.changes import (
    RuleTerms,
    add_rule,
    bump,
    current_version,
    load_rules,
    replace_rule,
    retire_rule,
)
from reseller.domain.pricing.explaining import (
    LABELS,
    ExplainedLine,
    Explanation,
    customer_lines,
    explain,
    sold_lines,
    staff_lines,
)
from reseller.domain.pricing.margin import Fees, Margin, is_below_break_even, margin_of
from reseller.domain.pricing.offer import Offer
from reseller.domain.pricing.rates import PRICE_FIELDS, Override, Rates, dearest
from reseller.domain.pricing.rules import Candidate, Rule, matches
from reseller.domain.pricing.tables import (
    Model,
    ModelKind,
    ModelPrice,
    ModelStatus,
    PriceState,
    PriceVersion,
    PricingRule,
    Upstream,
    UpstreamKind,
)
from reseller.domain.pricing.telling import ToldPrice, tell_of_prices
from reseller.domain.pricing.trial import Change, PriceLine, changes, draft, price_lines
from reseller.domain.pricing.upstreams import (
    UpstreamState,
    active_upstreams,
    add_upstream,
    register_upstream,
    set_upstream_active,
    upstream_states,
)

__all__ = [
    "LABELS",
    "PRICE_FIELDS",
    "Book",
    "Candidate",
    "Change",
    "CostLine",
    "ExplainedLine",
    "Explanation",
    "Fees",
    "HoldTerms",
    "Margin",
    "Model",
    "ModelKind",
    "ModelPrice",
    "ModelStatus",
    "Offer",
    "Override",
    "PriceBook",
    "PriceLine",
    "PriceState",
    "PriceVersion",
    "PricingRule",
    "Rates",
    "Rule",
    "RuleTerms",
    "SyncReport",
    "ToldPrice",
    "Upstream",
    "UpstreamKind",
    "UpstreamState",
    "accept",
    "active_upstreams",
    "add_rule",
    "add_upstream",
    "bump",
    "changes",
    "charge_nano",
    "cost_lines",
    "cost_of",
    "current_version",
    "customer_lines",
    "dearest",
    "draft",
    "expire_quarantine",
    "explain",
    "is_below_break_even",
    "load",
    "load_rules",
    "margin_of",
    "marked_up",
    "matches",
    "price_lines",
    "rates_at",
    "register_upstream",
    "reject",
    "replace_rule",
    "restore",
    "retire_rule",
    "set_upstream_active",
    "sold_lines",
    "staff_lines",
    "sum_usd",
    "sync",
    "tell_of_prices",
    "upstream_states",
    "withdraw",
]
