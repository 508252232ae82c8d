"""Who may open the staff pages: anonymous, a client's owner, staff, staff without a second factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.test import Client

from tenants.control.models import User
from tenants.regions import TenantRef
from tests.staff.conftest import PASSWORD

PAGES = [
    "/staff/",
    "/staff/jobs/",
    "/staff/search/?s=a",
    "/staff/control/tenant/",
    "/staff/control/tenant/add/",
    "/staff/control/region/",
    "/staff/control/user/",
    "/staff/control/auditentry/",
]


@pytest.mark.parametrize("page", PAGES)
def test_an_anonymous_visitor_is_sent_to_the_one_sign_in(client: Client, page: str) -> None:
    answer = client.get(page, follow=True)
    assert answer.redirect_chain[-1][0] == f"/account/login/?{urlencode({'next': page}, safe='/')}"


def test_after_signing_in_staff_arrive_at_the_page_they_asked_for(
    staff_user: User, client: Client, flush_valkey: None
) -> None:
    ask = client.get("/staff/jobs/", follow=True).redirect_chain[-1][0]
    answer = client.post(ask, {"login": staff_user.email, "password": PASSWORD}, follow=True)
    assert (answer.redirect_chain[-1][0], answer.status_code) == ("/staff/jobs/", 200)


@pytest.mark.parametrize("page", ["https://example.com/", "//example.com", "javascript:alert(1)", ""])
def test_the_way_in_leads_to_no_other_site(staff: Client, page: str) -> None:
    assert staff.get("/staff/login/", {"next": page})["Location"] == "/staff/"


@pytest.mark.parametrize("page", PAGES)
def test_a_clients_owner_is_refused(
    make_tenant: Callable[..., TenantRef], new_user: Callable[..., User], client: Client, page: str
) -> None:
    owner = new_user()
    make_tenant(owner=owner)
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    assert client.get(page, follow=True).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_staff_with_a_password_alone_are_sent_to_set_up_the_second_factor(
    staff: Client, settings: Any, page: str
) -> None:
    settings.LEPTON_STAFF_NEEDS_MFA = True
    answer = staff.get(page, follow=True)
    assert [url for url, _status in answer.redirect_chain][-1].startswith("/account/2fa/") or any(
        url.startswith("/account/reauthenticate") for url, _status in answer.redirect_chain
    )
    assert b"Active tenants" not in answer.content


def code_of(secret: str) -> str:
    return f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06d}"


def test_staff_who_signed_in_with_a_second_factor_are_let_in(
    staff_user: User, client: Client, settings: Any, flush_valkey: None
) -> None:
    settings.LEPTON_STAFF_NEEDS_MFA = True
    secret = generate_totp_secret()
    TOTP.activate(staff_user, secret)
    response = client.post("/account/login/", {"login": staff_user.email, "password": PASSWORD})
    assert response["Location"].startswith("/account/2fa/authenticate/")
    assert client.get("/staff/").status_code == 302
    client.post("/account/2fa/authenticate/", {"code": code_of(secret)})
    assert client.get("/staff/").status_code == 200


def test_staff_who_set_up_the_second_factor_after_signing_in_are_let_in_once_they_used_it(
    staff: Client, staff_user: User, settings: Any, flush_valkey: None
) -> None:
    settings.LEPTON_STAFF_NEEDS_MFA = True
    secret = generate_totp_secret()
    TOTP.activate(staff_user, secret)
    ask = staff.get("/staff/", follow=True).redirect_chain[-1][0]
    assert ask == "/account/2fa/reauthenticate/?next=/staff/"
    staff.post(ask, {"code": code_of(secret)})
    assert staff.get("/staff/").status_code == 200


def test_a_deactivated_member_of_staff_is_signed_out(staff: Client, staff_user: User) -> None:
    User.objects.filter(id=staff_user.id).update(is_active=False)
    assert staff.get("/staff/").status_code == 302


def test_outside_the_embedded_services_the_second_factor_is_required() -> None:
    from lepton_platform.env import uses_embedded_services

    assert not uses_embedded_services({"DATABASE_URL_CONTROL": "postgresql://db.example.com/control"})
