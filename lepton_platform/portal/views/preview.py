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
    """Asked by POST, so that a profile's id stands in no address and no log."""
    form = PreviewForm(request.POST or None)
    answer = _recommend_items(workspace, form) if form.is_valid() else None
    page: dict[str, Any] = {"form": form, "answer": answer, "asked": form.is_bound}
    if answer is not None:
        page["cards"] = build_item_cards(workspace, answer.items)
        page["stage"] = describe_stage(answer.stage)
        page["because"] = [
            translate_sentence(one) for one in (answer.fallback_reason, answer.truncated_reason) if one
        ]
        page["curl"] = _build_curl_command(request, form)
    if request.headers.get("HX-Request"):
        return render(request, "portal/preview_answer.html", {"here": workspace, **page})
    return render_page(request, workspace, "portal/preview.html", title=_("Preview"), **page)


def _recommend_items(workspace: WorkspaceContext, form: PreviewForm) -> RecommendAnswer | None:
    try:
        return recommend(workspace.tenant_ref, form.to_recommend_request(), actor=workspace.actor)
    except Invalid as error:
        add_error_to_form(form, error)
        return None


def _build_curl_command(request: HttpRequest, form: PreviewForm) -> str:
    body = json.dumps({**form.to_api_body(), "reasons": True}, ensure_ascii=False).replace("'", "'\\''")
    return _CURL_TEMPLATE.format(base=request.build_absolute_uri("/").rstrip("/"), body=body)


def describe_stage(stage: str) -> str:
    """Which part of the fallback chain answered."""
    return {
        "model": _("The model answered from this profile's history."),
        "model_session": _("The model answered from the items of this session."),
        "content": _("Nothing is learned about this yet: items like those seen, by their content."),
        "knowledge": _("Nothing is learned about this yet: what you stated beforehand."),
        "popular": _("Nothing is known about this visitor: what is popular now."),
        "recent": _("Nothing was popular yet: the newest items."),
        "empty": _("There is no item that may be shown."),
    }.get(stage, stage)
