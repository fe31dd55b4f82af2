"""What keeps the shop running: upstreams, presets, people, audit log, jobs, set-up list."""

from collections.abc import Callable

from flask_admin.base import BaseView

VIEWS: tuple[Callable[[], BaseView], ...] = ()
