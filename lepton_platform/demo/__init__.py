"""Five tenants on open data: loaded, trained, with an account and API keys. See ATTRIBUTION.md."""

from lepton_platform.demo.access import SignIn
from lepton_platform.demo.installation import DemoTenant, load, sign_in
from lepton_platform.demo.loading import DemoError

__all__ = ["DemoError", "DemoTenant", "SignIn", "load", "sign_in"]
