"""The ports of a local stack, all on 127.0.0.1."""

import os
import socket
from typing import NamedTuple

import psutil

from standalone.problems import wrong_call

_DEFAULT_FIRST = 18400
_LAST_PORT = 65535
_VARIABLE = "PLANSHIFT_FIRST_PORT"


class Ports(NamedTuple):
    """One port for each part; `engines` has as many as there are engine processes."""

    wizard: int
    tracker: int
    kafka: int
    kafka_controller: int
    postgres: int
    engines: tuple[int, ...]

    @classmethod
    def from_environment(cls, engines: int) -> "Ports":
        """Consecutive ports from PLANSHIFT_FIRST_PORT (default 18400); raises StackProblem if that isn't a port."""
        text = os.environ.get(_VARIABLE, str(_DEFAULT_FIRST))
        highest = _LAST_PORT - len(cls._fields) - engines
        if not text.isdigit() or not 1 <= int(text) <= highest:
            raise wrong_call(f"{_VARIABLE} is {text!r}, and has to be a number from 1 to {highest}.")
        return cls._of(list(range(int(text), int(text) + len(cls._fields) - 1 + engines)))

    @classmethod
    def free(cls, engines: int = 1) -> "Ports":
        """Ports that the system says are free now."""
        sockets = [socket.socket() for _ in range(len(cls._fields) - 1 + engines)]
        try:
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            return cls._of([each.getsockname()[1] for each in sockets])
        finally:
            for each in sockets:
                each.close()

    @classmethod
    def _of(cls, ports: list[int]) -> "Ports":
        wizard, tracker, kafka, controller, postgres, *engines = ports
        return cls(wizard, tracker, kafka, controller, postgres, tuple(engines))


def check_free(ports: dict[str, int]) -> None:
    """Raise a StackProblem that names every port that is taken, by its part, and who has it if that can be seen."""
    taken = [f"{port} ({part}{_holder(port)})" for part, port in ports.items() if not _is_free(port)]
    if taken:
        raise wrong_call(
            f"Taken by other programs: port {', '.join(taken)}. "
            f"End them, or set {_VARIABLE} to the first of a row of free ports."
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port whose last connections are still fading away is free: the servers bind it in the same way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
        listening = (each for each in connections if each.status == psutil.CONN_LISTEN and each.laddr)
        pid = next(each.pid for each in listening if tuple(each.laddr)[1:2] == (port,) and each.pid)
        return f", held by {psutil.Process(pid).name()}, process {pid}"
    except (psutil.Error, StopIteration):
        return ""
