"""The clients that customers use, pointed at the shop."""

from typing import Any

import httpx
from openai import OpenAI

from tests.shop import Customer


def openai_client(customer: Customer, *, key: str | None = None, **options: Any) -> OpenAI:
    """openai-python with this customer's key; without retries unless told otherwise."""
    given = {"base_url": f"{customer.shop.web.origin}/v1", "max_retries": 0, "timeout": 20.0, **options}
    return OpenAI(api_key=key or customer.key, **given)


class Counted(httpx.HTTPTransport):
    """Remembers the status of every answer, so that a test sees each attempt of a client that retries by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[int] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        self.statuses.append(response.status_code)
        return response


def counting_client(customer: Customer, **options: Any) -> tuple[OpenAI, list[int]]:
    """openai-python with its own retry rules, and the statuses of all its attempts."""
    counted = Counted()
    client = openai_client(customer, http_client=httpx.Client(transport=counted), **{"max_retries": 2, **options})
    return client, counted.statuses
