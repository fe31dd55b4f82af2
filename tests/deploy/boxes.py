"""Several boxes of one shop: web servers and workers with folders of their own, which share PostgreSQL and SECRET_KEY and nothing else."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reseller.database import acting_as_operator
from tests.deploy.nginx import NginxServer
from tests.deployment import UPSTREAM_KEY, Cluster, running_app, settings_over
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_catalogue import MODELS, entry
from tests.servers import ServerProcess, WebServer, WorkerProcess, environment
from tests.shop import FAKE_PRICES, Customer, Shop, scripted_models, stock

PATIENT = {
    "UPSTREAM_CONNECT_SECONDS": "5",
    "UPSTREAM_FIRST_BYTE_SECONDS": "60",
    "UPSTREAM_IDLE_SECONDS": "60",
    "UPSTREAM_TOTAL_SECONDS": "120",
}


@dataclass(slots=True)
class Box:
    """One machine: an environment, a folder, a web server and perhaps a worker, which may be started anew."""

    name: str
    env: dict[str, str]
    folder: Path
    processes: int
    web: WebServer
    worker: WorkerProcess | None = None
    port: int = 0

    def start_web(self) -> None:
        """The web server is there again, where it was."""
        self.web = WebServer(env=self.env, log=self.folder / "web.log", processes=self.processes, port=self.port)

    def start_worker(self) -> None:
        self.worker = WorkerProcess(env=self.env, log=self.folder / f"worker-{len(list(self.folder.glob('worker*')))}.log")

    @property
    def programs(self) -> list[ServerProcess]:
        return [self.web, *([self.worker] if self.worker else [])]

    def kill(self) -> None:
        """Everything that runs here is gone at once, as after a power cut."""
        for program in self.programs:
            program.kill()


class Fleet(Shop):
    """`web` is where customers come: nginx, or the first box where there is none."""

    boxes: list[Box]

    def at(self, box: Box, customer: Customer) -> Customer:
        """The same customer, who calls this box alone."""
        alone = Shop(app=self.app, admin_url=self.admin_url, fake=self.fake, web=box.web)
        return Customer(alone, customer.person, customer.key)


@contextlib.contextmanager
def open_fleet(
    cluster: Cluster, folder: Path, *, boxes: int = 2, processes: int = 1, nginx: str | None = None, **environ: str
) -> Iterator[Fleet]:
    """So many boxes, without workers, behind the nginx of that path. Keywords are environment variables of all of them."""
    with contextlib.ExitStack() as stack:
        database_url = cluster.create_database()
        stack.callback(cluster.drop_database, database_url)
        fake = stack.enter_context(FakeOpenRouter(api_key=UPSTREAM_KEY))
        fake.models = [*MODELS, *(entry(slug, FAKE_PRICES) for slug in scripted_models())]
        ours = {"OPENROUTER_API_KEY": UPSTREAM_KEY, "OPENROUTER_BASE_URL": fake.base_url, "SECRET_KEY": secrets.token_urlsafe(48)}
        ours = {**PATIENT, **ours, "TRUSTED_PROXIES": "1" if nginx else "0", **environ}
        app = stack.enter_context(running_app(settings_over(database_url, folder / "outside", **ours)))
        with app.app_context(), acting_as_operator():
            stock(app)
        made: list[Box] = []
        stack.callback(lambda: [box.kill() for box in made])
        for number in range(1, boxes + 1):
            made.append(_open_box(f"box-{number}", database_url, folder, processes, ours))
        web = made[0].web
        if nginx:
            web = stack.enter_context(NginxServer(nginx, [box.port for box in made], env=made[0].env, folder=folder / "nginx"))
        fleet = Fleet(app=app, admin_url=cluster.admin_url_of(database_url), fake=fake, web=web)
        fleet.boxes = made
        yield fleet


def _open_box(name: str, database_url: str, folder: Path, processes: int, ours: dict[str, str]) -> Box:
    own = folder / name
    (own / "tmp").mkdir(parents=True)
    env = environment(database_url, own / "instance", **ours, TMPDIR=str(own / "tmp"))
    web = WebServer(env=env, log=own / "web.log", processes=processes)
    return Box(name, env, own, processes, web, port=web.port)
