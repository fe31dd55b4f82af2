"""The face every upstream has, and how one is made from its row in `upstreams`.

The gateway and the worker know this module only; which dialect an upstream speaks is its own affair.
"""

from reseller.clients.contract import GenerationRecord, Reply, Upstream, UpstreamSettings
from reseller.clients.failures import BrokenAnswer, failure_inside
from reseller.clients.openai_compatible import OpenAICompatible
from reseller.clients.openrouter import OpenRouter
from reseller.clients.sandbox import Sandbox

__all__ = ["KINDS", "BrokenAnswer", "GenerationRecord", "Reply", "Upstream", "UpstreamSettings", "build", "failure_inside"]

KINDS = ("openrouter", "openai", "sandbox")


def build(kind: str, name: str, settings: UpstreamSettings) -> Upstream:
    """The upstream of that kind, ready to be asked; nothing is sent yet. Raises ValueError for an unknown kind."""
    if kind == "openrouter":
        return OpenRouter(name, settings)
    if kind == "openai":
        return OpenAICompatible(name, settings)
    if kind == "sandbox":
        return Sandbox(name)
    raise ValueError(f"no such kind of upstream: {kind!r}; known are {', '.join(KINDS)}")
