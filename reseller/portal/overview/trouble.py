"""What went wrong with a call, in a few words for a list; its receipt says more."""

TROUBLE = {
    "rate_limit_exceeded": "too many calls in that span",
    "too_many_concurrent_requests": "too many calls at once",
    "insufficient_credits": "not enough credit available",
    "key_spend_limit_reached": "the key’s spend limit was reached",
    "account_frozen": "the balance was below zero",
    "account_suspended": "the account was suspended",
    "account_halted": "calls were paused",
    "model_not_allowed": "the key may not use this model",
    "model_not_found": "no such model is for sale",
    "invalid_api_key": "the key did not work any more",
    "context_length_exceeded": "more than the model has room for",
    "invalid_request": "the request could not be used",
    "request_too_large": "the request was too large",
    "unsupported_media_type": "the request was not JSON",
    "content_policy": "the model’s provider refused the content",
    "upstream_busy": "the model’s provider was busy",
    "upstream_timeout": "the model’s provider took too long",
    "upstream_unavailable": "the model’s provider was not reachable",
    "upstream_error": "the model’s provider failed",
    "service_unavailable": "we could not serve it",
    "process_lost": "it was interrupted on our side",
    "client_disconnected": "your side hung up",
}


def trouble(error_code: str | None) -> str:
    """The words for a code; a code that has none is shown as programs see it."""
    return TROUBLE.get(error_code or "", error_code or "")
