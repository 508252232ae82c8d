"""Prints the recommendations for a profile."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.tasks.tenants import get_tenant_by_slug
from recommender.serving.recommend import recommend
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import MAX_K, RecommendAnswer, RecommendRequest
from tenants.errors import DomainError
from tenants.scope import Actor

ACTOR = Actor("system", "recommend")


class Command(BaseCommand):
    help = "Prints a profile's recommendations with their stage and, on demand, their reasons."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--profile-id", help="without it, recommendations for an unknown visitor")
        parser.add_argument("--k", type=int, choices=range(1, MAX_K + 1), default=10, metavar=f"1..{MAX_K}")
        parser.add_argument("--reasons", action="store_true")

    def handle(self, **options: Any) -> None:
        """Prints stage, model version and items. Raises CommandError for an unknown tenant."""
        request = RecommendRequest(
            profile_id=options["profile_id"], k=options["k"], reasons=options["reasons"]
        )
        try:
            tenant = get_tenant_by_slug(options["tenant"], reason="recommend command")
            # A command is a new process: its snapshot cache is empty, and loads in the background otherwise.
            get_snapshot_cache().refresh_now(tenant)
            answer = recommend(tenant, request, actor=ACTOR)
        except DomainError as error:
            raise CommandError(error.detail) from error
        self._print_answer(answer)

    def _print_answer(self, answer: RecommendAnswer) -> None:
        stage: str = answer.stage
        if answer.fallback_reason:
            stage = f"{stage} ({answer.fallback_reason})"
        self.stdout.write(f"stage {stage}, model {answer.model_version or 'none'}")
        for rank, item in enumerate(answer.items, start=1):
            self.stdout.write(f"{rank:3}. {item.score:9.4f}  {item.id}  {item.title}")
            for reason in item.reasons:
                text = reason.text
                if reason.contribution is not None:
                    text = f"{text} {reason.contribution:.0%}"
                self.stdout.write(f"       {text}: {', '.join(reason.evidence)}")
        if answer.truncated_reason:
            self.stdout.write(answer.truncated_reason)
