"""The Django app of the model registry."""

from django.apps import AppConfig


class RecommenderConfig(AppConfig):
    """Holds `recommender.models`."""

    name = "recommender"
    label = "recommender"
    default_auto_field = "django.db.models.BigAutoField"
