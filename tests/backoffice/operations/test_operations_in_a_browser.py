"""Operations in a real browser: what one door changes is read through another, after a reload."""

from playwright.sync_api import Locator, Page, expect

from reseller.domain import limits
from reseller.domain.accounts import Role
from tests.console import Console
from tests.waiting import wait_until


def answer_dialog(page: Page, opener: str, *, reason: str | None, within: Locator | None = None) -> None:
    """The button is pressed and its question answered with a reason; None: dismissed."""
    area = within or page.locator("main")
    area.get_by_role("button", name=opener, exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    if reason is None:
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).not_to_be_visible()
    else:
        dialog.get_by_label("Reason").fill(reason)
        dialog.get_by_role("button", name=opener, exact=True).click()


def row(page: Page, text: str) -> Locator:
    return page.get_by_role("row").filter(has_text=text)


def point(page: Page, text: str) -> Locator:
    return page.locator("main").get_by_role("listitem").filter(has_text=text)


def make_preset(console: Console, name: str) -> None:
    with console.at_work():
        limits.add_preset(name, {"requests_per_minute": 60}, actor="test", reason="for a test")


def open_preset(page: Page, name: str) -> None:
    page.goto("/admin/presets/")
    row(page, name).get_by_role("link", name="Edit").click()


def test_of_two_people_who_edit_a_preset_the_second_is_told_and_keeps_what_they_typed(console: Console) -> None:
    make_preset(console, "Conflicted")
    ann, bob = console.page(Role.ADMIN), console.page(Role.ADMIN)
    open_preset(ann, "Conflicted")
    open_preset(bob, "Conflicted")
    console.allow(409)

    for page, figure in ((ann, "90"), (bob, "10")):
        page.get_by_label("Requests per minute").fill(figure)
        page.get_by_role("textbox", name="Reason").fill("they asked")
        page.get_by_role("button", name="Save").click()

    expect(bob.get_by_role("alert")).to_contain_text("in the meantime")
    expect(bob.get_by_label("Requests per minute")).to_have_value("10")
    ann.reload()
    expect(row(ann, "Conflicted")).to_contain_text("90")


def test_a_dismissed_question_deletes_nothing_and_an_answered_one_deletes(console: Console) -> None:
    make_preset(console, "Doomed")
    page = console.page(Role.ADMIN)
    open_preset(page, "Doomed")

    answer_dialog(page, "Delete", reason=None)
    page.goto("/admin/presets/")
    expect(row(page, "Doomed")).to_be_visible()
    open_preset(page, "Doomed")
    answer_dialog(page, "Delete", reason="nobody has it")

    expect(page.get_by_role("status").first).to_contain_text("Deleted")
    page.reload()
    expect(row(page, "Doomed")).to_have_count(0)
    with console.at_work():
        assert "Doomed" not in [preset.name for preset in limits.all_presets()]


def test_a_job_asked_for_in_a_page_runs_in_a_worker_and_its_result_stands_there(console: Console) -> None:
    console.run_jobs("make partitions")
    page = console.page(Role.ADMIN)
    page.goto("/admin/jobs/")

    answer_dialog(page, "Run now", reason="a new month", within=row(page, "make partitions"))
    expect(row(page, "make partitions")).to_contain_text("asked for")
    said = console.run_flask("worker", "--once")
    page.reload()

    assert "make partitions: all there" in said
    expect(row(page, "make partitions")).to_contain_text("all there")
    expect(row(page, "make partitions")).not_to_contain_text("asked for")
    page.goto("/admin/audit-log/?action=job.request&subject=make+partitions")
    expect(row(page, "a new month").first).to_contain_text("asked for job")


def test_the_proof_of_the_books_is_run_from_its_page(console: Console) -> None:
    console.customer(usd="3")
    console.run_jobs("verify ledger")
    page = console.page(Role.FINANCE)
    page.goto("/admin/proof/")

    answer_dialog(page, "Run now", reason="before the audit")
    expect(page.get_by_text("asked for, waits for a worker")).to_be_visible()
    said = console.run_flask("worker", "--once")
    page.reload()

    assert "all agree" in said
    expect(page.locator("main").get_by_role("status").first).to_contain_text("all agree")


def test_a_changed_role_ends_the_other_persons_session_and_the_log_tells_of_it(console: Console) -> None:
    other = console.person(Role.SUPPORT)
    theirs, page = console.page(other), console.page(Role.ADMIN)
    theirs.goto("/admin/audit-log/")
    page.goto(f"/admin/people/?email={other.email}")
    page.get_by_role("link", name=other.email).click()

    page.get_by_label("Role").select_option("finance")
    page.get_by_role("textbox", name="Reason").fill("a new desk")
    page.get_by_role("button", name="Change role").click()

    expect(page.get_by_role("status").first).to_contain_text("1 session ended")
    theirs.reload()
    expect(theirs).to_have_url(console.url("/sign-in?next=/admin/audit-log/"))
    page.goto(f"/admin/audit-log/?subject={other.user_id}&action=user.change_role")
    line = row(page, "a new desk")
    expect(line).to_contain_text("support → finance")
    expect(line).to_contain_text("127.0.0.1")


def test_an_upstream_that_is_switched_off_sells_nothing_until_it_is_on_again(console: Console) -> None:
    customer = console.customer(usd="3", limits=False)
    page = console.page(Role.ADMIN)
    page.goto("/admin/upstreams/")

    answer_dialog(page, "Switch off", reason="it fails", within=row(page, "sandbox"))
    expect(row(page, "sandbox").get_by_text("off", exact=True)).to_be_visible()
    refused = wait_until(lambda: customer.chat("sandbox/echo").status == 404, 10)
    page.reload()
    answer_dialog(page, "Switch on", reason="it works again", within=row(page, "sandbox"))
    expect(row(page, "sandbox").get_by_text("on", exact=True)).to_be_visible()

    assert refused
    assert wait_until(lambda: customer.chat("sandbox/echo").status == 200, 10)


def test_an_agreement_confirmed_in_the_list_is_done_for_everybody(console: Console) -> None:
    ann, page = console.person(Role.ADMIN), console.page(Role.SUPPORT)
    window = console.page(ann)
    window.goto("/admin/set-up/")

    answer_dialog(window, "Confirm", reason="letter of 1 May, in the safe", within=point(window, "Upstream agrees to resale"))
    page.goto("/admin/set-up/")

    line = point(page, "Upstream agrees to resale")
    expect(line).to_contain_text(ann.email)
    expect(line).to_contain_text("letter of 1 May, in the safe")
    expect(line.get_by_role("button")).to_have_count(0)
    answer_dialog(window, "Withdraw", reason="only a test", within=point(window, "Upstream agrees to resale"))
    page.reload()
    expect(line).to_contain_text("Nobody has confirmed it.")


def test_an_upstream_is_added_with_the_keyboard_alone(console: Console) -> None:
    page = console.page(Role.ADMIN)
    page.goto("/admin/upstreams/new/")

    page.get_by_label("Name").focus()
    for words in ("keyboard", "https://api.keyboard.example/v1", "UPSTREAM_KEYBOARD_KEY", "0", "a second source"):
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(words)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page).to_have_url(console.url("/admin/upstreams/"))
    page.reload()
    expect(row(page, "UPSTREAM_KEYBOARD_KEY")).to_contain_text("missing here")
