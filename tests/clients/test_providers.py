"""Who a provider vouches for, against one that can be made to lie (R26)."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from reseller.clients.providers import Client, Down, GitHub, GitHubAddresses, NotAsked, NotVouched, OpenId, Proof, openid, wire
from reseller.clients.providers.openid import ASKED_SECONDS, CLOCK_SECONDS, DOWN_SECONDS
from reseller.clock import unix_seconds
from tests.authenticator import standing_clock
from tests.fakes.provider import CLIENT_ID, CLIENT_SECRET, FakeProvider, key_named, silent_server
from tests.servers import free_port

US = Client(CLIENT_ID, CLIENT_SECRET)
BACK = "https://shop.example/sign-in/with/oidc/callback"
HUGE = json.dumps({"sub": "ann", "email": "ann@example.com", "padding": "x" * 5_000_000}).encode()


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


def came_back(fake: FakeProvider, provider: OpenId | GitHub | None = None, *, again: bool = False) -> Proof:
    """Who a browser is after a journey there and back."""
    chosen = provider or OpenId(fake.issuer, US)
    url, journey = chosen.begin(BACK, again=again)
    code = parse_qs(urlsplit(fake.vouch(url)).query)["code"][0]
    return chosen.finish(journey, code, BACK, again=again)


def test_an_openid_provider_vouches_for_issuer_and_subject(fake: FakeProvider) -> None:
    assert came_back(fake) == Proof(fake.issuer, "ann", "ann@example.com", True, "Ann")


def test_a_browser_is_sent_off_with_state_nonce_and_pkce(fake: FakeProvider) -> None:
    """R26."""
    provider = OpenId(fake.issuer, US)

    journeys = [provider.begin(BACK) for _ in range(2)]

    sent = [parse_qs(urlsplit(url).query) for url, _ in journeys]
    assert sent[0].keys() == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    }
    for name in ("state", "nonce", "code_challenge"):
        assert sent[0][name] != sent[1][name]
        assert len(sent[0][name][0]) >= 20
    assert sent[0]["redirect_uri"] == [BACK]
    assert journeys[0][1].verifier not in journeys[0][0]


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [("login", {"prompt": ["login"], "max_age": ["0"]}), ("select_account", {"prompt": ["select_account"]})],
)
def test_whoever_shall_be_asked_again_is_sent_with_that_wish(fake: FakeProvider, prompt: str, sent: dict[str, list[str]]) -> None:
    """OpenID Connect Core 1.0, section 3.1.2.1. Google knows neither `prompt=login` nor when it asked."""
    url, _ = OpenId(fake.issuer, US, again=prompt).begin(BACK, again=True)

    asked = parse_qs(urlsplit(url).query)
    assert {name: value for name, value in asked.items() if name in ("prompt", "max_age")} == sent


@pytest.mark.parametrize("seconds_ago", [0, ASKED_SECONDS, -CLOCK_SECONDS])
def test_a_provider_that_asked_just_now_vouches(fake: FakeProvider, seconds_ago: int) -> None:
    with standing_clock():
        fake.claims = {"auth_time": unix_seconds() - seconds_ago}

        assert came_back(fake, again=True).subject == "ann"


@pytest.mark.parametrize("seconds_ago", [ASKED_SECONDS + 1, 86_400])
def test_a_provider_that_let_a_browser_pass_did_not_ask_again(fake: FakeProvider, seconds_ago: int) -> None:
    """R26: whoever sits at a browser that stays signed in there would show that it is them. Signing in needs no new question."""
    with standing_clock():
        fake.claims = {"auth_time": unix_seconds() - seconds_ago}

        with pytest.raises(NotAsked):
            came_back(fake, again=True)
        assert came_back(fake).subject == "ann"


@pytest.mark.parametrize("said", ["now", "ahead", True, False, 1.5, [1], {}, "", 10**400], ids=lambda said: str(said)[:10])
def test_an_instant_that_cannot_be_is_no_proof_of_being_asked(fake: FakeProvider, said: object) -> None:
    with standing_clock():
        fake.claims = {"auth_time": {"now": str(unix_seconds()), "ahead": unix_seconds() + CLOCK_SECONDS + 1}.get(str(said), said)}

        with pytest.raises(NotVouched) as refused:
            came_back(fake, again=True)

    assert refused.type is NotVouched


def test_a_provider_that_never_says_when_it_asked_is_believed(fake: FakeProvider) -> None:
    """Many do not send the claim, asked for or not."""
    fake.claims = {"auth_time": None}

    assert came_back(fake, again=True).subject == "ann"


def test_one_that_is_only_asked_to_choose_need_not_have_asked(fake: FakeProvider) -> None:
    fake.claims = {"auth_time": 1}

    assert came_back(fake, OpenId(fake.issuer, US, again="select_account"), again=True).subject == "ann"


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://accounts.google.com"},
        {"iss": None},
        {"aud": "somebody else's client"},
        {"aud": "somebody else's client", "azp": CLIENT_ID},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": "a\x00b"},
        {"sub": "x" * 300},
    ],
    ids=str,
)
def test_a_token_that_does_not_fit_is_no_proof(fake: FakeProvider, lie: dict[str, Any]) -> None:
    """R26: wrong nonce, other issuer, other client, expired, nobody."""
    fake.claims = lie

    with pytest.raises(NotVouched):
        came_back(fake)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_that_anybody_could_have_signed_is_no_proof(fake: FakeProvider, algorithm: str) -> None:
    """R26: even where the provider says of itself that it signs so."""
    fake.algorithm = algorithm
    fake.metadata = {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]}

    with pytest.raises(NotVouched):
        came_back(fake)


def test_a_code_proves_somebody_once(fake: FakeProvider) -> None:
    provider = OpenId(fake.issuer, US)
    url, journey = provider.begin(BACK)
    code = parse_qs(urlsplit(fake.vouch(url)).query)["code"][0]
    provider.finish(journey, code, BACK)

    with pytest.raises(NotVouched):
        provider.finish(journey, code, BACK)


def test_a_code_of_another_journey_is_no_proof(fake: FakeProvider) -> None:
    """PKCE: the verifier of this journey does not fit the challenge of that one."""
    provider = OpenId(fake.issuer, US)
    theirs, _ = provider.begin(BACK)
    _, ours = provider.begin(BACK)
    code = parse_qs(urlsplit(fake.vouch(theirs)).query)["code"][0]

    with pytest.raises(NotVouched):
        provider.finish(ours, code, BACK)


def test_an_answer_without_an_id_token_is_no_proof(fake: FakeProvider) -> None:
    fake.token = {"id_token": ""}

    with pytest.raises(NotVouched):
        came_back(fake)


def test_what_is_not_in_the_token_is_looked_up(fake: FakeProvider) -> None:
    fake.claims = {"email": None, "email_verified": None, "name": None}
    fake.userinfo = {"sub": "ann", "email": "ann@example.org", "email_verified": True, "name": "Ann B."}

    assert came_back(fake) == Proof(fake.issuer, "ann", "ann@example.org", True, "Ann B.")


def test_who_is_looked_up_is_who_was_vouched_for(fake: FakeProvider) -> None:
    """OpenID Connect Core 1.0, section 5.3.2."""
    fake.claims = {"email": None}
    fake.userinfo = {"sub": "eve", "email": "victim@example.com", "email_verified": True}

    with pytest.raises(NotVouched):
        came_back(fake)


def test_an_endless_answer_is_not_read(fake: FakeProvider) -> None:
    fake.claims = {"email": None}
    fake.answers["/userinfo"] = (200, {}, HUGE)

    with pytest.raises(Down, match="more than"):
        came_back(fake)


@pytest.mark.parametrize("said", ["true", "false", 1, "yes", None, [True]])
def test_only_true_means_that_an_address_is_verified(fake: FakeProvider, said: object) -> None:
    fake.claims = {"email_verified": said}

    assert came_back(fake).is_email_verified is False


@pytest.mark.parametrize(("claim", "read"), [("Ann\n\x00\u202e<b>", "Ann <b>"), (["Ann"], ""), ("x" * 10_000, ""), (None, "")])
def test_names_are_one_line_of_text(fake: FakeProvider, claim: object, read: str) -> None:
    fake.claims = {"name": claim}

    assert came_back(fake).name == read


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://accounts.google.com"},
        {"issuer": None},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": ["x"]},
    ],
    ids=str,
)
def test_whoever_describes_itself_wrongly_is_not_asked_further(fake: FakeProvider, metadata: dict[str, Any]) -> None:
    fake.metadata = metadata

    with pytest.raises(Down):
        OpenId(fake.issuer, US).begin(BACK)


@pytest.mark.parametrize("answer", [(500, b"{}"), (404, b"no"), (200, b"<html>"), (200, b"[]"), (200, b""), (302, b"")])
def test_what_is_no_description_is_a_provider_that_is_down(fake: FakeProvider, answer: tuple[int, bytes]) -> None:
    """A redirect leads nowhere: to the network behind us least of all."""
    status, body = answer
    fake.answers["/.well-known/openid-configuration"] = (status, {"Location": f"{fake.issuer}/elsewhere"} if status == 302 else {}, body)

    with pytest.raises(Down):
        OpenId(fake.issuer, US).begin(BACK)

    assert "/elsewhere" not in fake.asked


@pytest.mark.parametrize("path", ["/token", "/jwks"])
@pytest.mark.parametrize("body", [b"null", b"[]", b"{}", b'{"keys": 1}', b'{"access_token": {}}', b"x", b'{"keys": [{"kty": "RSA"}]}'])
def test_garbage_is_no_proof(fake: FakeProvider, path: str, body: bytes) -> None:
    fake.answers[path] = (200, {}, body)

    with pytest.raises((NotVouched, Down)):
        came_back(fake)


def test_a_provider_is_described_once_and_its_new_key_is_fetched(fake: FakeProvider) -> None:
    provider = OpenId(fake.issuer, US)
    came_back(fake, provider)
    came_back(fake, provider)
    before = list(fake.asked)
    fake.key = key_named("second")

    came_back(fake, provider)

    assert before.count("/.well-known/openid-configuration") == before.count("/jwks") == 1
    assert fake.asked.count("/jwks") == 2


def test_a_description_is_asked_for_again_after_a_while(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [0.0]
    monkeypatch.setattr("reseller.clients.providers.openid.monotonic", lambda: at[0])
    provider = OpenId(fake.issuer, US)
    came_back(fake, provider)
    at[0] = 3_601.0

    came_back(fake, provider)

    assert fake.asked.count("/.well-known/openid-configuration") == 2


def test_our_secret_goes_into_the_form_where_the_provider_wants_it_there(fake: FakeProvider) -> None:
    fake.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert came_back(fake).subject == "ann"


def test_an_issuer_may_end_with_a_slash(fake: FakeProvider) -> None:
    """The identity is of the issuer as it calls itself."""
    fake.metadata = {"issuer": f"{fake.issuer}/"}
    fake.claims = {"iss": f"{fake.issuer}/"}

    assert came_back(fake).issuer == f"{fake.issuer}/"


def test_the_environment_has_no_say(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert came_back(fake).subject == "ann"


def test_a_silent_provider_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TIMEOUT_SECONDS", 0.2)
    with silent_server() as address, pytest.raises(Down):
        OpenId(address, US).begin(BACK)


@pytest.mark.parametrize("path", ["/token", "/jwks", "/userinfo"])
def test_a_provider_that_falls_silent_halfway_is_given_up(fake: FakeProvider, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TIMEOUT_SECONDS", 0.2)
    with silent_server() as address:
        name = {"/token": "token_endpoint", "/jwks": "jwks_uri", "/userinfo": "userinfo_endpoint"}[path]
        fake.metadata, fake.claims = {name: address + path}, {"email": None}

        with pytest.raises(Down):
            came_back(fake)


def test_a_dead_provider_is_down_and_alive_again_a_moment_later(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [0.0]
    monkeypatch.setattr(openid, "monotonic", lambda: at[0])
    with pytest.raises(Down):
        OpenId(f"http://127.0.0.1:{free_port()}", US).begin(BACK)
    provider = OpenId(fake.issuer, US)
    fake.answers["/.well-known/openid-configuration"] = (503, {}, b"")
    with pytest.raises(Down):
        provider.begin(BACK)
    fake.answers.clear()
    at[0] += DOWN_SECONDS

    assert came_back(fake, provider).subject == "ann"


def test_a_provider_that_is_down_is_asked_once_for_all_who_come(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """R31: each click on its button would keep one of our places for as long as it hangs."""
    monkeypatch.setattr(openid, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(wire, "TIMEOUT_SECONDS", 1.0)
    with silent_server() as address, ThreadPoolExecutor(8) as people:
        provider = OpenId(address, US)
        journeys = [people.submit(provider.begin, BACK) for _ in range(8)]
        refusals = [str(journey.exception()) for journey in journeys]

    assert sum("has been asked and does not answer" in refusal for refusal in refusals) == 7
    with pytest.raises(Down, match="did not answer just now"):
        provider.begin(BACK)


@pytest.fixture
def github(fake: FakeProvider) -> GitHub:
    fake.user = {"id": 583231, "login": "octocat", "name": "The Octocat"}
    fake.emails = [
        {"email": "old@example.com", "primary": False, "verified": True},
        {"email": "octocat@example.com", "primary": True, "verified": True},
    ]
    return GitHub(US, GitHubAddresses(fake.issuer, fake.issuer))


def test_github_vouches_for_a_number_and_a_verified_address(fake: FakeProvider, github: GitHub) -> None:
    assert came_back(fake, github) == Proof("https://github.com", "583231", "octocat@example.com", True, "The Octocat")


@pytest.mark.parametrize(
    ("emails", "known"),
    [
        ([{"email": "a@x.org", "primary": True, "verified": False}, {"email": "b@x.org", "verified": True}], ("b@x.org", True)),
        ([{"email": "a@x.org", "primary": True, "verified": False}], ("a@x.org", False)),
        ([{"email": "a@x.org", "primary": False, "verified": "yes"}], ("", False)),
        ([{"email": 1, "primary": True, "verified": True}, "b@x.org", None], ("", True)),
        ([], ("", False)),
    ],
)
def test_only_an_address_that_github_verified_counts(
    fake: FakeProvider, github: GitHub, emails: list[Any], known: tuple[str, bool]
) -> None:
    fake.emails = emails

    found = came_back(fake, github)

    assert (found.email, found.is_email_verified) == known


@pytest.mark.parametrize("user", [{}, {"id": None}, {"id": True}, {"id": "583231"}, {"login": "octocat"}])
def test_a_login_without_its_number_is_nobody(fake: FakeProvider, github: GitHub, user: dict[str, Any]) -> None:
    """Names on GitHub change hands, numbers do not."""
    fake.user = user

    with pytest.raises(NotVouched):
        came_back(fake, github)


def test_github_says_nothing_of_when_it_asked(fake: FakeProvider, github: GitHub) -> None:
    assert came_back(fake, github, again=True).subject == "583231"


@pytest.mark.parametrize("path", ["/user", "/user/emails", "/login/oauth/access_token"])
def test_github_being_down_is_said(fake: FakeProvider, github: GitHub, path: str) -> None:
    fake.answers[path] = (503, {}, b"unicorn")

    with pytest.raises(Down):
        came_back(fake, github)


def test_a_secret_of_ours_is_in_no_repr() -> None:
    assert CLIENT_SECRET not in repr(US)
    assert base64.b64encode(CLIENT_SECRET.encode()).decode() not in repr(OpenId("https://x.example", US))
