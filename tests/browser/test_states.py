"""What there is to see when there is nothing to see, and when somebody must sign in first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import pytest
from playwright.sync_api import Page, Request, expect

from canary.server.auth import tokens
from tests.browser.conftest import Open, screenshot
from tests.browser.site import START, Site
from tests.integration.own_mongod import own_mongod
from tests.waiting import eventually


def test_nothing_is_registered_yet(open_page: Open) -> None:
    page = open_page().go("#/")
    expect(page.locator("main")).to_contain_text("Nothing is registered yet")
    expect(page.locator("main")).to_contain_text("canary-producer add")
    screenshot(page, "empty")


@pytest.mark.parametrize(
    ("hash_", "words"),
    [
        ("#/board?path=/nobody/knows", "canary-producer add /nobody/knows"),
        ("#/job?uuid=nobody-knows", "No job with the uuid"),
        ("#/nowhere", "There is no view with this name"),
        ("#/conductors", "No conductor is registered"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(open_page: Open, hash_: str, words: str) -> None:
    expect(open_page().go(hash_).locator("main")).to_contain_text(words)


def test_a_mongodb_that_canary_can_not_use_is_told_in_the_server_s_words(
    open_page: Open, tmp_path: Path
) -> None:
    """It has no worker: that ends at once, and says the same."""
    with own_mongod(tmp_path / "mongod") as address:
        site = Site(tmp_path, OS_MONGO__URI=f"mongodb://{address}/", OS_MONGO__TIMEOUT="2")
        site.start("canary-server")
        try:
            eventually(site.takes_connections, START, "the server answers")
            page = open_page(site).go("#/")
            expect(page.locator("#live")).to_have_attribute("data-condition", "disconnected")
            expect(page.locator("#live")).to_contain_text("This MongoDB is a standalone mongod")
            expect(page.locator("#live")).to_contain_text("Everything below may be out of date")
            expect(page.locator("main")).to_contain_text("This MongoDB is a standalone mongod")
            screenshot(page, "standalone")
        finally:
            site.stop("canary-server")


@contextmanager
def answered(page: Page) -> Iterator[None]:
    """Wait at the end of the ``with`` until all has been answered that was asked within."""
    asked: set[Request] = set()

    def begin(request: Request) -> None:  # Playwright takes no builtin
        asked.add(request)

    def end(request: Request) -> None:
        asked.discard(request)

    page.on("request", begin)
    page.on("response", lambda response: end(response.request))
    page.on("requestfailed", end)
    yield
    eventually(lambda: page.title() and not asked, why="the page has its answers")


class TestSigningIn:
    PASSWORD = "correct horse"

    @pytest.fixture
    def token(self) -> tuple[str, str]:
        return tokens.make("ann")

    @pytest.fixture
    def site(self, tmp_path: Path, token: tuple[str, str]) -> Iterator[Site]:
        bearer = tmp_path / "tokens"
        bearer.write_text(f"{token[1]}\n")
        bearer.chmod(0o600)
        with Site(tmp_path, OS_AUTH__BEARER_FILE=str(bearer)) as site:
            yield site

    def test_by_a_token(self, open_page: Open, site: Site, token: tuple[str, str]) -> None:
        opened = open_page(site)
        page = opened.go("#/")
        expect(page.locator("h1")).to_have_text("Sign in")
        screenshot(page, "signin")
        with answered(page):
            page.get_by_label("Token").fill("canary_wrong")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_label("Token")).to_have_value("")  # it is asked for anew
        page.get_by_label("Token").fill(token[0])
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#live")).to_have_attribute("data-condition", "live")
        expect(page.locator("main")).to_contain_text("Nothing is registered yet")
        page.reload()
        expect(page.locator("#live")).to_have_attribute("data-condition", "live")
        assert page.evaluate("localStorage.getItem('canary.authorization')") is None

    def test_what_is_saved_by_who_signed_in_by_the_form(
        self, open_page: Open, site: Site, token: tuple[str, str]
    ) -> None:
        page = open_page(site).go(f"#/board?path={site.jobboard}")
        page.get_by_label("Token").fill(token[0])
        page.get_by_role("button", name="Sign in").click()
        link = page.get_by_role("link", name="CSV")
        with page.expect_download() as saved:
            link.click()
        assert saved.value.suggested_filename == "jobs.csv"
        assert saved.value.path().read_text().startswith("uuid,name,path,")
        # In one go: whatever else the page asks with that would show the form as well.
        gone = "sessionStorage.setItem('canary.authorization', 'Bearer canary_gone')"
        link.evaluate(f"link => {{ {gone}; link.click(); }}")
        expect(page.locator("h1")).to_have_text("Sign in")

    @pytest.fixture
    def by_password(self, tmp_path: Path) -> Iterator[Site]:
        people = tmp_path / "htpasswd"
        hashed = bcrypt.hashpw(self.PASSWORD.encode(), bcrypt.gensalt(5)).decode()
        people.write_text(f"ann:{hashed}\n")
        people.chmod(0o600)
        folder = tmp_path / "by-password"
        folder.mkdir()
        with Site(folder, OS_AUTH__BASIC_FILE=str(people)) as site:
            yield site

    def test_by_the_browser_s_own_dialog(self, open_page: Open, by_password: Site) -> None:
        """Playwright answers it as somebody would."""
        known = {"username": "ann", "password": self.PASSWORD}
        page = open_page(by_password, http_credentials=known).go("#/")
        expect(page.locator("#live")).to_have_attribute("data-condition", "live")
        expect(page.locator("main")).to_contain_text("Nothing is registered yet")
