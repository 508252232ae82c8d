"""Five tenants on open data: loaded, trained, with an account and API keys. See ATTRIBUTION.md."""

from lepton_platform.demo.access import DemoCredentials
from lepton_platform.demo.installation import DemoTenant, ensure_credentials, load_demo
from lepton_platform.demo.loading import DemoError

__all__ = ["DemoCredentials", "DemoError", "DemoTenant", "ensure_credentials", "load_demo"]
