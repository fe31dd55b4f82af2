"""Short ways to make one exchange in a test."""

from typing import Any

from reseller.clients.connections import Connections
from reseller.clients.transport import Patience, Transport
from tests.clients.conftest import KEY, body

PATH = "/chat/completions"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def transport_to(base_url: str, *, tls: Any = None, **patience: float) -> tuple[Transport, Connections]:
    connections = Connections(base_url, connect_seconds=2.0, tls=tls)
    waits = Patience(**{"first_byte_seconds": 0.4, "idle_seconds": 0.4, "total_seconds": 20.0, **patience})
    return Transport(connections, {"Authorization": f"Bearer {KEY}"}, waits), connections


def post(transport: Transport, model: str = "openai/gpt-4o-mini", **more: Any) -> Any:
    return transport.post(PATH, body(model, **more), accept="application/json")


def read(transport: Transport, model: str = "openai/gpt-4o-mini", **more: Any) -> bytes:
    exchange = post(transport, model, **more)
    try:
        return bytes(exchange.read_all())
    finally:
        exchange.close()
