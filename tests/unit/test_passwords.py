"""When bcrypt is asked, when not, and who is kept from guessing."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import bcrypt
import gevent
import pytest

from canary.server.auth import passwords
from canary.server.auth.attempts import ADDRESSES, WRONG, Attempts
from canary.server.auth.htpasswd import cost, parse
from canary.server.auth.kept_file import LOOK, KeptFile
from canary.server.auth.passwords import MEMORY, REMEMBERED, WAITING, Bcrypt, Passwords
from canary.server.problems import Crowded, TooOften
from tests.virtual_clock import VirtualClock
from tests.waiting import eventually

HERE, THERE = "10.0.0.1", "10.0.0.2"


def hashed(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()


class Compare:
    """bcrypt, counted."""

    def __init__(self) -> None:
        self.count = 0
        self.rounds = 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.count += 1
        self.rounds += 2 ** cost(hashed)
        assert self.go.wait(20)
        return bcrypt.checkpw(password, hashed)


class Signing:
    """Passwords of a file, with a clock that stands."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, VirtualClock()
        self.write(ann=b"secret")
        self.compare = Compare()
        file: KeptFile[Mapping[str, bytes]] = KeptFile(
            str(path), "[auth] basic_file", lambda text: parse(text, "f"), self.clock
        )
        self.passwords = Passwords(file, self.compare, Attempts(self.clock), self.clock)

    def write(self, **people: bytes) -> None:
        self.path.write_text("".join(f"{name}:{hashed(word)}\n" for name, word in people.items()))

    def verify(self, password: bytes, name: str = "ann", address: str = HERE) -> bool:
        return self.passwords.verify(name, password, address)


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    return Signing(tmp_path / "f")


def test_a_right_password_is_looked_at_once_in_a_while(signing: Signing) -> None:
    assert all(signing.verify(b"secret") for _ in range(100))
    assert signing.compare.count == 1
    signing.clock.seconds += REMEMBERED - 0.1
    assert signing.verify(b"secret")
    assert signing.compare.count == 1
    signing.clock.seconds += 0.1
    assert signing.verify(b"secret")
    assert signing.compare.count == 2


@pytest.mark.parametrize("password", [b"", b"secre", b"secret ", b"secret\0", b"Secret"])
def test_a_wrong_one_is_never_right(signing: Signing, password: bytes) -> None:
    assert signing.verify(b"secret")
    assert not signing.verify(password)
    assert not signing.verify(password)
    assert signing.compare.count == 3


def test_a_name_that_there_is_not_takes_as_long(signing: Signing) -> None:
    assert not signing.verify(b"secret", name="bob")
    assert signing.compare.count == 1


def test_costs_that_differ_do_not_tell_who_exists(signing: Signing) -> None:
    words = {"ann": 4, "bob": 7, "cid": 5, "dan": 7}
    lines = [
        f"{name}:{bcrypt.hashpw(b'secret', bcrypt.gensalt(costs)).decode()}"
        for name, costs in words.items()
    ]
    signing.path.write_text("\n".join(lines))
    signing.clock.seconds += LOOK
    for name in (*words, "nobody"):
        signing.compare.rounds = 0
        assert not signing.verify(b"wrong", name=name, address=name)
        assert signing.compare.rounds == 2**7, name
        signing.compare.rounds = 0
        assert signing.verify(b"secret", name=name, address=name) == (name != "nobody")
        assert signing.compare.rounds == 2**7, name


def test_a_higher_cost_counts_once_it_is_in_the_file(signing: Signing) -> None:
    assert not signing.verify(b"wrong")
    assert signing.compare.rounds == 2**4
    with signing.path.open("a") as file:
        file.write(f"bob:{bcrypt.hashpw(b'secret', bcrypt.gensalt(6)).decode()}\n")
    signing.clock.seconds += LOOK
    for name in ("ann", "bob", "nobody"):
        signing.compare.rounds = 0
        assert not signing.verify(b"wrong", name=name)
        assert signing.compare.rounds == 2**6


def test_what_the_file_says_now_counts_at_once(signing: Signing) -> None:
    assert signing.verify(b"secret")
    signing.write(ann=b"other", bob=b"secret")
    signing.clock.seconds += LOOK
    assert not signing.verify(b"secret")
    assert signing.verify(b"other")
    assert signing.verify(b"secret", name="bob")
    signing.write(ann=b"other")
    signing.clock.seconds += LOOK
    assert not signing.verify(b"secret", name="bob")


