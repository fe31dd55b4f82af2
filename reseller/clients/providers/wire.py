"""HTTP to a provider: never longer than TIMEOUT_SECONDS for one answer, never more than MAX_ANSWER_BYTES of it, never elsewhere.

A provider is chosen by the operator, but what it sends decides who is signed in: it is read like any stranger's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter

from reseller.clients.providers.contract import Down, NotVouched

TIMEOUT_SECONDS = 10.0
CONVERSATION_SECONDS = 25.0
"""For all that is asked in one go; an answer that trickles would not run into the timeout of its socket."""
MAX_ANSWER_BYTES = 1_000_000
_CHUNK_BYTES = 65_536

log = structlog.get_logger()


class _Bounded(HTTPAdapter):
    """Answers are whole once they are there, and small. A redirect is none: the code and our secret go to the address we know."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        response = super().send(request, *args, **kwargs | {"stream": True})
        try:
            if response.is_redirect:
                raise Down(f"{request.url} redirects")
            response._content = _read(response)  # noqa: SLF001 - as requests itself keeps what was read
        finally:
            response.close()
        return response


def _read(response: Response) -> bytes:
    pieces, length = [], 0
    for piece in response.iter_content(_CHUNK_BYTES):
        length += len(piece)
        if length > MAX_ANSWER_BYTES:
            raise Down(f"{response.url} answers with more than {MAX_ANSWER_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)


class Wire(OAuth2Session):  # type: ignore[misc]
    """A session of Authlib's that uses nothing of the environment: no proxy, no .netrc, no cookies of an earlier conversation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"default_timeout": TIMEOUT_SECONDS} | kwargs)
        self.trust_env = False
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Bounded())


def listing(response: Response) -> list[Any]:
    """The JSON array of an answer. Raises Down."""
    found = _json(response)
    if not isinstance(found, list):
        raise Down(f"{response.url} answers with no list")
    return found


def document(response: Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises Down."""
    found = _json(response)
    if not isinstance(found, dict):
        raise Down(f"{response.url} answers with no object")
    return found


def _json(response: Response) -> Any:
    response.raise_for_status()
    return response.json()


@contextmanager
def conversation(issuer: str) -> Iterator[None]:
    """Whatever goes wrong inside is Down or NotVouched, and in the log; nothing goes on for longer than CONVERSATION_SECONDS."""
    try:
        with gevent.Timeout(CONVERSATION_SECONDS, Down(f"{issuer} takes too long")):
            yield
    except Down as error:
        log.warning("provider_down", issuer=issuer, error=str(error))
        raise
    except RequestException as error:
        log.warning("provider_down", issuer=issuer, error=f"{type(error).__name__}: {error}")
        raise Down(f"{issuer} cannot be asked") from error
    except NotVouched as error:
        log.warning("provider_not_vouched", issuer=issuer, error=str(error))
        raise
    except (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        # The last four are what the libraries raise when an answer is JSON, and not of the shape that the protocol says.
        log.warning("provider_not_vouched", issuer=issuer, exc_info=True)
        raise NotVouched(f"{issuer} sent no proof") from error
