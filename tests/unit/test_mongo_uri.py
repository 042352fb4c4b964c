"""The options of MongoDB's URI, all that the driver has, with values that fit and that do not."""

import logging
import warnings
from collections.abc import Iterator

import pytest
from pymongo import common

from canary.config import MongoOptions
from canary.errors import CanaryError, ConfigError
from canary.stores.mongo import client as mongo
from canary.stores.mongo.uri import OWN, without_own

#: By the driver's own tables: all names that a URI may have, in their own spelling.
NAMES = sorted(common.URI_OPTIONS_VALIDATOR_MAP)
VALUES = ("", "1", "0", "-1", "true", "false", "primary", "secondary", "dc:x,rack:1", "120", "zstd",
          "x", "hunter2", "99999999999999", "%00", "ä")  # fmt: skip


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", "Wire protocol compression")  # not installed here
        yield


def made(uri: str) -> None:
    """Make the client that the programs and the doctor make."""
    mongo.connect(MongoOptions(uri=uri), begin=False).client.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beside", ["", "&readPreference=secondary", "&retryWrites=false"])
def test_every_option_is_taken_or_named(name: str, beside: str) -> None:
    for value in VALUES:
        for uri in (
            f"mongodb://ann:hunter3@h:1/?{name}={value}{beside}",
            f"mongodb://h1:1,h2:1/?{name.upper()}={value}{beside}",
        ):
            try:
                made(uri)
            except CanaryError as error:
                told = str(error)
                assert told.startswith(("[mongo] uri", "The options of [mongo]", "The files that"))
                assert name.lower() in told.lower() or value in {"1", "true", "x"}
                assert "hunter" not in told
                assert not told.endswith("..")


@pytest.mark.parametrize(
    "option",
    ["readPreferenceTags=dc:east", "readPreferenceTags=dc:e&readPreferenceTags=", "w=1",
     "maxStalenessSeconds=120", "readPreference=secondary&maxStalenessSeconds=120",
     "minPoolSize=100", "timeoutMS=-1", "tz_aware=false", "uuidRepresentation=x", "driver=x",
     "readConcernLevel=local", "journal=false"],
)  # fmt: skip
def test_what_canary_sets_itself_is_left_out_and_the_log_says_so(
    option: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    uri = f"mongodb://h:1/?{option}&replicaSet=rs0"
    assert without_own(uri) == "mongodb://h:1/?replicaSet=rs0"
    [line] = caplog.messages
    assert option.partition("=")[0] in line
    made(uri)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("replicaset2=x", "does not know: replicaset2 (did you mean replicaset?). Remove it."),
        ("hostname=hunter2", "does not know: hostname. Remove it."),
        ("tls=maybe", "a value of tls that MongoDB's driver does not accept"),
        ("compressors=", "the option compressors without a value"),
        ("localThresholdMS", "the option localThresholdMS without a value"),
        ("zlibCompressionLevel=99", "a value of zlibCompressionLevel"),
        ("tls=true&ssl=false", "exclude each other"),
        ("tlsInsecure=true&tlsAllowInvalidCertificates=true", "exclude each other"),
        ("authMechanism=FOO", "a value of authMechanism"),
        ("authMechanismProperties=hunter2", "a value of authMechanismProperties"),
        ("x%20y=hunter2", "text after the ? that is not an option"),
        ("=hunter2", "text after the ? that is not an option"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(query: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        mongo.check(MongoOptions(uri=f"mongodb://ann:hunter3@h:1/?{query}"))
    told = str(refused.value)
    assert told.startswith("[mongo] uri has ")
    assert words in told
    assert "hunter" not in told
    assert refused.value.option == "[mongo] uri"


@pytest.mark.parametrize("password", ["p?hunter2", "p/hunter2", "p@hunter2", "hunter2?a=b"])
def test_no_part_of_a_password_is_told(password: str) -> None:
    with pytest.raises(CanaryError) as refused:
        mongo.check(MongoOptions(uri=f"mongodb://ann:{password}@h:1/"))
    assert "hunter2" not in str(refused.value)
    assert "percent-encode" in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    ["mongodb://h:1/", "mongodb://h:1", "mongodb://h:1/?", "mongodb://u:p@h:1/db?authSource=admin",
     "mongodb://h:1,g:2/?replicaSet=rs0&directConnection=false", "mongodb://h/?tls=true"],
)  # fmt: skip
def test_what_is_right_stays_as_it_is(uri: str) -> None:
    assert without_own(uri) == uri.removesuffix("?")
    made(uri)


def test_all_that_canary_sets_itself_are_options_of_the_drivers() -> None:
    assert set(NAMES) >= OWN
