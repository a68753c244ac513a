"""What can go wrong with the local stack, each as one line for a person."""

WRONG_CALL = 2
"""Exit code: something about the call or the machine has to change first."""

NOT_REACHABLE = 3
"""Exit code: something outside could not be reached or did not come up."""

ENDED_WITH_FAILURES = 1
"""Exit code: it ran, and then a part died for good."""


class StackProblem(Exception):  # noqa: N818 - the word of the command line, which prints it as such
    """One clear line about why the stack does not run, and the exit code that goes with it."""

    def __init__(self, line: str, exit_code: int) -> None:
        super().__init__(line)
        self.line = line
        self.exit_code = exit_code


def wrong_call(line: str) -> StackProblem:
    """Answer a problem that the caller has to solve: exit code 2."""
    return StackProblem(line, WRONG_CALL)


def not_reachable(line: str) -> StackProblem:
    """Answer a problem of something that does not come up: exit code 3."""
    return StackProblem(line, NOT_REACHABLE)


def died_for_good(line: str) -> StackProblem:
    """Answer the end of a running stack by one of its parts: exit code 1."""
    return StackProblem(line, ENDED_WITH_FAILURES)
