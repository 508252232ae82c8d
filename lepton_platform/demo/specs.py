"""The demo tenants. A tenant's name states which of its data is simulated, in both languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

# Separates the two languages of a name: texts are shown in the reader's language, but a tenant has one name.
_SEPARATOR = " · "


@dataclass(frozen=True)
class DemoSpec:
    """One demo tenant.

    `folder`: its tables below DATA_DIRECTORY. `events_before`: later events are skipped. `kind_weights`: training
    weights of the tenant's own event kinds.
    """

    slug: str
    folder: str
    name_en: str
    name_zh: str
    vertical: str
    region: str
    language: str
    currency: str
    time_zone: str
    simulated: bool
    example_profile: str
    events_before: datetime | None = None
    only_items_with_events: bool = False
    kind_weights: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Both names; that in the tenant's language comes first."""
        names = [self.name_en, self.name_zh]
        if self.language == "zh-hans":
            names.reverse()
        return _SEPARATOR.join(names)


SPECS: tuple[DemoSpec, ...] = (
    DemoSpec(
        slug="demo-university",
        folder="education",
        name_en="Open University courses",
        name_zh="开放大学课程",
        vertical="education",
        region="eu",
        language="en",
        currency="GBP",
        time_zone="Europe/London",
        simulated=False,
        example_profile="student-105939",
        # The autumn courses are then still running, and courses that ended long ago are gone.
        events_before=datetime(2015, 5, 1, tzinfo=UTC),
        only_items_with_events=True,
        kind_weights={"enrol": 1.0},
    ),
    DemoSpec(
        slug="demo-fashion-ads",
        folder="ads",
        name_en="Fashion ads (anonymous segments)",
        name_zh="时尚广告（匿名人群）",
        vertical="ads",
        region="us",
        language="en",
        currency="USD",
        time_zone="America/New_York",
        simulated=False,
        example_profile="segment-2a84901308",
    ),
    DemoSpec(
        slug="demo-clothing",
        folder="clothing",
        name_en="Clothing shop (simulated visitors)",
        name_zh="服装商店（模拟访客）",
        vertical="ecommerce",
        region="cn",
        language="zh-hans",
        currency="CNY",
        time_zone="Asia/Shanghai",
        simulated=True,
        example_profile="visitor-1409",
    ),
    DemoSpec(
        slug="demo-bank",
        folder="bank",
        name_en="Bank (products and views partly simulated)",
        name_zh="银行（产品与浏览部分模拟）",
        vertical="finance",
        region="eu",
        language="en",
        currency="EUR",
        time_zone="Europe/Lisbon",
        simulated=True,
        example_profile="customer-19605",
        kind_weights={"contact": 0.5, "hold": 2.0, "subscribe": 5.0},
    ),
    DemoSpec(
        slug="demo-drug-information",
        folder="drugs",
        name_en="Drug information (simulated readers)",
        name_zh="药品信息（模拟读者）",
        vertical="medical",
        region="us",
        language="en",
        currency="USD",
        time_zone="America/Chicago",
        simulated=True,
        example_profile="reader-0039",
    ),
)
