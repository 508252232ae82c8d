"""URL patterns of the portal."""

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
    path("", start.show_home, name="home"),
    path("sign-in/", RedirectView.as_view(pattern_name="account_login", query_string=True), name="sign_in"),
    # Accounts are created by an owner and keep the e-mail address that the owner entered.
    path("account/signup/", start.raise_not_found),
    path("account/email/", start.raise_not_found),
    path("t/<slug:slug>/", start.redirect_to_overview, name="tenant"),
    path("t/<slug:slug>/overview/", overview.show_overview, name="overview"),
    path("t/<slug:slug>/catalogue/search/", catalogue.search_items, name="search_items"),
    path("t/<slug:slug>/catalogue/", catalogue.show_catalogue, name="catalogue"),
    path("t/<slug:slug>/catalogue/item/", catalogue.show_item, name="catalogue_item"),
    path("t/<slug:slug>/catalogue/image/", catalogue.serve_image, name="catalogue_image"),
    path("t/<slug:slug>/catalogue/retire/", catalogue.retire_item, name="catalogue_retire"),
    path("t/<slug:slug>/catalogue/restore/", catalogue.restore_item, name="catalogue_restore"),
    path("t/<slug:slug>/catalogue/import/", imports.upload_catalogue, name="catalogue_import"),
    path("t/<slug:slug>/catalogue/import/rejected/", imports.export_rejected_rows, name="catalogue_rejected"),
    path("t/<slug:slug>/models/", models.show_models, name="models"),
    path("t/<slug:slug>/models/train/", models.train_model, name="train"),
    path("t/<slug:slug>/models/roll-back/", models.roll_back, name="models_roll_back"),
    path("t/<slug:slug>/models/job/<uuid:job_id>/", models.show_job_progress, name="models_progress"),
    path("t/<slug:slug>/models/job/<uuid:job_id>/cancel/", models.cancel_training, name="models_cancel"),
    path("t/<slug:slug>/models/v<int:number>/", models.show_version, name="models_version"),
    path("t/<slug:slug>/models/v<int:number>/promote/", models.promote_version, name="models_promote"),
    path("t/<slug:slug>/preview/", preview.preview_recommendations, name="preview"),
    path("t/<slug:slug>/reports/", reports.show_reports, name="reports"),
    path("t/<slug:slug>/reports/csv/", reports.export_report, name="reports_csv"),
    path("t/<slug:slug>/privacy/", privacy.show_privacy, name="privacy"),
    path("t/<slug:slug>/keys/", keys.show_keys, name="keys"),
    path("t/<slug:slug>/keys/<str:key_id>/rotate/", keys.rotate_key, name="keys_rotate"),
    path("t/<slug:slug>/keys/<str:key_id>/revoke/", keys.revoke_key, name="keys_revoke"),
    path("t/<slug:slug>/members/", members.show_members, name="members"),
    path("t/<slug:slug>/members/<uuid:user_id>/role/", members.change_role, name="members_role"),
    path("t/<slug:slug>/members/<uuid:user_id>/remove/", members.remove_member, name="members_remove"),
    path("t/<slug:slug>/audit/", audit.show_audit_log, name="audit"),
]
