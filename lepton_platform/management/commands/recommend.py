"""Prints what a profile would be recommended."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.tasks.tenants import get_tenant_by_slug
from recommender.serving.recommend import recommend
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import MAX_K, RecommendRequest
from tenants.errors import DomainError
from tenants.scope import Actor

ACTOR = Actor("system", "recommend")


class Command(BaseCommand):
    help = "Prints a profile's recommendations with their stage and, on demand, their reasons."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--profile-id", help="nobody in particular, if left out")
        parser.add_argument("--k", type=int, choices=range(1, MAX_K + 1), default=10, metavar=f"1..{MAX_K}")
        parser.add_argument("--reasons", action="store_true")

    def handle(self, **options: Any) -> None:
        request = RecommendRequest(
            profile_id=options["profile_id"], k=options["k"], reasons=options["reasons"]
        )
        try:
            tenant = get_tenant_by_slug(options["tenant"], reason="recommend command")
            get_snapshot_cache().refresh_now(tenant)
            answer = recommend(tenant, request, actor=ACTOR)
        except DomainError as error:
            raise CommandError(error.detail) from error
        because = f" ({answer.fallback_reason})" if answer.fallback_reason else ""
        self.stdout.write(f"stage {answer.stage}{because}, model {answer.model_version or 'none'}")
        for place, item in enumerate(answer.items, start=1):
            self.stdout.write(f"{place:3}. {item.score:9.4f}  {item.id}  {item.title}")
            for why in item.reasons:
                contribution = "" if why.contribution is None else f" {why.contribution:.0%}"
                self.stdout.write(f"       {why.text}{contribution}: {', '.join(why.evidence)}")
        if answer.truncated_reason:
            self.stdout.write(answer.truncated_reason)
