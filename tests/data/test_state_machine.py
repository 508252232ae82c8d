"""Operations in any order agree with the reference model: ingest, merge, train, publish, roll back, erase, export, retention."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.data.state_machine import TenantStateMachine


@pytest.mark.timeout(3600)
@pytest.mark.proof(row=26)
def test_any_order_of_operations_agrees_with_the_reference(make_tenant, actor, scale, figure):
    class RecordedStateMachine(TenantStateMachine):
        examples = steps = 0

        def open(self):
            type(self).examples += 1
            return make_tenant()

        def check_invariants(self, *args, **kwargs):
            type(self).steps += 1
            return super().check_invariants(*args, **kwargs)

    RecordedStateMachine.actor = actor
    run_state_machine_as_test(
        RecordedStateMachine,
        settings=settings(
            max_examples=scale(10, 150),
            stateful_step_count=scale(25, 40),
            derandomize=scale(1, 0) == 1,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert figure(
        "steps of the state machine that agreed",
        RecordedStateMachine.steps,
        passes=RecordedStateMachine.steps > 50,
    )
