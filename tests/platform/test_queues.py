"""A worker consumes the queues of the regions it serves, and no others."""

from __future__ import annotations

from celery import signals

from lepton_platform.celery import PLATFORM_QUEUE, app, region_queue


def test_a_worker_consumes_only_the_queues_of_its_served_regions(settings):
    settings.LEPTON_SERVED_REGIONS = ("eu",)
    signals.celeryd_init.send(sender="worker@test", instance=None, conf=app.conf, options={})
    try:
        assert set(app.amqp.queues.consume_from) == {PLATFORM_QUEUE, region_queue("eu")}
    finally:
        del app.amqp.queues


def test_every_region_has_a_queue(settings):
    assert {region_queue(code) for code in settings.LEPTON_REGIONS} <= set(app.amqp.queues)
