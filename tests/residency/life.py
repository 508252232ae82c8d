"""The whole life of a client in its region, with a word of its own in everything it sends."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.clients import ClientRequest
from lepton_platform.management.isolation.tenant_pair import PROBE_PNG
from tests.faults.platform import wait_until
from tests.residency.sides import Side
from tests.residency.traces import Traces

ITEMS = 60
STEPS = 8
WHOLE_LIFE = {
    *("opened", "items", "image", "profiles", "events", "reviews", "idempotent answer", "refresh"),
    *("published model", "recommendations with receipts", "training", "roll-back", "erasure"),
    *("rotation of all keys", "suspension", "crypto-shred"),
}


class Life:
    def __init__(self, side: Side) -> None:
        self.side, self.traces = side, Traces(side.region)
        self.key = self.tenant = ""
        self.done: list[str] = []
        self.items = [self.traces.word() for _ in range(ITEMS)]
        self.people: list[str] = []

    def open(self) -> None:
        region = self.side.region
        arguments = ["--name", f"Shop {region}", "--slug", f"shop-{region}", "--vertical", "ecommerce"]
        output = self.side.manage("create_tenant", *arguments, "--region", region, "--plan", "enterprise")
        match = re.search(r"lep_live_\S+", output)
        assert match is not None
        self.key = match[0]
        with self.side.connect(f"lepton_data_{region}") as connection:
            row = connection.execute("SELECT tenant_id::text FROM data_tenantstate").fetchone()
        assert row is not None
        self.tenant = row[0]
        self.traces.tenants.append(UUID(self.tenant))
        self._lived("opened")

    def feed(self, profiles: int) -> None:
        self.people = [self.traces.word() for _ in range(profiles)]
        self.post("items/batch", {"items": [self._item(item) for item in self.items]})
        picture = ClientRequest("PUT", self._path(f"items/{self.items[0]}/image"), PROBE_PNG, "image/png")
        assert self.side.ask(picture, self.key).status == 204
        for person in self.people[:10]:
            self.call("PUT", f"profiles/{person}", {"attributes": {"town": self.traces.word()}})
        events = [self._event(n, step) for n in range(profiles) for step in range(STEPS)]
        for start in range(0, len(events), 500):
            assert self.post("events", {"events": events[start : start + 500]})["rejected"] == []
        self.post("reviews", {"reviews": [self._review(n) for n in range(10)]})
        self._lived("items", "image", "profiles", "events", "reviews")

    def send_twice(self) -> None:
        body = json.dumps({"events": [self._event(0, 0)]}).encode()
        responses = [self._once(body, self.traces.words[-1]) for _ in range(2)]
        assert responses[0] == responses[1]
        self._lived("idempotent answer")

    def refresh(self) -> None:
        """Beat's own training: a tenant with events and no model is due."""
        self.side.send_task("lepton.refresh", queue=f"region_{self.side.region}", region=self.side.region)
        self._wait_for_version(1)
        self._lived("refresh", "published model")

    def train(self) -> None:
        self.post("models/train", {"profile": "fast"})
        self._wait_for_version(2)
        self._lived("training")

    def recommend(self) -> None:
        """Until a trained model answers; the receipt is written before the answer."""
        answer = wait_until(self._from_model, 90, f"a model of {self.side.region} answers")
        self.traces.ids.append(UUID(answer["recommendation_id"]))
        assert answer["items"][0]["title"].startswith(self.traces.prefix)
        assert self.call("GET", f"items/{self.items[0]}/similar", None)["data"]
        self._lived("recommendations with receipts")

    def end(self) -> None:
        """Everything that ends something: roll-back, erasure, old keys, the contract."""
        self.post("models/rollback", {})
        self._lived("roll-back")
        assert self.call("DELETE", f"profiles/{self.people[0]}", None)["rows"] > 0
        self._lived("erasure")
        region, tenant = self.side.region, f"shop-{self.side.region}"
        self.side.manage("rotate_keys", "--region", region, "--key-type", "region-kek")
        self.side.manage("rotate_keys", "--tenant", tenant, "--key-type", "tenant-kek")
        self.side.manage("rotate_keys", "--tenant", tenant, "--key-type", "purpose")
        assert self.call("GET", f"items/{self.items[0]}", None)["title"].startswith(self.traces.prefix)
        self._lived("rotation of all keys")

    def leave(self) -> None:
        self.side.step("suspend", self.tenant, self.side.region)
        wait_until(lambda: self.ask("GET", "tenant", None).status == 403, 30, "a suspended tenant is refused")
        self._lived("suspension")
        self.side.step("destroy-keys", self.tenant, self.side.region)
        self._lived("crypto-shred")

    def note_ids(self) -> None:
        """Jobs, versions and artefacts that this life made."""
        with self.side.connect(f"lepton_data_{self.side.region}") as connection:
            for column, table in (("id", "data_job"), ("artefact_id", "recommender_modelversion")):
                rows = connection.execute(f"SELECT {column} FROM {table}").fetchall()
                self.traces.ids += [row for (row,) in rows]

    def post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body)

    def call(self, method: str, path: str, body: Any) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status < 300, (path, answer)
        return json.loads(answer.body)

    def ask(self, method: str, path: str, body: Any) -> HttpResponse:
        content = b"" if body is None else json.dumps(body).encode()
        return self.side.ask(ClientRequest(method, self._path(path), content), self.key)

    def _lived(self, *steps: str) -> None:
        self.done += steps

    def _path(self, path: str) -> str:
        return f"/api/v1/{path}"

    def _word(self) -> bytes:
        return self.traces.word().encode()

    def _item(self, item: str) -> dict[str, Any]:
        new = self.traces.word
        texts = {"title": new(), "description": new(), "brand": new(), "categories": [new()], "tags": [new()]}
        return {"id": item, **texts, "attributes": {"colour": new()}}

    def _event(self, person: int, step: int) -> dict[str, Any]:
        """Everybody walks along the shelf, so that there is something to learn."""
        at = datetime.now(UTC) - timedelta(days=20) + timedelta(hours=6 * step, minutes=person)
        item = self.items[(person * 7 + step) % ITEMS]
        return {
            "profile_id": self.people[person],
            "item_id": item,
            "kind": "view",
            "at": at.isoformat(),
            "id": self.traces.word(),
        }

    def _review(self, person: int) -> dict[str, Any]:
        new = self.traces.word
        return {
            "item_id": self.items[person],
            "profile_id": self.people[person],
            "id": new(),
            "title": new(),
            "text": new(),
        }

    def _once(self, body: bytes, key: str) -> bytes:
        request = ClientRequest("POST", self._path("events"), body)
        answer = self.side.ask(request, self.key, **{"Idempotency-Key": key})
        assert answer.status < 300, answer
        return answer.body

    def _wait_for_version(self, least: int) -> None:
        def published() -> bool:
            models = self.call("GET", "models", None)["data"]
            return any(row["version"] >= least and row["state"] == "active" for row in models)

        wait_until(published, 180, f"version {least} of {self.side.region} serves")

    def _from_model(self) -> Any:
        answer = self.post("recommendations", {"profile_id": self.people[1], "k": 5, "reasons": True})
        return answer if answer["stage"] == "model" else None
