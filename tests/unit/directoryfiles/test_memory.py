"""Memory doesn't grow with the number of users."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
MOST_GROWTH = 1.10
GENERATE = """
import resource, sys
from pathlib import Path
from directoryfiles.generate import write_directory
write_directory(Path(sys.argv[1]), users=int(sys.argv[2]), seed=1, form=None, progress=lambda _: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
CHECK = """
import resource, sys
from pathlib import Path
from directoryfiles.publish import check_files
files = Path(sys.argv[1])
work = files.with_name("work")
bad = []
result = check_files([files], work_folder=work, progress=lambda *_: None, on_bad_row=bad.append)
assert not bad and result.rows > int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _highest_kib(program: str, folder: Path, users: int) -> int:
    arguments = [sys.executable, "-c", program, str(folder / f"made-{users}"), str(users)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_making_and_checking_more_users_needs_no_more_memory(tmp_path: Path) -> None:
    for program in (GENERATE, CHECK):
        small = _highest_kib(program, tmp_path, 30_000)
        large = _highest_kib(program, tmp_path, 120_000)
        assert large <= small * MOST_GROWTH
