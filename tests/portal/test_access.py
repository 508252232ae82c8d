from __future__ import annotations

from typing import Any

import pytest

from tests.portal.workspace import Workspace, add_colleague, browser

READ = [
    "overview/",
    "catalogue/",
    "catalogue/item/?id=sku-1",
    "models/",
    "preview/",
    "privacy/",
    "catalogue/search/?q=linen",
]
ANALYSE = ["reports/", "reports/csv/", "members/"]
EDIT = ["catalogue/import/", "keys/"]
OWN = ["audit/"]
CHANGES = [
    "models/train/",
    "models/roll-back/",
    "models/v1/promote/",
    "catalogue/retire/",
    "catalogue/restore/",
    "keys/some-key/revoke/",
    "keys/some-key/rotate/",
]


@pytest.mark.parametrize("path", READ + ANALYSE + EDIT + OWN)
def test_a_stranger_gets_the_404_of_an_absent_workspace(shop: Workspace, stranger: Any, path: str) -> None:
    foreign = stranger.get(f"/t/{shop.slug}/{path}")
    absent = stranger.get(f"/t/no-such-workspace/{path}")
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert shop.slug not in foreign.content.decode().replace(foreign.wsgi_request.path, "")


@pytest.mark.parametrize("path", CHANGES)
def test_a_stranger_changes_nothing(shop: Workspace, stranger: Any, path: str) -> None:
    assert stranger.post(f"/t/{shop.slug}/{path}", {"id": "sku-1"}).status_code == 404


def test_who_is_not_signed_in_is_sent_to_the_sign_in_page(shop: Workspace, client: Any) -> None:
    answer = client.get(shop.page())
    assert answer.status_code == 302
    assert answer.url.startswith("/account/login/?next=/t/")


def test_a_polling_fragment_reloads_the_page_when_the_session_is_over(shop: Workspace, client: Any) -> None:
    answer = client.get(shop.page("models"), headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"]) == (200, "true")


@pytest.mark.parametrize(
    ("role", "open_to", "forbidden"),
    [
        ("viewer", READ, ANALYSE + EDIT + OWN),
        ("analyst", READ + ANALYSE, EDIT + OWN),
        ("editor", READ + EDIT, OWN),
    ],
)
def test_a_role_opens_what_it_may_and_nothing_above(
    shop: Workspace, role: str, open_to: list[str], forbidden: list[str]
) -> None:
    person = browser(add_colleague(shop, role))
    assert {path: person.get(f"/t/{shop.slug}/{path}").status_code for path in open_to} == dict.fromkeys(
        open_to, 200
    )
    assert {path: person.get(f"/t/{shop.slug}/{path}").status_code for path in forbidden} == dict.fromkeys(
        forbidden, 403
    )


@pytest.mark.parametrize("path", CHANGES)
def test_an_analyst_changes_nothing(shop: Workspace, path: str) -> None:
    person = browser(add_colleague(shop, "analyst"))
    assert person.post(f"/t/{shop.slug}/{path}", {"id": "sku-1"}).status_code == 403


def test_an_editor_makes_no_key_and_adds_nobody(shop: Workspace) -> None:
    person = browser(add_colleague(shop, "editor"))
    key = {"name": "Mine", "scopes": "items:read", "lifetime": "30", "cidrs": ""}
    assert person.post(shop.page("keys"), key).status_code == 403
    assert person.post(shop.page("members"), {"email": "x@example.com", "role": "owner"}).status_code == 403


def test_the_start_page_leads_to_the_first_workspace(shop: Workspace, owner: Any) -> None:
    assert owner.get("/").url == shop.page()


def test_a_form_without_its_token_is_refused(shop: Workspace) -> None:
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(shop.owner, backend="django.contrib.auth.backends.ModelBackend")
    assert strict.post(shop.page("models", "train/")).status_code == 403
