"""What keeps the shop running: upstreams, presets, people, audit log, jobs, set-up list."""

from collections.abc import Callable

from flask_admin.base import BaseView

from reseller.backoffice.operations.set_up import SetUp

VIEWS: tuple[Callable[[], BaseView], ...] = (
    lambda: SetUp(name="Set-up list", category="Operations", endpoint="set_up", url="/admin/set-up"),
)
