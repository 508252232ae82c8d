"""A process killed between the effect and its answer: asked again, there is one effect."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

from tenants.regions import TenantRef

KILLED_BEFORE_COMMIT = """
import os, signal, sys
import django
django.setup()
from django.test import Client
from tenants.data.actions import idempotency
idempotency.finish_request = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
Client(headers={"Authorization": f"Bearer {sys.argv[1]}"}).post(
    sys.argv[2], sys.argv[3], "application/json", headers={"Idempotency-Key": "k1"}, SERVER_NAME="localhost"
)
"""
EVENTS, RECOMMENDATIONS = "/api/v1/events", "/api/v1/recommendations"
BODY = '{"events": [{"profile_id": "ann", "item_id": "mug-blue", "kind": "view"}]}'


def killed_before_commit(key: str, path: str, body: str) -> int:
    command = [sys.executable, "-c", KILLED_BEFORE_COMMIT, key, path, body]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=60).returncode


def test_a_request_killed_before_its_commit_has_one_effect_when_repeated(owner: Any, mugs: list[str]) -> None:
    killed = killed_before_commit(owner.key, EVENTS, BODY)
    repeated = owner.post(EVENTS, BODY, headers={"Idempotency-Key": "k1"})
    repeated_again = owner.post(EVENTS, BODY, headers={"Idempotency-Key": "k1"})
    owner.put("/api/v1/profiles/ann", {})
    assert killed == -signal.SIGKILL
    assert (repeated.json()["accepted"], repeated_again["Idempotent-Replayed"]) == (1, "true")
    assert owner.get("/api/v1/profiles/ann").json()["events"] == 1


def test_a_recommendation_killed_before_its_commit_leaves_one_receipt_and_no_wait(
    owner: Any, mugs: list[str], tenant: TenantRef, superuser: Any
) -> None:
    killed = killed_before_commit(owner.key, RECOMMENDATIONS, "{}")
    repeated = owner.post(RECOMMENDATIONS, "{}", headers={"Idempotency-Key": "k1"})
    repeated_again = owner.post(RECOMMENDATIONS, "{}", headers={"Idempotency-Key": "k1"})
    counted = superuser("data_eu").execute("SELECT id FROM data_receipt WHERE tenant_id = %s", [tenant.id])
    assert killed == -signal.SIGKILL
    assert (repeated.status_code, repeated_again.content) == (200, repeated.content)
    assert [str(receipt) for (receipt,) in counted] == [repeated.json()["recommendation_id"]]
