"""A server that sends given bytes for each request and closes as told: for what no HTTP server would do."""

import contextlib
import socket
import ssl
import struct
import threading


class RawServer:
    """Answers the n-th request of its life with the n-th of `answers`; after each it keeps, closes or resets.

    `closed` is set once a connection was ended. With `tls` the connections are encrypted, and end without
    the closing word of TLS, as a cut cable does.
    """

    def __init__(self, answers: tuple[bytes, ...], *, ending: str = "keep", tls: ssl.SSLContext | None = None) -> None:
        self._answers = list(answers)
        self._ending = ending
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.base_url = f"{'https' if tls else 'http'}://localhost:{self.port}/v1"
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            stream = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            while self._answers and (request := self._read(stream)):
                self.requests.append(request)
                stream.sendall(self._answers.pop(0))
                if self._ending != "keep":
                    self._end(stream)
                    break

    def _read(self, connection: socket.socket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65_536)
            if not piece:
                return b""
            received += piece
        head, _, rest = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        while len(rest) < length:
            rest += connection.recv(65_536)
        return received

    def _end(self, connection: socket.socket) -> None:
        if self._ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        self.closed.set()
