from django.apps import AppConfig


class RecommenderConfig(AppConfig):
    name = "recommender"
    label = "recommender"
    default_auto_field = "django.db.models.BigAutoField"
