"""What keeps the shop running: what is wrong, what customers are told of it, what runs, whom we buy from, who may do what.

In the menu alarms stand at the top, then what is looked at daily comes first, and what is set up once comes last.
"""

from collections.abc import Callable

from flask_admin.base import BaseView

from reseller.backoffice.operations.alarms import Alarms
from reseller.backoffice.operations.audit_log import AuditLog
from reseller.backoffice.operations.incidents import Incidents
from reseller.backoffice.operations.jobs import Jobs
from reseller.backoffice.operations.outbound import Deliveries, Endpoints
from reseller.backoffice.operations.people import People
from reseller.backoffice.operations.presets import Presets
from reseller.backoffice.operations.set_up import SetUp
from reseller.backoffice.operations.upstreams import Upstreams
from reseller.domain.accounts import User
from reseller.domain.alarms import Alarm
from reseller.domain.limits import LimitPreset
from reseller.domain.staff import StaffAction
from reseller.domain.webhooks import WebhookDelivery, WebhookEndpoint

CATEGORY = "Operations"

ALARMS: tuple[Callable[[], BaseView], ...] = (lambda: Alarms(Alarm, name="Alarms", endpoint="alarms", url="/admin/alarms"),)

VIEWS: tuple[Callable[[], BaseView], ...] = (
    lambda: Incidents(name="Incidents", category=CATEGORY, endpoint="incidents", url="/admin/incidents"),
    lambda: Jobs(name="Jobs", category=CATEGORY, endpoint="jobs", url="/admin/jobs"),
    lambda: Deliveries(WebhookDelivery, name="Webhook deliveries", category=CATEGORY, endpoint="deliveries", url="/admin/deliveries"),
    lambda: Endpoints(WebhookEndpoint, name="Webhook endpoints", category=CATEGORY, endpoint="endpoints", url="/admin/endpoints"),
    lambda: Upstreams(name="Upstreams", category=CATEGORY, endpoint="upstreams", url="/admin/upstreams"),
    lambda: Presets(LimitPreset, name="Limit presets", category=CATEGORY, endpoint="presets", url="/admin/presets"),
    lambda: People(User, name="People & roles", category=CATEGORY, endpoint="people", url="/admin/people"),
    lambda: AuditLog(StaffAction, name="Audit log", category=CATEGORY, endpoint="audit_log", url="/admin/audit-log"),
    lambda: SetUp(name="Set-up list", category=CATEGORY, endpoint="set_up", url="/admin/set-up"),
)
