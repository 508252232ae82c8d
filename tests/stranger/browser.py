"""A test client that signs in before every request, because some pages end the session or store a message in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from django.test import Client

from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.clients import ClientRequest
from tenants.control.models import User

# Parts that differ between two equal responses: tokens, times, and what is computed from an id.
_VARIABLE_PARTS = re.compile(
    "|".join(
        (
            r'csrfmiddlewaretoken" value="\w+',
            r'X-CSRFToken": ?"\w+',
            r"Request\s+[0-9a-f]{16}",
            r'data:image/svg\+xml[^"]+',  # the QR code of a new second factor
            r"\b[A-Z2-7]{32}\b",  # its secret
            r'"challenge": "[\w-]+',
            r'<svg viewBox="0 0 100 100">.*?</svg>',  # the placeholder of an item without an image
            r"tone-\d+",
            r'aria-hidden="true">\s*\w\s*<',
            r"models/v\d+",
            r"\s*(?:now|an?|\d+)[\xa0 ]?(?:seconds?|minutes?|hours?)? ago\s*",
            r"(?<=>)\s*now\s*(?=<)",  # how "0 seconds ago" is written
        )
    ),
    re.DOTALL,
)
PLANTED = ("tenant", "tenant_id", "slug", "workspace")


@dataclass(slots=True)
class Browser:
    """Every request has its own network address, so that no limit by address applies."""

    user: User | None
    planted: str
    """Stored in the session under names where a defective page might look for its tenant."""
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
        redirects = " ".join(url for url, _status in getattr(response, "redirect_chain", []))
        headers = {**response.headers, "Redirects": redirects}
        plain = {name: _VARIABLE_PARTS.sub("<variable>", text) for name, text in headers.items()}
        return HttpResponse(response.status_code, _VARIABLE_PARTS.sub("<variable>", body).encode(), plain)

    def _sign_in(self) -> None:
        self.client.cookies.clear()
        if self.user is not None:
            self.client.force_login(self.user, "django.contrib.auth.backends.ModelBackend")
            session = self.client.session
            session.update(dict.fromkeys(PLANTED, self.planted))
            session.save()


def create_browser(user: User | None, *, planted: str) -> Browser:
    return Browser(user, planted, count(1), Client(raise_request_exception=False))
