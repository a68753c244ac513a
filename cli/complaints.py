"""What went wrong, for a person: clear lines on stderr and an exit code that scripts can use, never a traceback."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from typer import Exit
from typer.core import TyperGroup

DONE = 0
ENDED_WITH_FAILURES = 1
WRONG_CALL = 2
NOT_REACHABLE = 3
INTERRUPTED = 130

HTTP_SERVER_ERRORS = 500


class Complaint(Exception):  # noqa: N818 - the word for it; it is not always an error of the program
    """Lines to print and the exit code that goes with them."""

    def __init__(self, *lines: str, exit_code: int = WRONG_CALL) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.exit_code = exit_code


def not_reachable(*lines: str) -> Complaint:
    """Answer a complaint about something that can't be reached: exit code 3."""
    return Complaint(*lines, exit_code=NOT_REACHABLE)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to stderr, the first marked as the error."""
    for number, line in enumerate(lines):
        sys.stderr.write(f"error: {line}\n" if number == 0 else f"  {line}\n")


class Group(TyperGroup):
    """A group of commands that turns every expected error into lines and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as typer has it
        """Run the command; raises Exit with the code of the complaint."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read our output (head, less) has seen enough.
            sys.stderr.close()
            raise Exit(DONE) from None
        except Exception as error:
            complaint = as_complaint(error)
            if complaint is None:
                raise
            print_lines(complaint.lines)
            raise Exit(complaint.exit_code) from None


def as_complaint(error: Exception) -> Complaint | None:
    """Give the complaint that an error amounts to; none for an error of the program itself."""
    if isinstance(error, Complaint):
        return error
    # Told by their names: importing what defines them would cost every call the start of httpx and Kafka's client.
    complain = _EXPECTED.get(type(error).__name__)
    return None if complain is None else complain(error)


def _refused(error: Any) -> Complaint:  # noqa: ANN401 - serving.client.ServiceError, not imported here
    code = NOT_REACHABLE if error.status >= HTTP_SERVER_ERRORS else WRONG_CALL
    return Complaint(str(error), *error.lines(), exit_code=code)


def _no_service(error: Any) -> Complaint:  # noqa: ANN401 - serving.client.Unreachable
    return not_reachable(f"{error}", "Is the stack running? `planshift status` says; `planshift up` starts it.")


def _no_stack(error: Any) -> Complaint:  # noqa: ANN401 - standalone.problems.StackProblem
    return Complaint(str(error), exit_code=error.exit_code)


def _no_kafka(error: Any) -> Complaint:  # noqa: ANN401 - one of aiokafka's errors
    return not_reachable(f"Kafka is not reachable: {error}")


def _bad_input(error: Any) -> Complaint:  # noqa: ANN401 - an error that names everything that is wrong
    return Complaint(*str(error).splitlines())


_EXPECTED: dict[str, Callable[[Any], Complaint]] = {
    "ServiceError": _refused,
    "Unreachable": _no_service,
    "StackProblem": _no_stack,
    "KafkaConnectionError": _no_kafka,
    "KafkaTimeoutError": _no_kafka,
    "BadSettings": _bad_input,
    "NoToken": _bad_input,
    "SourceNameError": _bad_input,
}
