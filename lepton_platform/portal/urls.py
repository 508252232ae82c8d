from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from lepton_platform.portal.views import (
    audit,
    catalogue,
    imports,
    keys,
    members,
    models,
    overview,
    preview,
    privacy,
    reports,
    start,
)

app_name = "portal"

urlpatterns = [
    path("", start.home, name="home"),
    path("sign-in/", RedirectView.as_view(pattern_name="account_login", query_string=True), name="sign_in"),
    # Members are added by an owner, under the address that the owner knows.
    path("account/signup/", start.closed),
    path("account/email/", start.closed),
    path("t/<slug:slug>/", start.tenant_home, name="tenant"),
    path("t/<slug:slug>/overview/", overview.overview, name="overview"),
    path("t/<slug:slug>/jump/", catalogue.jump, name="jump"),
    path("t/<slug:slug>/catalogue/", catalogue.catalogue, name="catalogue"),
    path("t/<slug:slug>/catalogue/item/", catalogue.item, name="catalogue_item"),
    path("t/<slug:slug>/catalogue/image/", catalogue.image, name="catalogue_image"),
    path("t/<slug:slug>/catalogue/retire/", catalogue.retire, name="catalogue_retire"),
    path("t/<slug:slug>/catalogue/restore/", catalogue.restore, name="catalogue_restore"),
    path("t/<slug:slug>/catalogue/import/", imports.upload, name="catalogue_import"),
    path("t/<slug:slug>/catalogue/import/rejected/", imports.rejected, name="catalogue_rejected"),
    path("t/<slug:slug>/models/", models.models, name="models"),
    path("t/<slug:slug>/models/train/", models.train, name="train"),
    path("t/<slug:slug>/models/roll-back/", models.roll_back, name="models_roll_back"),
    path("t/<slug:slug>/models/job/<uuid:job_id>/", models.progress, name="models_progress"),
    path("t/<slug:slug>/models/job/<uuid:job_id>/cancel/", models.cancel, name="models_cancel"),
    path("t/<slug:slug>/models/v<int:number>/", models.version, name="models_version"),
    path("t/<slug:slug>/models/v<int:number>/promote/", models.promote, name="models_promote"),
    path("t/<slug:slug>/preview/", preview.preview, name="preview"),
    path("t/<slug:slug>/reports/", reports.reports, name="reports"),
    path("t/<slug:slug>/reports/csv/", reports.as_csv, name="reports_csv"),
    path("t/<slug:slug>/privacy/", privacy.privacy, name="privacy"),
    path("t/<slug:slug>/keys/", keys.keys, name="keys"),
    path("t/<slug:slug>/keys/<str:key_id>/rotate/", keys.rotate, name="keys_rotate"),
    path("t/<slug:slug>/keys/<str:key_id>/revoke/", keys.revoke, name="keys_revoke"),
    path("t/<slug:slug>/members/", members.members, name="members"),
    path("t/<slug:slug>/members/<uuid:user_id>/role/", members.change_role, name="members_role"),
    path("t/<slug:slug>/members/<uuid:user_id>/remove/", members.remove, name="members_remove"),
    path("t/<slug:slug>/audit/", audit.audit, name="audit"),
]
