"""Defects that let a stranger in: of isolation in the processes' memory and at the pages, of API keys, of repetition."""

from __future__ import annotations

from tests.defects.seeds import Seed

_READING = "tests/stranger/test_api_isolation.py::test_reading_as_a_stranger_shows_nothing"
_WRITING = "tests/stranger/test_api_isolation.py::test_writing_as_a_stranger_changes_nothing"
_THEIRS = "tests/stranger/test_page_isolation.py::test_pages_of_another_tenant_look_absent"
_OWN = "tests/stranger/test_page_isolation.py::test_pages_of_the_callers_tenant_ignore_foreign_ids"
_ATTACKED = "tests/stranger/test_attack_coverage.py"
_ENDS = "tests/control/test_key_validity.py"
_DUMP = "tests/control/test_keys_in_a_dump.py"
_SCOPES = "tests/api/test_scopes_of_every_operation.py"
_SERVERS = "tests/api/test_keys_of_running_servers.py"
_EVERY_POST = "tests/api/test_idempotency_of_every_post.py"
_KILLED = "tests/api/test_killed.py"
_KEYS = "tenants/control/actions/keys.py"
_AUTHENTICATION = "tenants/control/queries/authentication.py"
_ANSWERED = "return run_once(s, request, lambda: to_json_response(serving.answer_request(s, prepared)))"

