"""The documents' examples, run as they are written, in a shell that was told the demo's line."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import requests

from tests.integration import demos
from tests.integration.demos import ROOT
from tests.ports import free_port
from tests.waiting import eventually

PAGES: Final = ("README.md", "docs/api.md", "docs/cli.md")
COMMAND: Final = re.compile(r" {4}(?:\$ )?((?:OS_\S+ )?(?:curl|canary) .+|\w+=\$\(canary .+)")
REFUSED: Final = " " * 4 + "canary: "  # what the command line prints below a command that is wrong
FENCED: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENDLESS: Final = re.compile(r"curl -N|canary tail[^|]+$|stream=True")
LIMIT: Final = 60.0  # seconds for one example, most of which take one
# curl says what the status was, beside what it prints.
PRELUDE: Final = 'curl() { command curl -sS -w "%{stderr}HTTP %{http_code}\\n" "$@"; }\n'


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a page: its words, and what the page shows below it."""

    words: str
    below: str

    @property
    def is_endless(self) -> bool:
        return bool(ENDLESS.search(self.words))

    @property
    def refusal(self) -> str | None:
        """What the command line is to say of it on standard error, if it is wrong on purpose."""
        line = self.below.partition("\n")[0]
        return line.strip() if line.startswith(REFUSED) else None

    @property
    def http_status(self) -> int:
        """What the server is to answer: what is wrong on purpose is shown with its problem."""
        shown = FENCED.search(self.below)
        return 400 if shown and '"Bad Request"' in shown[2] else 200


def examples(page: str) -> list[Example]:
    text = (ROOT / page).read_text()
    code = FENCED.sub(lambda block: block[0].replace("\n    ", "\n\t"), text)  # no command there
    found = [Example(match[1], code[match.end() + 1 :]) for match in COMMAND.finditer(code)]
    return [each for each in found if not each.words.startswith("canary: ")]


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell that was told the demo's line, and where the programs are."""

    line: str
    home: Path

    def run(self, script: str, *, endless: bool) -> "subprocess.CompletedProcess[str]":
        """Run a script to its end, or until it has printed something."""
        binaries = Path(sys.executable).parent
        words = ["sh", "-c", f"{self.line}\nPATH={binaries}:$PATH\n{PRELUDE}{script}"]
        log = self.home / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(
                words,
                env={"HOME": str(self.home), "PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        try:
            if endless:
                eventually(lambda: log.stat().st_size, LIMIT, f"{script} prints")
            else:
                process.wait(LIMIT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=LIMIT)
        return subprocess.CompletedProcess(script, process.returncode, log.read_text(), errors)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Start the demo as it is, and wait until it has something of all that is asked for."""
    folder, port = tmp_path_factory.mktemp("documents"), free_port()
    demo = demos.start(folder / "demo.log", {**os.environ, "OS_SERVER__PORT": str(port)})
    try:
        told = eventually(lambda: demos.exported(demo), demos.LIMIT, "the demo prints its line")
        assert told is not None
        for outcome in ("consumed", "trashed"):
            url = f"http://127.0.0.1:{port}/v2/jobs?limit=1&outcome={outcome}"
            eventually(lambda url=url: _rows(url), demos.LIMIT, outcome)  # type: ignore[misc]
        home = folder / "home"
        home.mkdir()
        yield Shell(told, home)
    finally:
        demo.end(signal.SIGINT)


def _rows(url: str) -> list[object]:
    try:
        with requests.get(url, timeout=10) as answer:
            rows: list[object] = answer.json().get("jobs", [])
            return rows
    except requests.ConnectionError:
        return []


@pytest.mark.parametrize("page", PAGES)
def test_commands(shell: Shell, page: str) -> None:
    found = examples(page)
    assert len(found) > 5
    told = ""  # the page's variables
    for example in found:
        done = shell.run(told + example.words, endless=example.is_endless)
        report = f"{page}: {example.words}\n{done.stdout}\n{done.stderr}"
        if re.match(r"\w+=\$", example.words):
            told += f"{example.words}\n"
        if example.is_endless:
            assert done.stdout, report
        elif example.words.startswith("curl"):
            assert done.stderr == f"HTTP {example.http_status}\n", report
            assert "format=csv" in example.words or json.loads(done.stdout), report
        elif example.refusal is not None:
            assert done.returncode == 2, report
            assert done.stderr.splitlines() == [example.refusal], report
        elif example.words.startswith("OS_"):  # one of the servers is not there
            assert done.returncode == 1, report
            assert re.search(r"mongodb +\| failed", done.stdout), report
        else:
            assert done.returncode == 0, report


@pytest.mark.parametrize("number", [0, 1])
def test_python(shell: Shell, number: int) -> None:
    text = (ROOT / "docs/api.md").read_text()
    blocks = [code for language, code in FENCED.findall(text) if language == "python"]
    assert len(blocks) == 2
    program = shell.home / "example.py"
    program.write_text(blocks[number])
    is_endless = bool(ENDLESS.search(blocks[number]))
    done = shell.run(f"python {program}", endless=is_endless)
    assert done.stdout, done.stderr
    assert is_endless or done.returncode == 0, done.stderr
