"""The lifecycle of a tenant in its region. Everything that it sends contains traceable words."""

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
from tests.residency.deployment import RegionDeployment
from tests.residency.traces import Traces

ITEMS = 60
STEPS = 8
ALL_STEPS = {
    *("opened", "items", "image", "profiles", "events", "reviews", "idempotent answer", "refresh"),
    *("published model", "recommendations with receipts", "training", "roll-back", "erasure"),
    *("rotation of all keys", "suspension", "crypto-shred"),
}


class TenantLifecycle:
    def __init__(self, deployment: RegionDeployment) -> None:
        self.deployment, self.traces = deployment, Traces(deployment.region)
        self.key = self.tenant = ""
        self.completed_steps: list[str] = []
        self.item_ids = [self.traces.mint_word() for _ in range(ITEMS)]
        self.profile_ids: list[str] = []

    def open_tenant(self) -> None:
        region = self.deployment.region
        arguments = ["--name", f"Shop {region}", "--slug", f"shop-{region}", "--vertical", "ecommerce"]
        output = self.deployment.run_manage_command(
            "create_tenant", *arguments, "--region", region, "--plan", "enterprise"
        )
        match = re.search(r"lep_live_\S+", output)
        assert match is not None
        self.key = match[0]
        with self.deployment.connect(f"lepton_data_{region}") as connection:
            row = connection.execute("SELECT tenant_id::text FROM data_tenantstate").fetchone()
        assert row is not None
        self.tenant = row[0]
        self.traces.tenants.append(UUID(self.tenant))
        self._record_steps("opened")

    def send_data(self, profiles: int) -> None:
        self.profile_ids = [self.traces.mint_word() for _ in range(profiles)]
        self.send_post("items/batch", {"items": [self._build_item(item) for item in self.item_ids]})
        image_request = ClientRequest(
            "PUT", self._build_path(f"items/{self.item_ids[0]}/image"), PROBE_PNG, "image/png"
        )
        assert self.deployment.send_request(image_request, self.key).status == 204
        for profile in self.profile_ids[:10]:
            self.call("PUT", f"profiles/{profile}", {"attributes": {"town": self.traces.mint_word()}})
        events = [self._build_event(n, step) for n in range(profiles) for step in range(STEPS)]
        for start in range(0, len(events), 500):
            assert self.send_post("events", {"events": events[start : start + 500]})["rejected"] == []
        self.send_post("reviews", {"reviews": [self._build_review(n) for n in range(10)]})
        self._record_steps("items", "image", "profiles", "events", "reviews")

    def send_twice(self) -> None:
        body = json.dumps({"events": [self._build_event(0, 0)]}).encode()
        responses = [self._send_events(body, self.traces.words[-1]) for _ in range(2)]
        assert responses[0] == responses[1]
        self._record_steps("idempotent answer")

    def refresh(self) -> None:
        """Sends the task of beat that trains a model for a tenant with events and no model."""
        self.deployment.send_task(
            "lepton.refresh", queue=f"region_{self.deployment.region}", region=self.deployment.region
        )
        self._wait_for_version(1)
        self._record_steps("refresh", "published model")

    def train(self) -> None:
        self.send_post("models/train", {"profile": "fast"})
        self._wait_for_version(2)
        self._record_steps("training")

    def recommend(self) -> None:
        """Waits until a trained model answers. The receipt is written before the response."""
        response = wait_until(
            self._request_model_recommendations, 90, f"a model of {self.deployment.region} answers"
        )
        self.traces.ids.append(UUID(response["recommendation_id"]))
        assert response["items"][0]["title"].startswith(self.traces.prefix)
        assert self.call("GET", f"items/{self.item_ids[0]}/similar", None)["data"]
        self._record_steps("recommendations with receipts")

    def roll_back_erase_and_rotate(self) -> None:
        """Rolls the model back, erases a profile and rotates all keys."""
        self.send_post("models/rollback", {})
        self._record_steps("roll-back")
        assert self.call("DELETE", f"profiles/{self.profile_ids[0]}", None)["rows"] > 0
        self._record_steps("erasure")
        region, slug = self.deployment.region, f"shop-{self.deployment.region}"
        self.deployment.run_manage_command("rotate_keys", "--region", region, "--key-type", "region-kek")
        self.deployment.run_manage_command("rotate_keys", "--tenant", slug, "--key-type", "tenant-kek")
        self.deployment.run_manage_command("rotate_keys", "--tenant", slug, "--key-type", "purpose")
        assert self.call("GET", f"items/{self.item_ids[0]}", None)["title"].startswith(self.traces.prefix)
        self._record_steps("rotation of all keys")

    def close_tenant(self) -> None:
        self.deployment.run_staff_step("suspend", self.tenant, self.deployment.region)
        wait_until(
            lambda: self.send_request("GET", "tenant", None).status == 403,
            30,
            "a suspended tenant is refused",
        )
        self._record_steps("suspension")
        self.deployment.run_staff_step("destroy-keys", self.tenant, self.deployment.region)
        self._record_steps("crypto-shred")

    def record_ids(self) -> None:
        """Records the ids of jobs and artefacts that this tenant has made."""
        with self.deployment.connect(f"lepton_data_{self.deployment.region}") as connection:
            for column, table in (("id", "data_job"), ("artefact_id", "recommender_modelversion")):
                rows = connection.execute(f"SELECT {column} FROM {table}").fetchall()
                self.traces.ids += [row for (row,) in rows]

    def send_post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body)

    def call(self, method: str, path: str, body: Any) -> Any:
        response = self.send_request(method, path, body)
        assert response.status < 300, (path, response)
        return json.loads(response.body)

    def send_request(self, method: str, path: str, body: Any) -> HttpResponse:
        content = b"" if body is None else json.dumps(body).encode()
        return self.deployment.send_request(ClientRequest(method, self._build_path(path), content), self.key)

    def _record_steps(self, *steps: str) -> None:
        self.completed_steps += steps

    def _build_path(self, path: str) -> str:
        return f"/api/v1/{path}"

    def _build_item(self, item: str) -> dict[str, Any]:
        mint_word = self.traces.mint_word
        texts = {
            "title": mint_word(),
            "description": mint_word(),
            "brand": mint_word(),
            "categories": [mint_word()],
            "tags": [mint_word()],
        }
        return {"id": item, **texts, "attributes": {"colour": mint_word()}}

    def _build_event(self, profile: int, step: int) -> dict[str, Any]:
        """Every profile views consecutive items, so that there is a pattern to learn."""
        timestamp = datetime.now(UTC) - timedelta(days=20) + timedelta(hours=6 * step, minutes=profile)
        item = self.item_ids[(profile * 7 + step) % ITEMS]
        return {
            "profile_id": self.profile_ids[profile],
            "item_id": item,
            "kind": "view",
            "at": timestamp.isoformat(),
            "id": self.traces.mint_word(),
        }

    def _build_review(self, profile: int) -> dict[str, Any]:
        mint_word = self.traces.mint_word
        return {
            "item_id": self.item_ids[profile],
            "profile_id": self.profile_ids[profile],
            "id": mint_word(),
            "title": mint_word(),
            "text": mint_word(),
        }

    def _send_events(self, body: bytes, key: str) -> bytes:
        request = ClientRequest("POST", self._build_path("events"), body)
        response = self.deployment.send_request(request, self.key, **{"Idempotency-Key": key})
        assert response.status < 300, response
        return response.body

    def _wait_for_version(self, min_version: int) -> None:
        def is_published() -> bool:
            models = self.call("GET", "models", None)["data"]
            return any(row["version"] >= min_version and row["state"] == "active" for row in models)

        wait_until(is_published, 180, f"version {min_version} of {self.deployment.region} serves")

    def _request_model_recommendations(self) -> Any:
        response = self.send_post(
            "recommendations", {"profile_id": self.profile_ids[1], "k": 5, "reasons": True}
        )
        return response if response["stage"] == "model" else None