_ISOLATION = (
    Seed(
        "an answer is kept by its question alone",
        "lepton_platform/api/v1/recommendations.py",
        f"        {_ANSWERED}",
        '        stored = serving.__dict__.setdefault("stored", {})\n'
        "        if request.content not in stored:\n"
        "            stored[request.content] = to_json_response(serving.answer_request(s, prepared))\n"
        "        return stored[request.content]",
        _READING,
    ),
    Seed(
        "an image is kept by the id of its item",
        "tenants/data/queries/images.py",
        "def get_image(s: Scope, item_id: str) -> tuple[bytes, str]:\n",
        "_kept: dict[str, tuple[bytes, str]] = {}\n"
        "\n"
        "\n"
        "def get_image(s: Scope, item_id: str) -> tuple[bytes, str]:\n"
        "    if item_id not in _kept:\n"
        "        _kept[item_id] = _image(s, item_id)\n"
        "    return _kept[item_id]\n"
        "\n"
        "\n"
        "def _image(s: Scope, item_id: str) -> tuple[bytes, str]:\n",
        _READING,
    ),
    Seed(
        "a stored answer is found by its key of repetition alone",
        "lepton_platform/api/idempotency.py",
        "    response = respond()\n",
        '    stored = idempotency.__dict__.setdefault("stored", {})\n'
        "    response = stored.get(key) or respond()\n"
        "    stored[key] = response\n",
        f"{_READING} {_WRITING}",
    ),
    Seed(
        "a page takes its tenant from the address alone",
        "lepton_platform/portal/access.py",
        "    memberships = list_memberships(user)  # type: ignore[arg-type]  # member_required lets only signed-in users through\n",
        "    from tenants.control.queries import list_tenants\n"
        "    from tenants.scope import control_ops\n\n"
        '    with control_ops("portal", actor=Actor("user", str(user.pk)), reason="seeded") as s:\n'
        "        memberships = [Membership(tenant, user.pk, MemberRole.OWNER) for tenant in list_tenants(s)]\n",
        _THEIRS,
    ),
    Seed(
        "a page of staff forgets to ask who comes",
        "lepton_platform/staff/site.py",
        "self.admin_view(self.cancel_job),",
        "self.cancel_job,",
        _THEIRS,
    ),
    Seed(
        "another tenant's API key is told from none",
        _KEYS,
        '        raise NotFound("There is no such API key.")\n',
        "        from django.db import connections\n\n"
        '        with connections["default"].cursor() as cursor:\n'
        '            cursor.execute("SELECT 1 FROM app.find_api_key(%s)", [key_id])\n'
        "            if cursor.fetchone():\n"
        '                raise Conflict("This key is somebody else\'s.")\n'
        '        raise NotFound("There is no such API key.")\n',
        _OWN,
    ),
    Seed(
        "somebody of another workspace is told from nobody",
        "tenants/control/actions/members.py",
        '    raise NotFound("There is no such member.")\n',
        "    if User.objects.filter(pk=user_id).exists():\n"
        '        raise Conflict("This person belongs elsewhere.")\n'
        '    raise NotFound("There is no such member.")\n',
        _OWN,
    ),
    Seed(
        "an account that is added shows its name at once",
        "tenants/control/queries/mappers.py",
        "has_signed_in = last_login is not None and last_login >= row.created_at",
        "has_signed_in = True",
        _OWN,
    ),
    Seed(
        "an address is served that nobody attacks",
        "lepton_platform/portal/urls.py",
        '    path("t/<slug:slug>/audit/", audit.show_audit_log, name="audit"),\n',
        '    path("t/<slug:slug>/audit/", audit.show_audit_log, name="audit"),\n'
        '    path("t/<slug:slug>/audit/<int:note_id>/", audit.show_audit_log, name="note"),\n',
        _ATTACKED,
    ),
    Seed(
        "a form has a field that nobody attacks",
        "lepton_platform/portal/forms.py",
        "class OverlapForm(forms.Form):\n",
        "class OverlapForm(forms.Form):\n    successor = forms.CharField(required=False)\n",
        _ATTACKED,
    ),
)
_API_KEYS = (
    Seed(
        "a key in use is never looked up again",
        _AUTHENTICATION,
        "    if cached_key.expires_at <= time.time():",
        '    object.__setattr__(cached_key, "checked_at", time.monotonic())\n'
        "    if cached_key.expires_at <= time.time():",
        _SERVERS,
    ),
    Seed(
        "a forwarded address is believed",
        "lepton_platform/api/auth.py",
        'request.META.get("REMOTE_ADDR", "")',
        'request.META.get("HTTP_X_FORWARDED_FOR", request.META.get("REMOTE_ADDR", ""))',
        _SERVERS,
    ),
    Seed(
        "a key in use opens with any secret",
        _AUTHENTICATION,
        'raw_key.encode("utf-8", "replace")',
        'raw_key.rpartition("_")[0].encode("utf-8", "replace")',
        _ENDS,
    ),
    Seed(
        "a replaced key works for ever",
        _KEYS,
        'old_key.save(update_fields=["replaced_by", "expires_at"])',
        'old_key.save(update_fields=["replaced_by"])',
        _ENDS,
    ),
    Seed(
        "the last address of a network is left out",
        _AUTHENTICATION,
        "any(address in network for",
        "any(address in network and address != network[-1] for",
        _ENDS,
    ),
    Seed(
        "the secret of a new key stands in the audit log",
        _KEYS,
        '"api_key.created", new_key.key.id, scopes=" ".join(requested_scopes)',
        '"api_key.created", new_key.key.id, scopes=" ".join(requested_scopes), key=new_key.secret',
        _DUMP,
    ),
    Seed(
        "what may be read may be written",
        "lepton_platform/api/permissions.py",
        "    if required not in granted:\n",
        '    if required.partition(":")[0] not in {one.partition(":")[0] for one in granted}:\n',
        _SCOPES,
    ),
    Seed(
        "retiring an item asks for the scope of reading",
        "lepton_platform/api/v1/items.py",
        '    method="DELETE",\n    scope="items:write",\n',
        '    method="DELETE",\n    scope="items:read",\n',
        f"{_SCOPES}::test_a_key_that_may_read_everything_changes_nothing",
    ),
)
_REPETITION = (
    Seed(
        "a recommendation forgets its key of repetition",
        "lepton_platform/api/v1/recommendations.py",
        _ANSWERED,
        "return to_json_response(serving.answer_request(s, prepared))",
        _EVERY_POST,
    ),
    Seed(
        "a repeated answer has another status",
        "lepton_platform/api/idempotency.py",
        "ApiResponse(progress.body, progress.status, headers=REPLAYED_HEADERS)",
        "ApiResponse(progress.body, 200, headers=REPLAYED_HEADERS)",
        _EVERY_POST,
    ),
    Seed(
        "an answer is stored after its work is committed",
        "lepton_platform/api/v1/recommendations.py",
        f"    with scope(request.tenant, actor=request.actor) as s:\n        {_ANSWERED}",
        "    with scope(request.tenant, actor=request.actor) as s:\n"
        "        answer = serving.answer_request(s, prepared)\n"
        "    with scope(request.tenant, actor=request.actor) as s:\n"
        "        return run_once(s, request, lambda: to_json_response(answer))",
        _KILLED,
    ),
)
STRANGER_SEEDS = (*_ISOLATION, *_API_KEYS, *_REPETITION)
