from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from playwright.sync_api import BrowserContext, expect

from tests.portal.page_visits import visit_page
from tests.portal.workspace import PASSWORD, new_user

pytestmark = pytest.mark.browser


def _code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


@pytest.mark.parametrize(("language", "width"), [("en", 1023), ("zh-hans", 1022)])
def test_an_account_with_two_steps_asks_for_the_code(
    database: None, signed_in: Callable[..., BrowserContext], language: str, width: int
) -> None:
    user, secret = new_user("Joan", PASSWORD), generate_totp_secret()
    TOTP.activate(user, secret)
    visit = visit_page(signed_in(None, language=language, width=width), "/sign-in/")
    visit.page.fill("input[name=login]", user.email)
    visit.page.fill("input[name=password]", PASSWORD)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/account/2fa/authenticate/**")
    visit.save_screenshot(f"two-steps-{language}")
    assert visit.find_violations() == []
    visit.page.fill("input[name=code]", _code(secret))
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(f"{visit.page.url.split('/account')[0]}/")
    assert (visit.console_errors, visit.external_requests) == ([], [])
    visit.page.close()
