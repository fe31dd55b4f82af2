"""HTTP by requests to somebody whose answer is a stranger's: nothing of the environment goes along, and no redirect is looked at."""

from collections.abc import Mapping

import requests


class PlainSession(requests.Session):
    """Sends these headers and nothing of the environment: no proxies, no netrc, no encodings.

    A redirect is an answer like any other. `allow_redirects=False` alone is not enough for that: requests then works out the request
    that would come next, and reads the whole body of the redirect for it, however long it is and whatever `stream` says.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.update({"Accept-Encoding": "identity", **headers})

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""
