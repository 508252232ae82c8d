from __future__ import annotations

from typing import Any

from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.registry import queries as registry
from tenants.data.queries import jobs
from tenants.scope import scope
from tests.portal.workspace import ACTOR, Workspace, finish_jobs, observe, page_text, publish, refuse


def _newest(shop: Workspace) -> Any:
    with scope(shop.ref, actor=ACTOR) as s:
        return jobs.list_jobs(s, limit=1)[0][0]


def test_training_is_queued_once_however_often_it_is_asked_for(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("models", "train/"))
    job = _newest(shop)
    owner.post(shop.page("models", "train/"))
    assert _newest(shop).id == job.id
    assert job.state == "queued"


def test_an_open_run_refreshes_itself_and_a_finished_one_does_not(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("models", "train/"))
    path = shop.page("models", f"job/{_newest(shop).id}/")
    assert 'hx-trigger="every 2s"' in owner.get(path).content.decode()
    finish_jobs(shop, "succeeded", outcome={"version": 1})
    finished = owner.get(path).content.decode()
    assert "hx-get" not in finished
    assert "Model v1" in finished


def test_a_failed_run_has_its_reason(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("models", "train/"))
    finish_jobs(shop, "failed", reason="The catalogue is empty: send items first.")
    assert "The catalogue is empty: send items first." in owner.get(shop.page("models")).content.decode()


def test_a_queued_run_can_be_cancelled(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("models", "train/"))
    owner.post(shop.page("models", f"job/{_newest(shop).id}/cancel/"))
    assert _newest(shop).state == "cancelled"


def test_the_reason_of_a_refusal_is_in_the_readers_language(shop: Workspace, owner: Any) -> None:
    refuse(shop, (DecisionReason("not_better", {"k": 10, "candidate": 0.031, "baseline": 0.033}),))
    owner.cookies["django_language"] = "zh-hans"
    page = owner.get(shop.page("models")).content.decode()
    assert "未显著优于热门基线：nDCG@10 为 0.0310，对方为 0.0330。" in page


def test_skipped_events_are_counted_in_the_readers_language(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.04)
    pages = {}
    for language in ("en", "zh-hans"):
        owner.cookies["django_language"] = language
        pages[language] = page_text(owner, shop.page("models", "v1/"))
    assert ">4,120</dd>" in pages["en"]
    assert ">3,600 of bots</p>" in pages["en"]
    assert ">12 immediate repetitions</p>" in pages["en"]
    assert ">3,600 来自机器人</p>" in pages["zh-hans"]


def test_an_earlier_model_can_be_promoted_and_rolled_back_from(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.04)
    publish(shop, ndcg=0.05)
    owner.post(shop.page("models", "roll-back/"), {"expected": "2"})
    assert _active(shop) == 1
    owner.post(shop.page("models", "v2/promote/"), {"expected": "1"})
    assert _active(shop) == 2


def test_a_promotion_from_an_outdated_page_is_refused(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.04)
    publish(shop, ndcg=0.05)
    answer = owner.post(shop.page("models", "v1/promote/"), {"expected": "7"}, follow=True)
    assert "Another version became active in the meantime." in answer.content.decode()
    assert _active(shop) == 2


def test_several_reasons_are_translated(shop: Workspace, owner: Any) -> None:
    slice_parameters = {"slice": "language=zh", "baseline_name": "live", "cases": 61}
    reasons = (
        DecisionReason("worse_than_live", {"k": 10, "candidate": 0.031, "baseline": 0.052}),
        DecisionReason("slice_worse", slice_parameters | {"k": 10, "candidate": 0.01, "baseline": 0.04}),
    )
    refuse(shop, reasons)
    pages = {}
    for language in ("en", "zh-hans"):
        owner.cookies["django_language"] = language
        pages[language] = page_text(owner, shop.page("models", "v1/"))
    assert "Significantly worse than the active model: nDCG@10 0.0310 against 0.0520." in pages["en"]
    assert "Significantly worse than the active model for language zh (61 users)" in pages["en"]
    assert "显著差于在用模型：nDCG@10 为 0.0310，对方为 0.0520。" in pages["zh-hans"]
    assert "对语言 zh（61 个用户）显著差于在用模型" in pages["zh-hans"]


def test_a_finished_run_has_its_reasons_in_the_readers_language(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("models", "train/"))
    reasons = [DecisionReason("few_cases", {"cases": 7, "min_cases": 20}).to_json()]
    finish_jobs(shop, "succeeded", outcome={"version": 1, "reasons": reasons}, reason="Only 7 profiles ..")
    owner.cookies["django_language"] = "zh-hans"
    assert "只有 7 个用户可用于评估，至少需要 20 个。" in owner.get(shop.page("models")).content.decode()


def test_slices_live_rates_and_drift_are_shown(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.04)
    observe(shop)
    page, overview = (page_text(owner, shop.page("models", path)) for path in ("v1/", ""))
    for shown in (
        ">new profiles<",
        ">country FR<",
        ">Dismissed<",
        ">4.00%<",
        ">Hours of the day<",
        ">0.31<",
        "Drifted",
    ):
        assert shown in page
    assert "Drifted" in overview


def test_a_foreign_job_is_404(shop: Workspace, owner: Any, stranger: Any, bare: Workspace) -> None:
    owner.post(shop.page("models", "train/"))
    path = f"models/job/{_newest(shop).id}/"
    assert stranger.get(f"/t/{bare.slug}/{path}").status_code == 404


def _active(shop: Workspace) -> int | None:
    with scope(shop.ref, actor=ACTOR) as s:
        return registry.get_active_number(s)


def test_a_model_page_shows_the_effect_of_quantization(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.04)
    page = page_text(owner, shop.page("models", "v1/"))
    assert "0.071 (-0.4%)" in page
    assert "640 profiles" in page
    assert "7.6\xa0MB" in page
    assert "1.9\xa0MB" in page
    assert page.count("not quantized") == 1
    assert "v41" in page
    owner.cookies["django_language"] = "zh-hans"
    assert "量化前后模型的大小" in owner.get(shop.page("models", "v1/")).content.decode()


def test_a_model_page_shows_the_tuned_hyper_parameters(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.04)
    page = page_text(owner, shop.page("models", "v1/"))
    assert "<code>regularisation</code>61.5" in page
    assert "the defaults" in page


def test_tuning_is_limited_by_the_plan(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("models", "train/"), {"tune": "1"})
    assert _newest(shop).parameters == {"profile": "fast", **limit_tuning_parameters("growth")}


def test_a_model_page_shows_the_ndcg_without_each_model(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.04)
    page = page_text(owner, shop.page("models", "v1/"))
    assert "nDCG@10 without it" in page
    assert ">0.021<" in page


def test_an_excluded_model_has_a_reason_in_the_readers_language(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.04)
    pages = {}
    for language in ("en", "zh-hans"):
        owner.cookies["django_language"] = language
        pages[language] = page_text(owner, shop.page("models", "v1/"))
    assert "Excluded: the blend is as good without it." in pages["en"]
    assert "未启用：没有它，融合效果同样好。" in pages["zh-hans"]
