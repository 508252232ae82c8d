from tests.training.conftest import noise, order, walkers

__all__ = ["noise", "order", "walkers"]
