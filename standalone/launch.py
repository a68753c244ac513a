"""Become one part of the stack: tie its life to the supervisor's, give up root if asked, then run its program.

Runs as a script in an interpreter without site-packages, so it may import nothing but the standard library:
`python -I -S launch.py PARENT_PID DEATH_SIGNAL USER PROGRAM [ARGUMENT …]`; USER is empty to stay who we are.
The program replaces this process, so its pid is the part's.
"""

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = "/"
    os.environ["USER"] = user


def _die_with(parent: int, death_signal: int) -> None:
    # Linux forgets the wish when the user changes, so this comes after _become.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        # The supervisor died before the wish was made: nobody would end us.
        os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Replace this process by the program; raises OSError if it can't be run."""
    parent, death_signal, user, *command = arguments
    if user:
        _become(user)
    _die_with(int(parent), int(death_signal))
    os.execvp(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
