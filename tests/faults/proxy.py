"""A TCP proxy on this machine that passes bytes on until it is told to cut, to refuse, or to fall silent.

It runs in a thread of its own. What it does with the bytes of one connection is the matter of its `Link`; `commits.py` has
one that knows PostgreSQL's messages.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

RESET = struct.pack("ii", 1, 0)
ANSWER_SECONDS = 5.0


class Link:
    """One connection through the proxy. Every method runs in the proxy's own thread."""

    def __init__(self, proxy: "Proxy", client: asyncio.Transport) -> None:
        self.proxy = proxy
        self.client = client
        self.server: asyncio.Transport | None = None
        self.is_mute = False
        self.from_client_later = bytearray()  # accepted, not passed on
        self.from_server_later = bytearray()

    def client_said(self, piece: bytes) -> None:
        self.to_server(piece)

    def server_said(self, piece: bytes) -> None:
        self.to_client(piece)

    def to_server(self, piece: bytes) -> None:
        """The bytes are on their way, or kept while the link is mute."""
        if self.is_mute or self.server is None:
            self.from_client_later += piece
        else:
            self.server.write(piece)

    def to_client(self, piece: bytes) -> None:
        if self.is_mute:
            self.from_server_later += piece
        else:
            self.client.write(piece)

    def speak(self) -> None:
        """What was kept is passed on, and everything after it."""
        self.is_mute = False
        kept, self.from_client_later = bytes(self.from_client_later), bytearray()
        self.to_server(kept)
        kept, self.from_server_later = bytes(self.from_server_later), bytearray()
        self.to_client(kept)

    def client_left(self) -> None:
        """Nobody tells the server what happens at the other end of a mute link."""
        if self.server is not None and not self.is_mute:
            self.server.close()

    def server_left(self) -> None:
        if not self.is_mute:
            self.client.close()

    def cut(self) -> None:
        """Both ends see a reset; what was not passed on yet never will be."""
        for transport in (self.client, self.server):
            if transport is not None:
                reset(transport)


class Proxy:
    """Between a client and `target_port` of this machine, at `port`. Made running; `close` ends it."""

    def __init__(self, target_port: int, make_link: Callable[["Proxy", asyncio.Transport], Link] = Link) -> None:
        self.target_port = target_port
        self.make_link = make_link
        self.links: set[Link] = set()
        self.is_refusing = False
        self.is_silent = False
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True, name="proxy")
        self._thread.start()
        self._listener: asyncio.Server = self._ask(self._listen())
        self.port = int(self._listener.sockets[0].getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Nobody listens any more and every connection is cut."""
        if self.loop.is_running():
            self.cut_all()
            self._ask(self._close())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(ANSWER_SECONDS)
            self.loop.close()

    def refuse(self) -> None:
        """New connections are reset at once; those that exist go on."""
        self.is_refusing = True

    def cut_all(self) -> int:
        """How many connections were reset."""
        return int(self.run(self._cut_all))

    def fall_silent(self) -> None:
        """A black hole: bytes are accepted at both ends and nothing is passed on, on connections that are and that come."""
        self.run(self._fall_silent)

    def pass_on(self, *, revives: bool = True) -> None:
        """New connections work. Silent ones catch up if `revives`, else they stay silent for ever, as after a fail-over."""
        self.run(lambda: self._pass_on(revives))

    def run(self, work: Callable[[], Any]) -> Any:
        """What `work` answers in the proxy's own thread."""
        done: Future[Any] = Future()

        def go() -> None:
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
                done.set_exception(error)

        self.loop.call_soon_threadsafe(go)
        return done.result(ANSWER_SECONDS)

    def _ask(self, question: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(question, self.loop).result(ANSWER_SECONDS)

    async def _listen(self) -> asyncio.Server:
        return await self.loop.create_server(lambda: _ClientSide(self), "127.0.0.1", 0, backlog=1024)

    async def _close(self) -> None:
        self._listener.close()

    def _cut_all(self) -> int:
        links = list(self.links)
        for link in links:
            link.cut()
        return len(links)

    def _fall_silent(self) -> None:
        self.is_silent = True
        for link in self.links:
            link.is_mute = True

    def _pass_on(self, revives: bool) -> None:
        self.is_silent = self.is_refusing = False
        for link in self.links if revives else ():
            link.speak()


class _ClientSide(asyncio.Protocol):
    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._link: Link | None = None

    def connection_made(self, transport: Any) -> None:
        proxy = self._proxy
        if proxy.is_refusing:
            reset(transport)
            return
        self._link = proxy.make_link(proxy, transport)
        self._link.is_mute = proxy.is_silent
        proxy.links.add(self._link)
        self._connecting = proxy.loop.create_task(self._connect(self._link))

    async def _connect(self, link: Link) -> None:
        try:
            await self._proxy.loop.create_connection(lambda: _ServerSide(link), "127.0.0.1", self._proxy.target_port)
        except OSError:
            reset(link.client)

    def data_received(self, data: bytes) -> None:
        if self._link is not None:
            self._link.client_said(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._link is not None:
            self._proxy.links.discard(self._link)
            self._link.client_left()


class _ServerSide(asyncio.Protocol):
    def __init__(self, link: Link) -> None:
        self._link = link

    def connection_made(self, transport: Any) -> None:
        link = self._link
        link.server = transport
        if link.client.is_closing() and not link.is_mute:
            transport.close()
        elif not link.is_mute:
            link.speak()

    def data_received(self, data: bytes) -> None:
        self._link.server_said(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.server_left()


def reset(transport: asyncio.BaseTransport) -> None:
    """The other end sees a reset, not an end in order."""
    with contextlib.suppress(OSError, AttributeError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()  # type: ignore[attr-defined]
