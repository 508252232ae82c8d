"""A browser that is signed in afresh for every question, as some pages end the session or leave a message in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from django.test import Client

from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.clients import ClientRequest
from tenants.control.models import User

# What a page makes anew each time, or makes of an id: it is no difference between two answers.
_BY_NATURE = re.compile(
    "|".join(
        (
            r'csrfmiddlewaretoken" value="\w+',
            r'X-CSRFToken": ?"\w+',
            r"Request [0-9a-f]{16}",
            r'data:image/svg\+xml[^"]+',  # the picture of a new second factor
            r"\b[A-Z2-7]{32}\b",  # and its text
            r'"challenge": "[\w-]+',
            r'<svg viewBox="0 0 100 100">.*?</svg>',  # the picture of an item without one
            r"tone-\d+",
            r'aria-hidden="true">\w<',
            r"models/v\d+",
            r"(?:now|an?|\d+)[\xa0 ]?(?:seconds?|minutes?|hours?)? ago",
            r"(?<=>)now(?=<)",
        )
    ),
    re.DOTALL,
)
PLANTED = ("tenant", "tenant_id", "slug", "workspace")


@dataclass(slots=True)
class Browser:
    """Each question comes from a network address of its own, so that no limit by address is met."""

    user: User | None
    planted: str
    """Stands in the session where a careless page might look for its tenant."""
    numbers: Iterator[int]
    client: Client

    def __call__(self, request: ClientRequest) -> HttpResponse:
        self._sign_in()
        number = next(self.numbers)
        response = self.client.generic(
            request.method, request.path, request.body, request.content_type,
            headers=dict(request.headers), follow=True, SERVER_NAME="localhost",
            REMOTE_ADDR=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        )  # fmt: skip
        body = b"".join(response).decode(errors="replace")
        walked = " ".join(url for url, _status in getattr(response, "redirect_chain", []))
        headers = {**response.headers, "Walked": walked}
        plain = {name: _BY_NATURE.sub("<made>", text) for name, text in headers.items()}
        return HttpResponse(response.status_code, _BY_NATURE.sub("<made>", body).encode(), plain)

    def _sign_in(self) -> None:
        self.client.cookies.clear()
        if self.user is not None:
            self.client.force_login(self.user, "django.contrib.auth.backends.ModelBackend")
            session = self.client.session
            session.update(dict.fromkeys(PLANTED, self.planted))
            session.save()


def browser(user: User | None, *, planted: str) -> Browser:
    return Browser(user, planted, count(1), Client(raise_request_exception=False))
