from django.apps import AppConfig


class DataConfig(AppConfig):
    name = "tenants.data"
    label = "data"
    verbose_name = "Tenant data"
