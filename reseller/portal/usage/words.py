"""What became of a call, in words for whoever made it."""

from dataclasses import dataclass

from reseller.domain.usage import CallStatus


@dataclass(frozen=True, slots=True)
class Words:
    """`name` in a list, `sentence` on the receipt."""

    name: str
    tone: str
    sentence: str


STATUS = {
    CallStatus.COMPLETED: Words("completed", "good", "The whole answer was sent."),
    CallStatus.PARTIAL: Words(
        "broke off", "warn", "The model's provider broke off in the middle of the answer. You pay for what was delivered."
    ),
    CallStatus.ABANDONED: Words(
        "hung up", "warn", "Your side closed the connection before the answer was over. You pay for what was made until then."
    ),
    CallStatus.FAILED: Words("failed", "bad", "The model's provider gave no usable answer. Nothing was charged; sending it again is safe."),
    CallStatus.REFUSED: Words("refused", "bad", "We said no before anything was sent. Nothing was held or charged."),
    CallStatus.VOIDED: Words("voided", "bad", "It was interrupted on our side and its cost is not known, so nothing was charged."),
}
