"""What `canary.config` takes, refuses and says; nothing here needs a server."""

from __future__ import annotations

import errno
import io
import os
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oslo_config import cfg, generator

from canary import config
from canary.config import Config, check_board_path, load
from canary.config.options import GROUPS, options
from canary.errors import ConfigError, UsageError

SAMPLE = Path(__file__).parents[2] / "etc" / "canary.conf"


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No home with a file of somebody's, no variables from devstack."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith(tuple(f"OS_{group.upper()}__" for group in GROUPS)):
            monkeypatch.delenv(name)


def from_text(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "test.conf"
    path.write_text(text, encoding="utf-8")
    return load([str(path)], environ=environ)


def refused(tmp_path: Path, text: str, **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        from_text(tmp_path, text, **environ)
    return caught.value


# Where values come from


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert from_text(tmp_path, "") == Config()


def test_the_defaults_are_allowed_values() -> None:
    for group in GROUPS:
        for option in options(group):
            if option.default is not None:
                value = option.kind(option.default)
                assert (tuple(value) if isinstance(value, list) else value) == option.default


def test_every_option_is_typed_as_its_field_says(tmp_path: Path) -> None:
    got = from_text(
        tmp_path,
        "[canary]\npath = /a/jobs, /b/jobs,\n    /c/jobs\ninterval = 60\n"
        "[zookeeper]\nhosts = [::1]:2181,zk_1.example.org:65535\nsession_timeout = 4\n"
        "use_tls = Yes\n"
        "[server]\nport = 0\n",
    )
    assert got.canary.path == ("/a/jobs", "/b/jobs", "/c/jobs")
    assert got.canary.interval == 60
    assert type(got.canary.interval) is int
    assert got.zookeeper.hosts == ("[::1]:2181", "zk_1.example.org:65535")
    assert type(got.zookeeper.session_timeout) is float
    assert got.zookeeper.use_tls is True
    assert got.server.port == 0


def test_the_environment_wins_over_files_and_a_later_file_over_an_earlier(tmp_path: Path) -> None:
    first, second = tmp_path / "1.conf", tmp_path / "2.conf"
    first.write_text("[canary]\nname = one\ninterval = 1\nmax_boards = 1\n")
    second.write_text("[CANARY]\nname = two\ninterval = 2\n")
    got = load([str(first), str(second)], environ={"OS_CANARY__NAME": "three"})
    assert (got.canary.name, got.canary.interval, got.canary.max_boards) == ("three", 2, 1)


def test_values_are_those_that_oslo_config_would_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`load` resolves by itself what ConfigOpts resolves elsewhere; they must not drift apart."""
    file = tmp_path / "parity.conf"
    file.write_text(
        '[canary]\npath = /a,/b\ninterval = 77\nname = "quoted"\n[Mongo]\ntls = on\n'
        "[zookeeper]\nhosts = a:1,\n  b:2\n[cassandra]\ntls: true\nca_file : /etc/ca.pem\n"
    )
    monkeypatch.setenv("OS_CANARY__INTERVAL", "78")
    monkeypatch.setenv("OS_MONGO__TIMEOUT", "2.5")
    conf = cfg.ConfigOpts()
    for group, opts in config.list_opts():
        conf.register_opts(opts, group=group)
    conf(args=[], prog="x", default_config_files=[str(file)], default_config_dirs=[])
    ours = load([str(file)])
    for group in GROUPS:
        for option in options(group):
            theirs = conf[group][option.name]
            theirs = tuple(theirs) if isinstance(theirs, list) else theirs
            assert getattr(getattr(ours, group), option.name) == theirs, option


def test_a_wrong_value_is_named_with_the_file_that_it_is_in(tmp_path: Path) -> None:
    wrong, right = tmp_path / "1.conf", tmp_path / "2.conf"
    wrong.write_text("[canary]\ninterval = soon\n")
    right.write_text("[canary]\nname = two\n")
    with pytest.raises(ConfigError, match=re.escape(str(wrong))):
        load([str(wrong), str(right)], environ={})


@pytest.mark.parametrize("name", [".canary/canary.conf", "canary.conf"])
def test_without_config_file_the_home_is_searched(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("[canary]\nname = found\n")
    assert load(environ={}).canary.name == "found"


def test_only_the_first_default_file_is_read_and_none_beside_config_file(tmp_path: Path) -> None:
    (tmp_path / ".canary").mkdir()
    (tmp_path / ".canary/canary.conf").write_text("[canary]\nname = first\n")
    (tmp_path / "canary.conf").write_text("[canary]\nname = second\ninterval = 5\n")
    got = load(environ={}).canary
    assert (got.name, got.interval) == ("first", 3600)
    assert from_text(tmp_path, "").canary.name == "canary"


def test_a_pipe_is_read_like_a_file() -> None:
    reader, writer = os.pipe()
    with open(writer, "wb") as pipe:  # noqa: PTH123 -- gevent's os.close waits for its loop
        pipe.write(b"[canary]\nname = piped\n")
    try:
        assert load([f"/dev/fd/{reader}"], environ={}).canary.name == "piped"
    finally:
        os.close(reader)


@pytest.mark.parametrize("password", ["a$b", "a$$b", r"a\$b", "${name}", "p@ss:w/rd%20", "a#b;c"])
def test_a_password_is_taken_as_it_stands(tmp_path: Path, password: str) -> None:
    text = f"[mongo]\nusername = u\npassword = {password}\n"
    assert from_text(tmp_path, text).mongo.password == password
    environ = {"OS_MONGO__PASSWORD": password}
    assert from_text(tmp_path, "[mongo]\nusername = u\n", **environ).mongo.password == password


def test_an_empty_value_unsets_an_option_without_default(tmp_path: Path) -> None:
    got = from_text(
        tmp_path,
        "[mongo]\nusername = u\npassword = p\n",
        OS_MONGO__USERNAME="",
        OS_MONGO__PASSWORD="",
    )
    assert got.mongo.username is None
    assert got.mongo.password is None


def test_the_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().canary.name = "other"  # type: ignore[misc]


# Wrong values


@pytest.mark.parametrize(
    ("group", "name", "text"),
    [
        ("canary", "interval", "0"),
        ("canary", "interval", ""),
        ("canary", "interval", "1_000"),
        ("canary", "interval", "1.5"),
        ("canary", "interval", "٣"),
        ("canary", "interval", "9" * 5000),
        ("canary", "interval", "3600 # an hour"),
        ("canary", "path", "/a/,b"),
        ("canary", "path", "/a,,/b"),
        ("canary", "path", "/a\n  /b"),
        ("canary", "jobboard", ""),
        ("canary", "jobboard", "canary/jobs"),
        ("canary", "name", "a/b"),
        ("canary", "name", "x" * 65),
        ("canary", "max_boards", "0"),
        ("canary", "mask_keys", "a key"),
        ("canary", "mask_keys", "*"),
        ("canary", "mask_keys", "a*b"),
        ("canary", "mask_keys", "_"),
        ("canary", "mask_keys", "k" * 65),
        ("zookeeper", "hosts", ""),
        ("zookeeper", "hosts", "zk1"),
        ("zookeeper", "hosts", "zk1:0"),
        ("zookeeper", "hosts", "zk1:65536"),
        ("zookeeper", "hosts", "zk1:2181/chroot"),
        ("zookeeper", "hosts", "zk1:2181 zk2:2181"),
        ("zookeeper", "hosts", "::1:2181"),
        ("zookeeper", "hosts", "[zk1]:2181"),
        ("zookeeper", "hosts", "10.0.0.256:2181"),
        ("zookeeper", "session_timeout", "nan"),
        ("zookeeper", "session_timeout", "inf"),
        ("zookeeper", "session_timeout", "0.9"),
        ("zookeeper", "session_timeout", "120.5"),
        ("zookeeper", "max_in_flight", "201"),
        ("zookeeper", "use_tls", "maybe"),
        ("zookeeper", "username", "a:b"),
        ("mongo", "database", "admin"),
        ("mongo", "database", "a.b"),
        ("mongo", "database", "a$b"),
        ("mongo", "database", "ä" * 32),
        ("mongo", "timeout", "0"),
        ("cassandra", "cluster", "a:9042"),
        ("cassandra", "cluster", "a b"),
        ("cassandra", "port", "0"),
        ("cassandra", "keyspace", "Canary"),
        ("cassandra", "keyspace", "k" * 49),
        ("cassandra", "keyspace", "system_auth"),
        ("cassandra", "keyspace", "a; DROP KEYSPACE b"),
        ("cassandra", "replication", "{'class': 'SimpleStrategy'}"),
        ("cassandra", "replication", "{'class': 'X', 'dc1': 3} AND durable_writes = false"),
        ("cassandra", "replication", "{'class': 'X', 'dc1': '3'}; DROP KEYSPACE b; {'a': '1'}"),
        ("cassandra", "consistency", "local_quorum"),
        ("cassandra", "consistency", "ANY"),
        ("server", "port", "65536"),
        ("server", "host", "*"),
        ("server", "url_prefix", "canary"),
        ("server", "url_prefix", "/canary/"),
        ("server", "url_prefix", "//canary"),
        ("server", "url_prefix", "/../x"),
        ("server", "url_prefix", "/a b"),
        ("server", "trusted_proxies", "10.0.0.1/8"),
        ("server", "trusted_proxies", "0.0.0.0/0"),
        ("server", "trusted_proxies", "::/0"),
        ("server", "trusted_proxies", "proxy.example.org"),
        ("server", "rate_limit", "-1"),
        ("auth", "basic_file", "a\x07"),
        ("auth", "user_header", "Authorization"),
        ("auth", "user_header", "X-Forwarded-For"),
        ("auth", "user_header", "X_Remote_User"),
        ("auth", "user_header", "X-User: ann"),
        ("log", "requests", "none"),
        ("log", "level", "debug"),
        ("log", "format", "xml"),
    ],
)
def test_a_wrong_value_names_option_origin_and_what_is_allowed(
    tmp_path: Path, group: str, name: str, text: str
) -> None:
    in_file = refused(tmp_path, f"[{group}]\n{name} = {text}\n")
    variable = f"OS_{group}__{name}".upper()
    in_environment = refused(tmp_path, "", **{variable: text.replace("\n  ", "\n")})
    for error, origin in ((in_file, "test.conf"), (in_environment, f"variable {variable} ")):
        assert error.option == f"[{group}] {name}"
        assert error.value == text.replace("\n  ", "\n")
        assert error.allowed
        for part in (f"[{group}] {name}", origin, f"Allowed: {error.allowed}"):
            assert part in str(error)
        assert len(str(error)) < 700


@pytest.mark.parametrize(
    ("group", "name", "text"),
    [
        ("zookeeper", "hosts", "[2001:db8::1]:2181,10.0.0.1:2181,zk-1.example.org.:2182"),
        ("cassandra", "cluster", "10.0.0.1,2001:db8::1,c1"),
        ("cassandra", "replication", "{'class':'NetworkTopologyStrategy','dc1':3,'dc-2':'3/1'}"),
        ("mongo", "database", "canary-test_é"),
        ("mongo", "uri", "mongodb+srv://u:p%40@a.example.org/?replicaSet=rs0"),
        ("server", "host", "::"),
        ("server", "url_prefix", "/ops/canary"),
        ("server", "trusted_proxies", "127.0.0.1,10.0.0.0/8,2001:db8::/32"),
        ("canary", "interval", "604800"),
        ("canary", "mask_keys", "snmp_community,*_pin,license*,*Zip.Code*"),
        ("log", "format", "json"),
    ],
)
def test_a_right_value_is_taken(tmp_path: Path, group: str, name: str, text: str) -> None:
    value = getattr(getattr(from_text(tmp_path, f"[{group}]\n{name}={text}\n"), group), name)
    assert (",".join(value) if isinstance(value, tuple) else str(value)) == text


def test_the_reason_is_told(tmp_path: Path) -> None:
    assert "write '/a'" in str(refused(tmp_path, "[canary]\npath = /b,/a/\n"))
    assert "in brackets" in str(refused(tmp_path, "[zookeeper]\nhosts = ::1:2181\n"))


def test_a_header_that_proxies_use_for_names_is_taken(tmp_path: Path) -> None:
    got = from_text(
        tmp_path,
        "[auth]\nuser_header = X-Forwarded-User\n[server]\ntrusted_proxies = 127.0.0.1\n",
    )
    assert got.auth.user_header == "X-Forwarded-User"


def test_a_wrong_value_in_the_environment_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    error = refused(tmp_path, "[canary]\ninterval = 5\n", OS_CANARY__INTERVAL="x")
    assert "OS_CANARY__INTERVAL" in str(error)
    assert "test.conf" not in str(error)


# What is not known


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[canary]\npaths = /a\n", "[canary] paths (did you mean path?)."),
        ("[zookeeper]\nsession-timeout = 4\n", "did you mean session_timeout?"),
        ("[zookeper]\n", "[zookeper] (did you mean zookeeper?)."),
        ("[DEFAULT]\nconfig_source = remote\n", "no group [DEFAULT]"),
        ("[default]\n", "no group [default]"),
        ("[canary]\npath = /a\npath = /b\n", "more than once"),
        ("[canary]\npath = /a\n[Canary]\npath = /b\n", "more than once"),
    ],
)
def test_what_is_unknown_or_double_in_a_file_is_refused(
    tmp_path: Path, text: str, told: str
) -> None:
    error = str(refused(tmp_path, text))
    assert told in error
    assert "test.conf" in error


def test_an_unknown_variable_of_a_group_is_refused_and_others_are_left_alone(
    tmp_path: Path,
) -> None:
    error = str(refused(tmp_path, "", OS_CANARY__PATHS="/a"))
    assert "OS_CANARY__PATHS" in error
    assert "did you mean OS_CANARY__PATH?" in error
    assert "OS_MONGO__url" in str(refused(tmp_path, "", OS_MONGO__url="mongodb://h"))
    others = {"OS_USERNAME": "u", "OS_DEFAULT__CONFIG_SOURCE": "r", "OS_KEYSTONE__X": "1"}
    assert from_text(tmp_path, "[DEFAULT]\n", **others) == Config()


# Files that cannot be read


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[canary]\nhunter2\n", "line 2"),
        (b"[canary\nname = hunter2\n", "line 1"),
        (b"name = hunter2\n[canary]\n", "test.conf"),
        (b"[canary]\nname = \xff\xfe\n", "UTF-8"),
    ],
)
def test_a_broken_file_is_refused_without_showing_its_lines(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "test.conf"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"test\.conf") as caught:
        load([str(path)], environ={})
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_file_that_is_missing_a_folder_or_no_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.conf does not exist"):
        load([str(tmp_path / "gone.conf")], environ={})
    with pytest.raises(ConfigError, match="directory"):
        load([str(tmp_path)], environ={})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(["a\0b"], environ={})
    (tmp_path / "canary.conf").symlink_to(tmp_path / "gone.conf")
    with pytest.raises(ConfigError, match=r"canary\.conf"):
        load(environ={})


def test_a_file_that_may_not_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)  # root may read every real file
    with pytest.raises(ConfigError, match=r"'x\.conf' cannot be read: Permission denied"):
        load(["x.conf"], environ={})


# Secrets


def secrets() -> Iterator[tuple[str, str]]:
    return ((group, option.name) for group in GROUPS for option in options(group) if option.secret)


def test_all_that_may_hold_a_password_is_secret() -> None:
    named = {
        (group, option.name)
        for group in GROUPS
        for option in options(group)
        if re.search("password|secret|token|uri$", option.name)
    }
    assert named == set(secrets())
    assert len(named) == 7


@pytest.mark.parametrize(("group", "name"), sorted(secrets()))
def test_a_secret_is_in_no_message_and_no_repr(tmp_path: Path, group: str, name: str) -> None:
    error = refused(tmp_path, "", **{f"OS_{group}__{name}".upper(): "hunter2\x07"})
    assert error.value is None
    assert "hunter2" not in str(error)
    assert f"[{group}] {name}" in str(error)
    made = GROUPS[group](**{name: "hunter2"})
    assert "hunter2" not in repr(made)
    assert getattr(made, name) == "hunter2"


def test_oslo_knows_what_is_secret() -> None:
    opts = {(group, opt.name) for group, of in config.list_opts() for opt in of if opt.secret}
    assert opts == set(secrets())


# Rules across options


@pytest.mark.parametrize(
    ("text", "option", "told"),
    [
        ("[mongo]\nchange_ttl = 3599\n", "[mongo] change_ttl", "less than [canary] interval"),
        ("[mongo]\nended_job_ttl = 9\n", "[mongo] ended_job_ttl", "less than [canary] interval"),
        ("[cassandra]\nttl = 299\n", "[cassandra] ttl", "checkpoint_interval"),
        ("[canary]\npath = /a,/canary/jobs\n", "[canary] path", "jobboard"),
        ("[mongo]\nusername = u\n", "[mongo] username", "[mongo] password is not"),
        ("[zookeeper]\npassword = p\n", "[zookeeper] password", "username is not"),
        ("[zookeeper]\nca_file = /ca\n", "[zookeeper] ca_file", "use_tls is not"),
        ("[cassandra]\ntls=1\nkey_file = /k\n", "[cassandra] key_file", "cert_file is not"),
        ("[auth]\nuser_header = X-User\n", "[auth] user_header", "trusted_proxies"),
    ],
)
def test_options_that_do_not_fit_together(
    tmp_path: Path, text: str, option: str, told: str
) -> None:
    error = refused(tmp_path, text)
    assert error.option == option
    assert told in str(error)


def test_a_time_to_live_may_equal_the_interval(tmp_path: Path) -> None:
    got = from_text(tmp_path, "[mongo]\nchange_ttl = 3600\nended_job_ttl = 3600\n")
    assert got.mongo.change_ttl == got.canary.interval


def test_every_need_names_an_option_of_its_group() -> None:
    for group in GROUPS:
        names = {option.name for option in options(group)}
        assert {option.needs for option in options(group)} <= names | {None}


# The sample and oslo.config's own tools


def test_the_sample_is_up_to_date() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "canary.config"], check=True, capture_output=True, text=True
    )
    assert made.stdout == SAMPLE.read_text(encoding="utf-8"), "run `make conf`"


def test_the_sample_sets_the_defaults_with_and_without_its_marks(tmp_path: Path) -> None:
    text = config.sample()
    assert from_text(tmp_path, text) == Config()
    bare, count = re.subn(r"(?m)^#(?=[a-z_]+ =)", "", text)
    assert count == sum(len(fields(GROUPS[group])) for group in GROUPS)
    assert from_text(tmp_path, bare) == Config()
    assert max(map(len, text.splitlines())) <= 100


def test_oslo_config_generator_writes_every_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "_list_opts", lambda _names: [("canary", config.list_opts())])
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(args=["--namespace", "canary"], prog="x", default_config_files=[], default_config_dirs=[])
    out = io.StringIO()
    generator.generate(conf, output_file=out)
    for group in GROUPS:
        for option in options(group):
            assert f"\n#{option.name} =" in out.getvalue()
    assert not capsys.readouterr().err


def test_the_groups_are_those_of_config() -> None:
    assert list(GROUPS) == [each.name for each in fields(Config)]


# The command line


def test_the_parser_collects_files_and_tells_the_version(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = config.parser("canary-test", "Tests.")
    parser.add_argument("words", nargs="*")
    got = parser.parse_args(["--config-file", "a", "--config-file=b", "c"])
    assert (got.config_files, got.words) == (["a", "b"], ["c"])
    assert config.parser("canary-test", "Tests.").parse_args([]).config_files == []
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"canary-test \d\S*\n", capsys.readouterr().out)


# Board paths


@pytest.mark.parametrize(
    "path",
    [
        "/a",
        "/taskflow/jobs",
        "/a/.b/..c/d.",
        "/zookeeperx/jobs",
        "/a/zookeeper",
        "/a b/c,d",
        "/ä/日本",
        "/" + "x" * 1023,
    ],
)
def test_board_paths_that_are_right(path: str) -> None:
    assert check_board_path(path) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "absolute"),
        ("a/b", "absolute"),
        ("/", "root"),
        ("//", "two slashes"),
        ("/a//b", "two slashes"),
        ("/a/b/", "write '/a/b'"),
        ("/a/./b", "'.' and '..'"),
        ("/a/..", "'.' and '..'"),
        ("/zookeeper", "ZooKeeper's own"),
        ("/zookeeper/quota/jobs", "ZooKeeper's own"),
        ("/a\x00", "U+0000"),
        ("/a\nb", "U+000A"),
        ("/a\x9f", "U+009F"),
        ("/\udc80", "U+DC80"),
        ("/\uf8ff", "U+F8FF"),
        ("/\ufff0", "U+FFF0"),
        ("/\U0001f424", "U+1F424"),
        ("/" + "x" * 1024, "1025 characters"),
    ],
)
def test_board_paths_that_are_wrong(path: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_board_path(path)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def zookeeper_takes(path: str) -> bool:
    """ZooKeeper's PathUtils.validatePath, written again one UTF-16 unit at a time."""
    data = path.encode("utf-16-be", "surrogatepass")
    units = [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]
    bad = ((0, 0x1F), (0x7F, 0x9F), (0xD800, 0xF8FF), (0xFFF0, 0xFFFF))
    if any(low <= unit <= high for unit in units for low, high in bad):
        return False
    names = path.split("/")
    return names[0] == "" and (
        path == "/" or (len(names) > 1 and not {"", ".", ".."} & set(names[1:]))
    )


NASTY = st.text("/.azoekpr\x00\x1f \x7f\x9f\ud7ff\ud800\uf8ff\uf900\uffef\ufff0\U00010000")


@given((NASTY | st.text(max_size=30)).map(lambda text: "/" + text) | st.text())
@example("/zookeeper")
def test_what_passes_is_what_zookeeper_takes(path: str) -> None:
    takes = zookeeper_takes(path) and path != "/" and path.split("/")[1] != "zookeeper"
    if takes:
        assert check_board_path(path) == path
    else:
        with pytest.raises(UsageError) as caught:
            check_board_path(path)
        assert str(caught.value).isprintable()


@given(st.text(string.printable, max_size=40))
def test_no_replication_can_hold_more_than_a_map(tail: str) -> None:
    text = "{'class': 'SimpleStrategy', 'replication_factor': 1}" + tail.strip()
    if tail.strip():
        with pytest.raises(ConfigError):
            load(["/dev/null"], environ={"OS_CASSANDRA__REPLICATION": text})
