"""A process killed between the effect and its answer: asked again, there is one effect."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

KILLED_BEFORE_COMMIT = """
import os, signal, sys
import django
django.setup()
from django.test import Client
from tenants.data.actions import idempotency
idempotency.finish = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
Client(headers={"Authorization": f"Bearer {sys.argv[1]}"}).post(
    "/api/v1/events", sys.argv[2], "application/json", headers={"Idempotency-Key": "k1"}, SERVER_NAME="localhost"
)
"""
BODY = '{"events": [{"profile_id": "ann", "item_id": "mug-blue", "kind": "view"}]}'


def test_a_request_killed_before_its_commit_has_one_effect_when_repeated(owner: Any, mugs: list[str]) -> None:
    command = [sys.executable, "-c", KILLED_BEFORE_COMMIT, owner.key, BODY]
    killed = subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=60)
    again = owner.post("/api/v1/events", BODY, headers={"Idempotency-Key": "k1"})
    third = owner.post("/api/v1/events", BODY, headers={"Idempotency-Key": "k1"})
    owner.put("/api/v1/profiles/ann", {})
    assert killed.returncode == -signal.SIGKILL
    assert (again.json()["accepted"], third["Idempotent-Replayed"]) == (1, "true")
    assert owner.get("/api/v1/profiles/ann").json()["events"] == 1
