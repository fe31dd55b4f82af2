"""How the service is for customers: what was noted of each part, its sums for the status page, and incidents that staff write.

Nothing here is about one account, and what the status page shows is for anybody.
"""

from reseller.domain.uptime.incidents import (
    PART_NAMES,
    Impact,
    IncidentDraft,
    IncidentState,
    ToldIncident,
    ToldUpdate,
    add_update,
    one,
    open_incident,
    open_now,
    recent,
)
from reseller.domain.uptime.slots import add, forget_old
from reseller.domain.uptime.status import PartStatus, ServiceStatus, State, Window, make_snapshot, read_snapshot
from reseller.domain.uptime.tables import Incident, IncidentUpdate, ServiceSlot, ServiceSnapshot

__all__ = [
    "PART_NAMES", "Impact", "Incident", "IncidentDraft", "IncidentState", "IncidentUpdate", "PartStatus", "ServiceSlot",
    "ServiceSnapshot", "ServiceStatus", "State", "ToldIncident", "ToldUpdate", "Window", "add", "add_update", "forget_old",
    "make_snapshot", "one", "open_incident", "open_now", "read_snapshot", "recent",
]  # fmt: skip
