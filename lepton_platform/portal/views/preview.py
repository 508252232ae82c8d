"""The preview page: recommendations for a profile or a session, with their reasons."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.form_errors import add_error_to_form
from lepton_platform.portal.forms import PreviewForm
from lepton_platform.portal.messages import translate_sentence
from lepton_platform.portal.pages import render_page
from lepton_platform.portal.presenters.item_cards import build_item_cards
from recommender.serving.recommend import recommend
from recommender.serving.types import RecommendAnswer
from tenants.errors import Invalid

_CURL_TEMPLATE = """curl -X POST {base}/api/v1/recommendations \\
  -H "Authorization: Bearer $LEPTON_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{body}'"""


@require_http_methods(["GET", "POST"])
@member_required("preview.read")
def preview_recommendations(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Shows recommendations. The form is sent by POST, so that no URL and no log contains the profile's id."""
    form = PreviewForm(request.POST or None)
    answer = _recommend_items(workspace, form) if form.is_valid() else None
    page: dict[str, Any] = {"form": form, "answer": answer, "is_submitted": form.is_bound}
    if answer is not None:
        page["cards"] = build_item_cards(workspace, answer.items)
        page["stage_text"] = describe_stage(answer.stage)
        reasons = (answer.fallback_reason, answer.truncated_reason)
        page["fallback_notes"] = [translate_sentence(reason) for reason in reasons if reason]
        page["curl"] = _build_curl_command(request, form)
    if request.headers.get("HX-Request"):
        return render(request, "portal/preview_answer.html", {"workspace": workspace, **page})
    return render_page(request, workspace, "portal/preview.html", title=_("Preview"), **page)


def _recommend_items(workspace: WorkspaceContext, form: PreviewForm) -> RecommendAnswer | None:
    """Returns the recommendations, or None if the request is invalid; the form then has the errors."""
    try:
        return recommend(workspace.tenant_ref, form.to_recommend_request(), actor=workspace.actor)
    except Invalid as error:
        add_error_to_form(form, error)
        return None


def _build_curl_command(request: HttpRequest, form: PreviewForm) -> str:
    body = json.dumps({**form.to_api_body(), "reasons": True}, ensure_ascii=False)
    # In a shell, a quotation mark inside single quotes is written as '\'' (end, escaped mark, start).
    body = body.replace("'", "'\\''")
    return _CURL_TEMPLATE.format(base=request.build_absolute_uri("/").rstrip("/"), body=body)


def describe_stage(stage: str) -> str:
    """Describes the stage of the fallback chain that the items come from."""
    texts = {
        "model": _("From the model and this profile's history."),
        "model_session": _("From the model and the items of this session."),
        "content": _("No trained model for this request: items with similar content."),
        "knowledge": _("No trained model for this request: your rules and triples were used."),
        "popular": _("No history of this visitor: the most popular items."),
        "recent": _("No events yet: the newest items."),
        "empty": _("There is no available item."),
    }
    return texts.get(stage, stage)
