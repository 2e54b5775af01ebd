"""Claims of a user's file, judged in a process that may hang or crash without harm to the others.

``python -m implicit_bias.claims.isolated`` is that process. It is given the verdicts found so far on its
standard input, and writes one line of JSON for each step: the claims, the id of the claim whose check begins, and its
verdict. A timer of the interpreter ends it when one check takes too long, and says where it was. When all claims have
verdicts, it gives changed statements to the checks that decided, each in a copy of the process.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any

from implicit_bias.claims.broken import raised
from implicit_bias.claims.changes import Changes
from implicit_bias.claims.claim import Claim
from implicit_bias.claims.ledger import Ledger
from implicit_bias.claims.paper import Paper
from implicit_bias.claims.tried_changes import changed_statements, tried
from implicit_bias.claims.verdict import Outcome, Verdict
from implicit_bias.errors import InputError, MissingPackageError

SECONDS_BETWEEN_LOOKS = 0.2  # at whether the process has ended, although its pipe is open
SECONDS_OF_GRACE = 10.0  # for a process whose own timer should have ended it, before it is killed


class SourceError(InputError):
    """A user's file could not be imported; the notes hold its traceback."""


def judge_source(
    source: str,
    seconds: float,
    says: Callable[[str], None] = lambda line: None,
    *,
    importing: float = 120.0,
    changing: float = 0.0,
) -> Ledger:
    """Judge all claims of a file or a package, each after those that it uses.

    A claim whose check raises an error, returns no verdict, takes too long or ends its process is INCONCLUSIVE, with
    what happened in its verdict; the others go on. A check that decided is also given small changes of the
    statement, if that holds formulas.

    Args:
        source: A Python file, the folder of a package, or the name of a module that can be imported.
        seconds: How long one check may take by the clock.
        says: Called with a line that says what is done now.
        importing: How many seconds the import of the file may take.
        changing: How many seconds the changes of one statement may take, all together; none are tried for 0.

    Returns:
        A ledger with verdicts; its claims come without their checks.

    Raises:
        InputError: If there is no such file, or no claim in it, or its claims make no ledger.
        SourceError: If it cannot be imported.
        RuntimeError: If the process fails outside of the file and its checks: a bug of this library.
    """
    found: dict[str, Verdict] = {}
    limits = [str(seconds), str(importing), str(changing)]
    while True:
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as stuck,
            _started([source, *limits, str(stuck.fileno())], found, stuck) as process,
        ):
            ledger, begun, changing_of, is_stuck = _followed(process, found, says, importing, seconds)
            stuck.seek(0)
            where = stuck.read()
        if begun is not None:
            found[begun] = _ended(process.returncode, seconds, where, is_stuck)
        elif changing_of is not None:  # it ended the process around its copy
            name, number = changing_of
            found[name] = replace(found[name], changes=Changes(number, undecided=number))
        elif ledger is not None:
            return Ledger(ledger.values(), found, papers=ledger.papers).dated()
        else:
            raise _source_error(f"{source} cannot be imported: its process ended with {process.returncode}.", where)


def _followed(
    process: subprocess.Popen[bytes],
    found: dict[str, Verdict],
    says: Callable[[str], None],
    importing: float,
    seconds: float,
) -> tuple[Ledger | None, str | None, tuple[str, int] | None, bool]:
    """Read what the process writes.

    A check may stop the process, or its timer, so each step has a deadline here as well.

    Returns:
        Its claims, the one at whose check it ended, the one at whose changes it ended and their number, and whether it
        had to be killed.
    """
    ledger, begun, changing = None, None, None
    deadline = time.monotonic() + importing + SECONDS_OF_GRACE
    for message in _messages(process):
        if time.monotonic() > deadline:
            _kill(process)
            return ledger, begun, changing, True
        match message:
            case {"error": str() as text, "traceback": str() as where}:
                raise _source_error(text, where) if where else InputError(text)
            case {"bug": str() as text}:
                raise RuntimeError(f"The process that judges claims failed, and no check is to blame:\n{text}")
            case {"claims": dict() as described, "papers": list() as papers}:
                claims = [Claim.read(name, each) for name, each in described.items()]
                ledger = Ledger(claims, papers=map(Paper.read, papers))
            case {"begins": str() as begun}:
                says(f"{len(found) + 1} of {len(ledger or ())}: {begun}")
            case {"verdict": saved, "on": str() as name}:
                found[name], begun = Verdict.read(saved), None
            case {"changes": saved, "on": str() as name}:
                found[name], changing = replace(found[name], changes=Changes.read(saved)), None
            case {"changing": str() as name, "number": int() as number}:
                changing = name, number
                says(f"Changing the statement of {name}")
            case _:
                continue
        deadline = time.monotonic() + seconds + SECONDS_OF_GRACE
    return ledger, begun, changing, False


