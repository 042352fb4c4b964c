"""Files that other systems wrote, values with more at their end, and terminals that know ASCII."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from canary.cli.access import access
from canary.cli.access import add_options as add_access
from canary.cli.command import Parser
from canary.config import load
from canary.errors import ConfigError
from canary.server.auth import htpasswd, tokens
from canary.server.auth.kept_file import KeptFile
from canary.terminal import redecoded

COMMANDS = Path(sys.executable).parent
TEXT = """\
# Überwachung
[canary]
path = /tämä/jobs,
  /b/jobs
[mongo]
username = u
password = pä ss
"""
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]
#: What a terminal is like that knows ASCII alone.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


@pytest.mark.parametrize("encoding", [*ENCODINGS, "utf-16-be-with-mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_config_file_is_read_whatever_wrote_it(tmp_path: Path, encoding: str, end: str) -> None:
    text = TEXT.replace("\n", end)
    if encoding == "utf-16-be-with-mark":
        data = b"\xfe\xff" + text.encode("utf-16-be")
    else:
        data = text.encode(encoding)
    (tmp_path / "c").write_bytes(data)
    config = load([str(tmp_path / "c")], environ={})
    assert config.canary.path == ("/tämä/jobs", "/b/jobs")
    assert config.mongo.password == "pä ss"


@pytest.mark.parametrize("data", [TEXT.encode("utf-16-le"), TEXT.encode("latin-1"), b"\xff\xfea"])
def test_a_config_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(ConfigError, match=r"is not a text file in UTF-8\. Save it as UTF-8\.$"):
        load([str(tmp_path / "c")], environ={})


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_passwords_and_tokens_are_read_whatever_wrote_them(
    tmp_path: Path, encoding: str, end: str
) -> None:
    token, line = tokens.make("ann")
    hashed = "$2y$05$" + "a" * 21 + "u" + "b" * 31
    (tmp_path / "t").write_bytes(f"{line}{end}{end}".encode(encoding))
    (tmp_path / "p").write_bytes(f"#x{end}jän:{hashed}  {end}".encode(encoding))
    bearer = KeptFile(
        str(tmp_path / "t"), "[auth] bearer_file", lambda text: tokens.parse(text, "t")
    )
    basic = KeptFile(
        str(tmp_path / "p"), "[auth] basic_file", lambda text: htpasswd.parse(text, "p")
    )
    assert bearer.content.owner(token) == "ann"
    assert basic.content == {"jän": hashed.encode()}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_a_line_break_at_the_end_of_a_variable_is_not_its_values(end: str) -> None:
    config = load(
        environ={
            "OS_MONGO__USERNAME": f"ann{end}",
            "OS_MONGO__PASSWORD": f" s3cret {end}",
            "OS_MONGO__URI": f"mongodb://h:1/{end}",
            "OS_CANARY__PATH": f"/a/jobs, /b/jobs{end}",
            "OS_SERVER__PORT": f"81{end}",
            "OS_LOG__LEVEL": f"DEBUG{end}",
        }
    )
    assert config.mongo.username == "ann"
    assert config.mongo.password == " s3cret "
    assert config.mongo.uri == "mongodb://h:1/"
    assert config.canary.path == ("/a/jobs", "/b/jobs")
    assert config.server.port == 81
    assert config.log.level == "DEBUG"


@pytest.mark.parametrize("end", ["\n", "  ", "\r\n", " \n"])
def test_spaces_around_what_is_no_password_are_not_its_values(end: str) -> None:
    config = load(environ={"OS_MONGO__URI": f" mongodb://h:1/{end}", "OS_CANARY__NAME": f"w{end}"})
    assert config.mongo.uri == "mongodb://h:1/"
    assert config.canary.name == "w"


def test_a_secret_with_a_line_break_within_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError) as refused:
        load(environ={"OS_MONGO__USERNAME": "u", "OS_MONGO__PASSWORD": "hunter2\nx"})
    assert "it contains a line break or another control character" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_same_of_the_command_lines_own_variables(end: str) -> None:
    parser = Parser()
    add_access(parser)
    nothing = parser.parse_args([])
    told = access(nothing, {"CANARY_TOKEN": f"abc{end}", "CANARY_URL": f"http://h:1{end}"})
    assert (told.token, told.url) == ("abc", "http://h:1")
    told = access(nothing, {"CANARY_USER": f"ann{end}", "CANARY_PASSWORD": f" p {end}"})
    assert (told.user, told.password) == ("ann", " p ")


def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [COMMANDS / words[0], *words[1:]],
        env={**os.environ, **ASCII, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("program", ["canary-producer", "canary-worker", "canary-server", "canary"])
def test_help_is_shown_on_an_ascii_terminal(program: str) -> None:
    shown = run(program, "--help")
    assert shown.returncode == 0
    assert shown.stdout.isascii()
    assert b"Traceback" not in shown.stderr


def test_a_token_for_a_name_is_made_on_an_ascii_terminal() -> None:
    made = run("canary-server", "--make-token", "jän")
    assert made.returncode == 0
    assert b"line in the file: j\\xe4n:" in made.stdout


@pytest.mark.parametrize("path", ["tämä/jobs", "/a\x1b[31m/jobs", "/a\u202e/jobs/"])
def test_a_path_that_is_refused_is_shown_on_an_ascii_terminal(path: str) -> None:
    refused = run("canary-producer", "add", path)
    assert refused.returncode == 2
    assert refused.stderr.isascii()
    assert b"Traceback" not in refused.stderr
    assert b"\x1b" not in refused.stderr
    assert b"cannot be a board's path" in refused.stderr


def test_words_are_utf_8_whatever_the_locale_says() -> None:
    assert redecoded(os.fsdecode(b"/t\xc3\xa4/jobs")) == "/tä/jobs"
    assert redecoded("/t\udcc3\udca4/jobs") == "/tä/jobs"
    assert redecoded("/t\udcff") == "/t\udcff"
