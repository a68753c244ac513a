"""The services and plans of a made-up directory."""

from typing import NamedTuple


class MadePlan(NamedTuple):
    """A plan: its features and quotas, the limit of generated packages, and its share of the service's users."""

    plan: str
    name: str
    features: dict[str, str]
    quotas: dict[str, int]
    default_seat_limit: int | None
    share: float


class MadeService(NamedTuple):
    """A service: its connector with options, its plans from the smallest to the largest, and its share of all users."""

    service: str
    name: str
    connector: str
    options: dict[str, str]
    plans: tuple[MadePlan, ...]
    share: float


EXCHANGE = MadeService(
    "hosted-exchange",
    "Hosted Exchange",
    "internal",
    {},
    (
        MadePlan("bronze", "Bronze", {"webmail": "Outlook on the web"}, {"mailbox-mb": 2048}, None, 0.30),
        MadePlan(
            "silver",
            "Silver",
            {"webmail": "Outlook on the web", "mobile": "ActiveSync"},
            {"mailbox-mb": 10240},
            None,
            0.35,
        ),
        MadePlan(
            "gold",
            "Gold",
            {"webmail": "Outlook on the web", "mobile": "ActiveSync", "archive": "In-place archive"},
            {"mailbox-mb": 51200, "archive-mb": 51200},
            None,
            0.25,
        ),
        MadePlan(
            "platinum",
            "Platinum",
            {
                "webmail": "Outlook on the web",
                "mobile": "ActiveSync",
                "archive": "In-place archive",
                "hold": "Litigation hold",
            },
            {"mailbox-mb": 102400, "archive-mb": 204800},
            None,
            0.10,
        ),
    ),
    0.95,
)

SHAREPOINT = MadeService(
    "hosted-sharepoint",
    "Hosted SharePoint",
    "internal",
    {},
    (
        MadePlan("team", "Team", {"sites": "One team site"}, {"storage-mb": 5120}, 500, 0.6),
        MadePlan("business", "Business", {"sites": "Any number of sites"}, {"storage-mb": 51200}, 500, 0.3),
        MadePlan(
            "enterprise",
            "Enterprise",
            {"sites": "Any number of sites", "search": "Enterprise search"},
            {"storage-mb": 512000},
            None,
            0.1,
        ),
    ),
    0.15,
)

MOBILE = MadeService(
    "mobile-devices",
    "Mobile Device Management",
    "simulated",
    {"refuse_percent": "3", "seed": "mobile", "refuse_packages_percent": "2"},
    (
        MadePlan("basic", "Basic", {"wipe": "Remote wipe"}, {"devices": 1}, None, 0.7),
        MadePlan("plus", "Plus", {"wipe": "Remote wipe", "apps": "Managed apps"}, {"devices": 5}, None, 0.3),
    ),
    0.10,
)

SERVICES = (EXCHANGE, SHAREPOINT, MOBILE)