def _source_error(text: str, where: str) -> SourceError:
    error = SourceError(text)
    if where:
        error.add_note(where)
    return error


def _messages(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    """The lines of JSON until the process has ended, and None now and then where there is no line.

    A process that it left behind may keep the pipe open.
    """
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    pipe, waiting = process.stdout.fileno(), b""
    while True:
        has_ended = process.poll() is not None
        if select.select([pipe], [], [], 0 if has_ended else SECONDS_BETWEEN_LOOKS)[0]:
            read = os.read(pipe, 65536)
            *lines, waiting = (waiting + read).split(b"\n")
            for line in lines:
                with suppress(ValueError):  # a check may write into the pipe; what it spoils is judged as not finished
                    yield json.loads(line)
            if read:
                continue
            while process.poll() is None:  # it has closed the pipe, or has become another program
                time.sleep(SECONDS_BETWEEN_LOOKS)
                yield None
            return
        if has_ended:
            return
        yield None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the group of the process, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _started:  # noqa: N801 - reads as a word in a with statement
    """The process, whose group is ended in any case."""

    def __init__(self, arguments: list[str], found: Mapping[str, Verdict], stuck: IO[str]) -> None:
        command = [sys.executable, "-m", __name__, *arguments]
        self.process = subprocess.Popen(  # noqa: S603 - our own module, and a file that the user names
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(stuck.fileno(),),
            start_new_session=True,
        )
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        with suppress(BrokenPipeError):  # it may have ended at once
            self.process.stdin.write(json.dumps({name: verdict.describe() for name, verdict in found.items()}).encode())
            self.process.stdin.close()

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_: object) -> None:
        _kill(self.process)
        if self.process.stdout is not None:
            self.process.stdout.close()


def _ended(code: int, seconds: float, where: str, is_stuck: bool) -> Verdict:
    if where or is_stuck:
        evidence = f"The check took longer than {seconds:g} seconds and was stopped."
    elif code < 0:
        evidence = f"The process of the check was ended by {signal.Signals(-code).name}."
    else:
        evidence = f"The process of the check ended with code {code} before a verdict."
    return Verdict(Outcome.INCONCLUSIVE, evidence, traceback=where)


def papers_and_claims(source: str) -> tuple[list[Paper], list[Claim]]:
    """The papers of a file or a package, and the claims: theirs, and those that stand in its modules alone.

    Claims that they use from elsewhere in the package around them come along.

    Args:
        source: A Python file, the folder of a package, or the name of a module that can be imported.

    Raises:
        InputError: If there is no such file or module, or no claim in it.
    """
    modules = _modules(source)
    papers, claims = _defined(modules)
    if not claims:
        raise InputError(
            f"{source}: expected claims, found none; write them with @paper.claim below paper = ib.Paper(…)."
        )
    around = modules[0].__name__.partition(".")[0]
    if around != modules[0].__name__:
        further, known = _defined(_imported(around))
        waiting = [name for claim in claims.values() for name in claim.uses]
        while waiting:
            name = waiting.pop()
            if name in known and name not in claims:
                claims[name] = known[name]
                waiting += known[name].uses
        papers += [paper for paper in further if paper not in papers and any(c.id in claims for c in paper.claims)]
    return papers, list(claims.values())


def _defined(modules: list[ModuleType]) -> tuple[list[Paper], dict[str, Claim]]:
    """The papers that stand in some modules, and by id their claims and those that stand there alone."""
    values = [value for module in modules for value in vars(module).values()]
    papers = list({id(value): value for value in values if isinstance(value, Paper)}.values())
    claims = {claim.id: claim for paper in papers for claim in paper.claims}
    for value in values:
        if isinstance(value, Claim):
            claims.setdefault(value.id, value)
    return papers, claims


