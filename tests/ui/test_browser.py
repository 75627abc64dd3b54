"""What only a browser can tell: contrast and names, sideways scroll, keys, dialogs, the log."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLAIN = ("/styleguide/", "/accounts/login/", "/accounts/password/reset/", "/sso/")
OURS = (
    "/account/",
    "/account/password/",
    "/account/second-factors/",
    "/account/second-factors/app/",
    "/account/sessions/",
    "/o/acme/team/", "/o/acme/audit/", "/o/acme/clusters/", "/o/acme/clusters/connect/", "/o/acme/clusters/connect/kubeconfig/", "/o/acme/credentials/",
    "/o/acme/credentials/new/?kind=aws.static",
)  # fmt: skip
APPEND = """([log, count]) => {
  for (let at = 0; at < count; at += 1) log.querySelector("ol").append(log.querySelector("li").cloneNode(true));
  document.dispatchEvent(new CustomEvent("htmx:afterSettle", { detail: {} }));
}"""


def sideways(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [1360, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Any, scheme: str, width: int):
    from axe_playwright_python.sync_playwright import Axe

    found = {}
    for path in (*PLAIN, *OURS):
        page = visit(path, signed_in=path in OURS, width=width, color_scheme=scheme)
        for violation in Axe().run(page).response["violations"]:
            nodes = [node["html"][:120] for node in violation["nodes"]]
            found[path, violation["id"]] = nodes
        page.context.close()

    assert found == {}


@pytest.mark.parametrize("width", [390, 320])
def test_no_page_scrolls_sideways(visit: Any, width: int):
    over = {path: sideways(visit(path, signed_in=path in OURS, width=width)) for path in (*PLAIN, *OURS)}

    assert {path: pixels for path, pixels in over.items() if pixels > 0} == {}


def test_the_first_stop_skips_to_the_content(visit: Any):
    page = visit("/styleguide/")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


def test_the_palette_goes_where_one_types(visit: Any):
    page = visit("/o/acme/clusters/", signed_in=True)

    page.keyboard.press("Control+k")
    expect(page.locator("#palette-results a")).not_to_have_count(0)
    page.keyboard.type("audit")
    # The log, and its settings.
    expect(page.locator("#palette-results a")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#palette-results a").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    expect(page).to_have_url(page.url.split("/o/")[0] + "/o/acme/audit/")


def test_single_keys_do_nothing_while_typing_and_can_be_turned_off(visit: Any):
    page = visit("/styleguide/")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()

    page.keyboard.type("/?")
    expect(page.locator("#q")).to_have_value("/?")
    expect(page.locator("#keys")).not_to_be_visible()

    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.get_by_label("Single keys").uncheck()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).not_to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("#keys")).not_to_be_visible()


def test_g_and_a_letter_go_to_a_section(visit: Any):
    page = visit("/o/acme/clusters/", signed_in=True)

    page.keyboard.press("g")
    page.keyboard.press("t")

    expect(page.get_by_role("heading", level=1)).to_have_text("Team and roles")


def test_the_theme_changes_at_once_and_stays(visit: Any):
    page = visit("/styleguide/", color_scheme="light")

    page.get_by_label("Colour theme").click()
    with page.expect_response("**/theme/"):
        page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_theme_and_the_menu_work_without_script(visit: Any):
    page = visit("/styleguide/", java_script_enabled=False, width=390)

    page.get_by_label("Menu", exact=True).click()
    expect(page.locator("#side")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Colour theme").click()
    page.get_by_role("button", name="Dark").click()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_drawer_is_opened_and_left_by_keyboard(visit: Any):
    page = visit("/styleguide/", width=390)
    button = page.get_by_label("Menu", exact=True)

    expect(page.locator("#side")).not_to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#side")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#side .brand")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.locator("#side")).not_to_be_visible()
    expect(button).to_be_focused()


def test_a_menu_is_walked_with_arrows_and_gives_focus_back(visit: Any):
    page = visit("/styleguide/")
    button = page.get_by_label("Actions for edge-us")

    button.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#m-edge-us a").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#m-edge-us a").last).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.locator("#m-edge-us")).not_to_be_visible()
    expect(button).to_be_focused()


def test_a_dialog_starts_on_what_is_safe_and_gives_focus_back(visit: Any):
    page = visit("/styleguide/")
    opener = page.get_by_role("button", name="Confirm…", exact=True)

    opener.click()
    expect(page.locator("#confirm-simple").get_by_text("Cancel")).to_be_focused()
    page.keyboard.press("Escape")

    expect(opener).to_be_focused()


def test_a_toast_goes_after_six_seconds_but_not_under_the_pointer(visit: Any):
    page = visit("/styleguide/")
    page.clock.install()
    page.evaluate("""document.body.dispatchEvent(new CustomEvent("toast", {
        bubbles: true, detail: { tone: "ok", title: "Saved", text: "payments-prod" } }))""")
    toast = page.locator("#toasts .toast")
    expect(toast).to_contain_text("payments-prod")

    toast.hover()
    page.clock.run_for(7000)
    expect(toast).to_be_visible()
    page.mouse.move(0, 0)
    page.clock.run_for(2000)

    expect(toast).to_have_count(0)


def test_a_cut_text_is_copied_whole(visit: Any):
    page = visit("/styleguide/", permissions=["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy the ARN").click()

    assert "…" not in page.evaluate("navigator.clipboard.readText()")
    expect(page.get_by_role("button", name="Copy the ARN")).to_have_text("Copied")


def test_a_log_follows_until_the_reader_leaves_its_end(visit: Any):
    page = visit("/styleguide/")
    log = page.locator(".log")
    handle = log.element_handle()
    jump = page.get_by_role("button", name="Jump to latest")

    page.evaluate(APPEND, [handle, 100])
    at_end = log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight")
    log.hover()
    page.mouse.wheel(0, -900)
    expect(jump).to_be_visible()
    before = log.evaluate("log => log.scrollTop")
    page.evaluate(APPEND, [handle, 100])

    assert at_end < 40
    assert log.evaluate("log => log.scrollTop") == before
    jump.click()
    expect(jump).not_to_be_visible()
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 40


def test_a_log_is_searched_and_narrowed_to_errors(visit: Any):
    page = visit("/styleguide/")

    page.get_by_label("Search in the log").fill("aws-payments")
    expect(page.locator(".log li:visible")).to_have_count(1)
    expect(page.get_by_text("1 of 4 lines")).to_be_visible()
    page.get_by_label("Search in the log").fill("")
    page.get_by_role("button", name="Only errors").click()

    expect(page.locator(".log li:visible")).to_have_count(2)


def test_unsaved_changes_are_said_and_can_be_discarded(visit: Any):
    page = visit("/styleguide/")
    bar = page.locator("[data-unsaved-bar]")
    expect(bar).not_to_be_visible()

    page.locator("form[data-unsaved] [name=arn]").fill("arn:aws:iam::1:role/x")
    expect(bar).to_be_visible()
    bar.get_by_text("Discard").click()

    expect(bar).not_to_be_visible()
    expect(page.locator("form[data-unsaved] [name=arn]")).to_have_value("")


def test_a_missing_right_can_be_focused_and_says_why(visit: Any):
    page = visit("/styleguide/")
    button = page.get_by_role("button", name="Needs a role")

    button.focus()

    expect(button).to_be_focused()
    expect(button).to_have_accessible_description(
        "Needs the role Owner or Admin or DevOps or Auditor or Viewer"
    )


def test_a_lost_connection_is_said_until_it_is_back(visit: Any):
    page = visit("/o/acme/clusters/", signed_in=True)
    page.route("**/go-to/**", lambda route: route.abort())

    page.keyboard.press("Control+k")
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    page.unroute("**/go-to/**")
    page.keyboard.type("audit")

    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_ended_session_is_said_with_the_way_back(visit: Any):
    page = visit("/o/acme/team/", signed_in=True)
    page.route("**/go-to/**", lambda route: route.fulfill(status=401))

    page.keyboard.press("Control+k")

    expect(page.get_by_role("alert").get_by_text("Sign in")).to_have_attribute(
        "href", "/accounts/login/?next=%2Fo%2Facme%2Fteam%2F"
    )


def test_a_hidden_tab_does_not_poll(visit: Any):
    page = visit("/o/acme/clusters/", signed_in=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/healthz" in request.url else None)
    page.evaluate("""() => {
        document.body.insertAdjacentHTML("beforeend", '<div id="p" data-poll hx-get="/healthz" hx-trigger="poll-now" hx-swap="none"></div>');
        htmx.process(document.getElementById("p"));
        Object.defineProperty(document, "hidden", { value: true, configurable: true });
        htmx.trigger("#p", "poll-now");
        Object.defineProperty(document, "hidden", { value: false, configurable: true });
    }""")
    assert asked == []

    with page.expect_request("**/healthz"):
        page.evaluate('htmx.trigger("#p", "poll-now")')
