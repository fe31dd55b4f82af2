"""Jobs around letters: what waits is put into words and sent; what does not get through is told to staff."""

from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import structlog

from config import Settings
from reseller.clients.mailer import Folder, LetterDelayed, LetterRefused, Mailer, Outgoing, Send, Sender, ServerFailed, SmtpServer, compose
from reseller.domain import letters
from reseller.domain.identity import links
from reseller.domain.identity.sealing import Broken, Seal
from reseller.domain.letters import SEALED_FOR, Claimed, LetterKind
from reseller.domain.registration import resets
from reseller.worker import wording
from reseller.worker.context import Context

AT_A_TIME = 20
PATHS = {
    LetterKind.VERIFY_ADDRESS: ("/verify/", links.Purpose.VERIFY),
    LetterKind.RESET_PASSWORD: ("/reset/", links.Purpose.RESET),
    LetterKind.CONFIRM_NEW_ADDRESS: ("/address/", links.Purpose.CHANGE_ADDRESS),
}
"""Where the link of a letter leads, and how long it works. PUBLIC_URL alone says on which host."""

log = structlog.get_logger()


def send_letters(context: Context) -> str:
    """Letters that are due are with the mail server, or tried again later."""
    settings = context.wiring.settings
    for late in letters.give_up_late():
        log.error("letter_given_up", letter_id=str(late.id), kind=late.kind, error=late.error)
    resets.decide(seal=_seal(settings))
    due = letters.claim_due(AT_A_TIME)
    if not due:
        return "none waiting"
    sent = 0
    try:
        with mailer_of(settings).connected() as send:
            while due:
                sent += _send(due[0], send, settings)
                due.pop(0)
    except ServerFailed as error:
        log.error("mail_server_failed", error=str(error), letters=len(due))
        for letter in due:
            _later(letter, str(error))
        raise RuntimeError(f"{len(due)} letters wait: {error}") from None
    return f"{sent} sent"


def watch_letters(context: Context) -> str:  # noqa: ARG001 - every job has the same face
    """Letters get through; if the mail server keeps them from it, this job fails and staff see why."""
    found = letters.trouble()
    if found.is_grave:
        raise RuntimeError(f"{found.given_up} letters given up, {found.refused} refused in two days; last: {found.error}")
    return f"{found.sent} sent in two days, {found.waiting} tried again"


def mailer_of(settings: Settings) -> Mailer:
    """The mail server of this deployment; a folder where none is set."""
    url = settings.mail_url.get_secret_value()
    if url:
        return SmtpServer(url)
    return Folder(Path(settings.instance_path) / "mail", tells_all=settings.reseller_env == "development")


def _send(letter: Claimed, send: Send, settings: Settings) -> bool:
    """Whether the letter is on its way. Raises ServerFailed, and then nothing is recorded.

    One that cannot be put into words, whatever the surprise, is tried again later and keeps no other back.
    """
    try:
        message = _written(letter, settings)
    except LetterRefused as error:
        _refused(letter, error)
        return False
    except Exception as error:  # noqa: BLE001 - a text may ask for what an older row does not tell
        log.error("letter_not_written", letter_id=str(letter.id), kind=letter.kind, exc_info=True)
        _later(letter, f"not written: {type(error).__name__}: {error}")
        return False
    try:
        send(message)
    except LetterRefused as error:
        _refused(letter, error)
        return False
    except LetterDelayed as error:
        _later(letter, str(error))
        return False
    letters.record_sent(letter.id)
    log.info("letter_sent", letter_id=str(letter.id), kind=letter.kind)
    return True


def _refused(letter: Claimed, error: LetterRefused) -> None:
    log.warning("letter_refused", letter_id=str(letter.id), kind=letter.kind, error=str(error))
    letters.record_refused(letter.id, str(error))


def _later(letter: Claimed, error: str) -> None:
    if not letters.record_failure(letter.id, error):
        log.error("letter_given_up", letter_id=str(letter.id), kind=letter.kind, error=error)


def _written(letter: Claimed, settings: Settings) -> EmailMessage:
    link, until = _link(letter, settings)
    words = wording.of(letter, settings, link=link, until=until)
    outgoing = Outgoing(letter.id.hex, letter.recipient, words.subject, words.text, words.html, letter.created_at)
    sender = Sender(settings.brand.name, settings.sender_address, settings.brand.support_email)
    return compose(outgoing, sender)


def _link(letter: Claimed, settings: Settings) -> tuple[str, datetime | None]:
    """The address of the link, and when it stops working. Raises LetterRefused if nobody can read its token any more."""
    if letter.kind not in PATHS:
        return "", None
    path, purpose = PATHS[letter.kind]
    lasts: timedelta = links.LASTS[purpose]
    try:
        token = _seal(settings).open(letter.sealed_token)
    except Broken:
        raise LetterRefused("its link was sealed under another SECRET_KEY") from None
    return f"{settings.base_url}{path}{token}", letter.created_at + lasts


def _seal(settings: Settings) -> Seal:
    return Seal(settings.secret_keys, SEALED_FOR)
