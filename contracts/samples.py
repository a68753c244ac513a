"""One realistic event of each type: what the frozen examples were made from when a type was new.

They tell one story: Northwind's users move from Gold to Platinum of Hosted Exchange.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import directory, provisioning, requests
from contracts.codec import EVENT_BY_TYPE, TOPIC_BY_TYPE
from contracts.envelope import ENGINE_SOURCE, IMPORT_SOURCE, WIZARD_SOURCE, AnyEnvelope, wrap
from contracts.reasons import ProblemCode, UserReason
from contracts.requests import Mapping, Seen, Selection, UserRef
from contracts.statuses import Outcome, RequestStatus
from contracts.topics import DIRECTORY, REQUESTS

_START = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
_REVISION = 1_772_409_600_000_000
_REQUEST = "mr-20260302-0001"
_CUSTOMER = "northwind"
_SERVICE = "hosted-exchange"
_HASH = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
_GOLD_TO_PLATINUM = Mapping(from_plan="gold", to_plan="platinum")


def _directory_events() -> list[Any]:
    at = {"revision": _REVISION}
    package = {"customer": _CUSTOMER, "service": _SERVICE, "plan": "gold"}
    user = {"customer": _CUSTOMER, "user": "u-000042"}
    return [
        directory.ResellerRegistered(**at, reseller="alpine-it", name="Alpine IT", parent="provider"),
        directory.CustomerRegistered(**at, customer=_CUSTOMER, reseller="alpine-it", name="Northwind Traders"),
        directory.CustomerRemoved(**at, customer="fabrikam"),
        directory.ServiceDefined(**at, service=_SERVICE, name="Hosted Exchange"),
        directory.UserPlanDefined(
            **at,
            service=_SERVICE,
            plan="platinum",
            name="Platinum",
            features={"archive": "In-place archive", "mobile": "ActiveSync"},
            quotas={"mailbox-mb": 102_400},
            default_seat_limit=500,
        ),
        directory.PackageProvisioned(**at, **package, seat_limit=250),
        directory.PackageRemoved(**at, **package),
        directory.UserRegistered(**at, **user, name="Ada Lovelace", email="ada.lovelace@northwind.example"),
        directory.UserRemoved(**at, **user),
        directory.UserPlanAssigned(**at, **user, service=_SERVICE, plan="gold"),
        directory.UserPlanUnassigned(**at, **user, service=_SERVICE),
    ]


def _requested() -> requests.MigrationRequested:
    return requests.MigrationRequested(
        request=_REQUEST,
        name="Gold to Platinum, spring 2026",
        description="Northwind and Contoso move to the new mailbox size.",
        service=_SERVICE,
        mappings=(_GOLD_TO_PLATINUM,),
        selection=Selection(
            all_users=True,
            customers=(_CUSTOMER, "contoso"),
            excluded_users=(UserRef(customer=_CUSTOMER, user="u-000007"),),
        ),
        generate_missing_packages=True,
        requested_by="operator@provider.example",
        reference="crm-4711",
        seen=Seen(users=240, customers=2, directory_position={"0": 1200, "1": 1187}),
        start_at=_START + timedelta(hours=12),
    )


def _request_events() -> list[Any]:
    word = {"request": _REQUEST, "by": "operator@provider.example"}
    return [
        requests.MigrationSelectionPart(
            request=_REQUEST,
            part=1,
            list="users",
            users=(UserRef(customer=_CUSTOMER, user="u-000042"), UserRef(customer="contoso", user="u-000001")),
        ),
        _requested(),
        requests.MigrationApproved(**word, manifest_hash=_HASH),
        requests.MigrationDeclined(**word, why="Contoso asked to wait."),
        requests.MigrationConfirmed(**word, manifest_hash=_HASH),
        requests.MigrationPauseRequested(**word, why="The help desk is busy."),
        requests.MigrationResumeRequested(**word),
        requests.MigrationCancelRequested(**word, why="Wrong plan."),
        requests.MigrationRetryRequested(**word, reasons=("refused-by-connector",)),
        requests.MigrationSettingsChanged(**word, rate_users_per_second=200, priority=7),
    ]


def _planning_events() -> list[Any]:
    of = {"request": _REQUEST}
    return [
        provisioning.MigrationRejected(
            **of,
            problems=(
                provisioning.Problem(
                    code=ProblemCode.PLAN_UNKNOWN,
                    pointer="/mappings/0/to_plan",
                    detail="The service hosted-exchange has no plan diamond.",
                ),
            ),
            problem_count=1,
        ),
        provisioning.MigrationCommandRefused(
            **of, command="pause", by="operator@provider.example", state="Provisioned", detail="It has ended."
        ),
        provisioning.MigrationPlanningStarted(
            **of, mode="execute", service=_SERVICE, mappings=(_GOLD_TO_PLATINUM,), generate_missing_packages=True
        ),
        provisioning.BatchPlanned(
            **of,
            customer=_CUSTOMER,
            batch=0,
            service=_SERVICE,
            from_plan="gold",
            to_plan="platinum",
            users=("u-000041", "u-000042"),
            revision=_REVISION,
            revisions={"1": _REVISION + 5_000_000},
            hash=_HASH,
        ),
        provisioning.UsersExcluded(
            **of, customer=_CUSTOMER, number=0, reason=UserReason.NOT_ON_SOURCE_PLAN, users=("u-000003",)
        ),
        _planned(),
        provisioning.MigrationConfirmationRequired(
            **of, seen_users=240, found_users=301, tolerance_percent=1.0, manifest_hash=_HASH
        ),
        provisioning.MigrationPending(**of, start_at=_START + timedelta(hours=12)),
        provisioning.MigrationStarted(**of, planned=240),
        provisioning.MigrationEndedByDecline(**of, by="approver@provider.example", why="Contoso asked to wait."),
    ]


def _planned() -> provisioning.MigrationPlanned:
    return provisioning.MigrationPlanned(
        request=_REQUEST,
        mode="execute",
        selected=243,
        planned=240,
        excluded=3,
        excluded_by_reason={UserReason.NOT_ON_SOURCE_PLAN: 1, UserReason.SEAT_LIMIT_REACHED: 2},
        customers=2,
        batches=2,
        packages=(provisioning.PackagePlanned(plan="platinum", customers=1),),
        hash=_HASH,
        planned_last_sequence={"3": 118, "11": 97},
    )


def _execution_events() -> list[Any]:
    of = {"request": _REQUEST, "customer": _CUSTOMER}
    user = {
        **of,
        "user": "u-000042",
        "batch": 0,
        "position": 1,
        "attempt": 1,
        "service": _SERVICE,
        "from_plan": "gold",
        "to_plan": "platinum",
    }
    return [
        provisioning.WaveOpened(request=_REQUEST, wave=1),
        provisioning.PackageGenerated(**of, service=_SERVICE, plan="platinum", seat_limit=500, revision=_REVISION),
        provisioning.PackageGenerationFailed(**of, service=_SERVICE, plan="platinum", detail="Refused by simulation."),
        provisioning.UserMigrated(**user, revision=_REVISION),
        provisioning.UserMigrationFailed(
            **user, reason=UserReason.REFUSED_BY_CONNECTOR, detail="Refused by simulation.", transient=False
        ),
        provisioning.UserMigrationSkipped(**user, reason=UserReason.PLAN_CHANGED, detail="The user is on silver now."),
        provisioning.UserMigrationCancelled(**user),
        provisioning.BatchFinished(
            **of,
            batch=0,
            attempt=1,
            migrated=1,
            failed=1,
            skipped=0,
            cancelled=0,
            not_migrated=(
                provisioning.NotMigrated(position=1, outcome=Outcome.FAILED, reason=UserReason.REFUSED_BY_CONNECTOR),
            ),
        ),
        provisioning.BatchReopened(**of, batch=0, attempt=2, positions=(1,)),
    ]


def _closing_events() -> list[Any]:
    word = {"request": _REQUEST, "by": "operator@provider.example", "why": "The help desk is busy."}
    return [
        provisioning.MigrationPaused(**word),
        provisioning.MigrationResumed(**word),
        provisioning.MigrationFinished(
            request=_REQUEST,
            status=RequestStatus.PARTIALLY_PROVISIONED,
            planned=240,
            migrated=239,
            failed=1,
            skipped=0,
            cancelled=0,
            packages_generated=1,
            last_sequence={"3": 240, "11": 218},
        ),
    ]


def _wrapped(number: int, data: Any) -> AnyEnvelope:  # noqa: ANN401 - any of the contracts' models
    """Give the event as its own writer would publish it."""
    topic = TOPIC_BY_TYPE[data.TYPE]
    time = _START + timedelta(seconds=number)
    if topic == DIRECTORY.name:
        return wrap(data, event_id=f"import-20260302/{number}", source=f"{IMPORT_SOURCE}/nightly", time=time)
    if topic == REQUESTS.name:
        return wrap(
            data, event_id=f"{_REQUEST}/w{number}", source=WIZARD_SOURCE, time=time, correlation_id=_REQUEST, sequence=7
        )
    return wrap(
        data,
        event_id=f"{_REQUEST}/e{number}",
        source=ENGINE_SOURCE,
        time=time,
        sequence=100 + number,
        correlation_id=_REQUEST,
        causation_id=f"{_REQUEST}/w1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


def sample_envelopes() -> dict[str, AnyEnvelope]:
    """Give one envelope of each event type that has a sample, by type."""
    events = [
        *_directory_events(),
        *_request_events(),
        *_planning_events(),
        *_execution_events(),
        *_closing_events(),
    ]
    numbers = {event_type: number for number, event_type in enumerate(EVENT_BY_TYPE)}
    return {data.TYPE: _wrapped(numbers[data.TYPE], data) for data in events}
