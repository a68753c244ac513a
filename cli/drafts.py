"""Walks the wizard's nine steps over HTTP, as a person would in the original, and says what it sees at each."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cli.complaints import ENDED_WITH_FAILURES, Complaint

if TYPE_CHECKING:
    from serving.client import Client

Tell = Callable[[int, str], None]
"""Takes the number of a step, and what was done in it."""

STEPS = 9


@dataclass(frozen=True)
class Wishes:
    """What a person would choose in the nine steps; `users_left_out` has customer and user."""

    name: str
    description: str
    service: str
    mappings: dict[str, str]
    all_customers: bool = True
    all_users: bool = True
    generate_missing_packages: bool = False
    customers_left_out: tuple[str, ...] = ()
    users_left_out: tuple[tuple[str, str], ...] = field(default=())


class Walk:
    """One draft on its way through the steps; each change is made to the version that was seen last."""

    def __init__(self, wizard: "Client", tell: Tell) -> None:
        self._wizard = wizard
        self._tell = tell
        self._draft: dict[str, Any] = {}

    def to_the_end(self, wishes: Wishes) -> str:
        """Take all nine steps; gives the request's id. Raises ServiceError, and Complaint if a step has problems."""
        self._begin()
        self._choose_plans(wishes)
        self._choose_people(wishes)
        self._put("details", {"name": wishes.name, "description": wishes.description})
        self._tell(8, f"named “{wishes.name}”")
        return self._finish()

    def _begin(self) -> None:
        self._draft = self._wizard.post("/v1/drafts", idempotency_key=secrets.token_hex(8))
        self._tell(1, f"opened the wizard: draft {self._draft['draft']}")

    def _choose_plans(self, wishes: Wishes) -> None:
        options = {
            "all_customers": wishes.all_customers,
            "all_users": wishes.all_users,
            "generate_missing_packages": wishes.generate_missing_packages,
        }
        self._put("options", options)
        chosen = [name.replace("_", " ") for name, wanted in options.items() if wanted]
        self._tell(2, "chose: " + (", ".join(chosen) or "nothing"))
        self._put("service", {"service": wishes.service})
        self._tell(3, f"service {wishes.service}")
        sources = [{"from_plan": source} for source in wishes.mappings]
        self._put("mappings", {"mappings": sources})
        self._tell(4, f"source plans: {', '.join(wishes.mappings)}")
        mappings = [{"from_plan": source, "to_plan": target} for source, target in wishes.mappings.items()]
        self._put("mappings", {"mappings": mappings})
        self._tell(5, f"destinations: {', '.join(f'{s} → {t}' for s, t in wishes.mappings.items())}")

    def _choose_people(self, wishes: Wishes) -> None:
        if wishes.customers_left_out:
            self._patch("customers", {"deselect": list(wishes.customers_left_out)})
        totals = self._draft["totals"]
        self._tell(6, f"{totals['customers_in_scope']:,} of {totals['matching_customers']:,} matching customers")
        if wishes.users_left_out:
            left_out = [{"customer": customer, "user": user} for customer, user in wishes.users_left_out]
            self._patch("users", {"deselect": left_out})
        totals = self._draft["totals"]
        self._tell(7, f"{totals['users']:,} of {totals['matching_users']:,} matching users")

    def _finish(self) -> str:
        draft = self._draft["draft"]
        review = self._wizard.get(f"/v1/drafts/{draft}/review")
        if not review["ready"]:
            problems = [f"{problem['pointer']}: {problem['detail']}" for problem in review["problems"]]
            raise Complaint("The wizard would not finish.", *problems, exit_code=ENDED_WITH_FAILURES)
        answer = self._wizard.post(f"/v1/drafts/{draft}/finish", {}, idempotency_key=secrets.token_hex(8))
        self._tell(9, f"finished: request {answer['request']}")
        return str(answer["request"])

    def _put(self, step: str, body: dict[str, Any]) -> None:
        self._change("PUT", step, body)

    def _patch(self, step: str, body: dict[str, Any]) -> None:
        self._change("PATCH", step, body)

    def _change(self, method: str, step: str, body: dict[str, Any]) -> None:
        path = f"/v1/drafts/{self._draft['draft']}/{step}"
        self._draft = self._wizard.send(method, path, body, if_match=self._draft["etag"])