def _modules(source: str) -> list[ModuleType]:
    """A module, or the modules of a package."""
    path = Path(source)
    if not source.strip():
        raise InputError("expected a Python file, a folder of a package or the name of a module, got an empty name.")
    if path.is_file():
        sys.path.insert(0, str(path.resolve().parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise InputError(f"{source}: expected a Python file, which ends in .py.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return [module]
    name = source
    if path.is_dir():
        folder = path.resolve()
        name = folder.name
        while (folder.parent / "__init__.py").exists():  # a package inside another one is imported as a part of it
            folder = folder.parent
            name = f"{folder.name}.{name}"
        sys.path.insert(0, str(folder.parent))
    elif importlib.util.find_spec(source.partition(".")[0]) is None:
        raise InputError(
            f"{source}: expected a Python file, a folder of a package or the name of a module; found none."
        )
    return _imported(name)


def _imported(name: str) -> list[ModuleType]:
    """A module with all that are inside it."""
    package = importlib.import_module(name)
    inside = pkgutil.walk_packages(package.__path__, f"{name}.") if hasattr(package, "__path__") else ()
    names = sorted(each.name for each in inside if not each.name.endswith(".__main__"))
    return [package, *map(importlib.import_module, names)]


def main(source: str, seconds: float, importing: float, changing: float, stuck: int) -> None:
    """Judge the claims on which no verdict is given, and write each step as a line of JSON.

    Args:
        source: The file or package.
        seconds: How long one check may take.
        importing: How long the import may take.
        changing: How long the changes of one statement may take; none are tried for 0.
        stuck: The descriptor of the file that says where a check was which took too long.
    """
    # What a check prints goes to the terminal's error output; the lines of JSON have the pipe for themselves.
    pipe, owner = os.dup(1), os.getpid()
    os.dup2(2, 1)

    def say(**message: object) -> None:
        if os.getpid() != owner:  # a process that a check forked and that has come out of it
            os._exit(0)
        line = (json.dumps(message) + "\n").encode()
        while line:
            line = line[os.write(pipe, line) :]

    found = {name: Verdict.read(each) for name, each in json.load(sys.stdin).items()}
    faulthandler.dump_traceback_later(importing, exit=True, file=stuck)
    try:
        papers, claims = papers_and_claims(source)
        ledger = Ledger(claims, papers=papers)
    except InputError as error:
        say(error=str(error), traceback="")
        return
    except Exception as error:
        text = "".join(traceback.format_exception(type(error), error, _of_source(error)))
        say(error=f"{source} cannot be imported: {type(error).__name__}: {error}", traceback=text)
        return
    try:
        say(
            claims={name: claim.describe() for name, claim in ledger.items()},
            papers=[paper.describe() for paper in ledger.papers],
        )
        for name in [name for name in ledger if name not in found]:
            say(begins=name)
            faulthandler.dump_traceback_later(seconds, exit=True, file=stuck)
            found[name] = _judged(ledger, name, found)
            say(verdict=found[name].describe(), on=name)
        faulthandler.cancel_dump_traceback_later()
        for name in [name for name in ledger if changing > 0 and found[name].decides and found[name].changes is None]:
            mutants = changed_statements(ledger[name])
            if mutants:
                begins = partial(say, changing=name, number=len(mutants))
                changes = tried(
                    ledger[name], found[name], mutants, ledger.verdicts_for(name, found), seconds, changing, begins
                )
                say(changes=changes.describe(), on=name)
    except Exception:  # a bug of ours, which must not look like a check that ended the process
        say(bug=traceback.format_exc())
        raise


def _of_source(error: Exception) -> TracebackType | None:
    """The traceback from where the source was entered on; it is missing where that was not even read."""
    found = error.__traceback__
    while found is not None and (
        found.tb_frame.f_code.co_filename == __file__ or "importlib" in found.tb_frame.f_code.co_filename
    ):
        found = found.tb_next
    return found


def _judged(ledger: Ledger, name: str, found: Mapping[str, Verdict]) -> Verdict:
    """The verdict on a claim; one that misuses a refuted claim, or cannot be written down, is INCONCLUSIVE, too."""
    try:
        verdict = ledger.judged(name, found)
    except (InputError, MissingPackageError) as error:
        text = "".join(traceback.format_exception(error))
        return Verdict(Outcome.INCONCLUSIVE, str(error), traceback=text)
    except BaseException as error:
        if isinstance(error, Exception):  # a bug of ours
            raise
        return raised(error, ledger[name].check)  # nobody but the check interrupts this process
    try:
        json.dumps(verdict.describe(), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        return raised(error, ledger[name].check)
    return verdict


if __name__ == "__main__":
    source, seconds, importing, changing, stuck = sys.argv[1:]
    main(source, float(seconds), float(importing), float(changing), int(stuck))