def test_those_who_come_together_wait_for_one_check(signing: Signing) -> None:
    signing.compare.go.clear()
    together = [gevent.spawn(signing.verify, b"secret") for _ in range(50)]
    wrong = [gevent.spawn(signing.verify, b"wrong") for _ in range(50)]
    eventually(lambda: signing.compare.count == 2)
    signing.compare.go.set()
    gevent.joinall(together + wrong, timeout=20)
    assert [each.value for each in together] == [True] * 50
    assert [each.value for each in wrong] == [False] * 50
    assert signing.compare.count == 2


def test_who_guesses_is_stopped_and_who_is_known_goes_on(signing: Signing) -> None:
    assert signing.verify(b"secret")
    for number in range(30):
        assert not signing.verify(b"%d" % number)
    with pytest.raises(TooOften) as caught:
        signing.verify(b"x")
    assert caught.value.wait == 60.0
    count = signing.compare.count
    with pytest.raises(TooOften):
        signing.verify(b"secret", name="bob")
    assert signing.verify(b"secret")
    assert signing.compare.count == count  # that was cheap
    assert not signing.verify(b"x", address=THERE)
    signing.clock.seconds += 59.9
    with pytest.raises(TooOften):
        signing.verify(b"x")
    signing.clock.seconds += 0.1
    assert not signing.verify(b"x")


def test_right_ones_are_no_guesses(signing: Signing) -> None:
    for _ in range(2 * WRONG):
        assert signing.verify(b"secret")
        signing.clock.seconds += REMEMBERED
    assert signing.compare.count == 2 * WRONG


def test_guesses_at_the_same_time_are_counted_before_they_are_tried(signing: Signing) -> None:
    signing.compare.go.clear()
    guesses = [gevent.spawn(signing.verify, b"%d" % number) for number in range(3 * WRONG)]
    eventually(lambda: signing.compare.count == WRONG)
    signing.compare.go.set()
    gevent.joinall(guesses, timeout=20)
    assert signing.compare.count == WRONG
    assert sum(isinstance(guess.exception, TooOften) for guess in guesses) == 2 * WRONG


def test_a_check_that_could_not_be_done_is_no_guess_and_leaves_nothing(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crowded(_password: bytes, _hashed: bytes) -> bool:
        raise Crowded("later")

    for _ in range(2 * WRONG):
        with monkeypatch.context() as patched:
            patched.setattr(signing.passwords, "_compare", crowded)
            with pytest.raises(Crowded):
                signing.verify(b"secret")
    assert signing.verify(b"secret")


def test_memory_is_bounded(signing: Signing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing.passwords, "_compare", lambda _password, _hashed: True)
    for number in range(MEMORY + 50):
        assert signing.verify(b"%d" % number)
    assert len(signing.passwords._verified) == MEMORY
    attempts = Attempts(signing.clock)
    for number in range(ADDRESSES + 50):
        attempts.begin(str(number))
    assert len(attempts._counts) == ADDRESSES


def test_a_long_password_is_cut_as_htpasswd_cuts_it(tmp_path: Path) -> None:
    # htpasswd -nbB ann "$(printf 'x%.0s' $(seq 80))"
    line = "ann:$2y$05$LqFL49VszWIbdbQt1tGhn.FjWBBj4Cxpng19xArwHyrGIMqr.K.JC\n"
    signing = Signing(tmp_path / "f")
    signing.path.write_text(line)
    signing.clock.seconds += LOOK
    assert signing.verify(b"x" * 80)
    assert not signing.verify(b"x" * 71)


class TestBcrypt:
    @pytest.fixture
    def compare(self) -> Iterator[Bcrypt]:
        compare = Bcrypt()
        yield compare
        compare.close()

    def test_others_go_on_meanwhile(self, compare: Bcrypt) -> None:
        slow = bcrypt.hashpw(b"secret", bcrypt.gensalt(10))
        turns = 0
        checks = [gevent.spawn(compare, b"secret", slow) for _ in range(6)]
        while not all(check.ready() for check in checks):
            gevent.sleep(0.001)
            turns += 1
        assert all(check.value for check in checks)
        assert turns > 10  # none where the loop is held up

    def test_a_hash_that_is_none_is_wrong(self, compare: Bcrypt) -> None:
        assert not compare(b"x", b"$2b$04$" + b"a" * 53)
        assert not compare(b"x", passwords._nobodys({}))

    def test_too_many_at_once_are_told_so(self, compare: Bcrypt) -> None:
        slow = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
        checks = [gevent.spawn(compare, b"secret", slow) for _ in range(WAITING + 5)]
        gevent.joinall(checks, timeout=20)
        assert sum(isinstance(check.exception, Crowded) for check in checks) == 5
