"""StoreSettings: from arguments and the environment, refused by name, and silent about secrets."""

import logging
import subprocess
import sys
import traceback

import pytest
from pydantic import SecretStr, ValidationError

from aesg_graph.config import StoreSettings
from aesg_graph.errors import AESGConfigError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in StoreSettings.model_fields:
        monkeypatch.delenv(f"AESG_{name.upper()}", raising=False)


def faults(**settings):
    with pytest.raises(AESGConfigError) as caught:
        StoreSettings(**settings)
    assert caught.value.subsystem == "config"
    return caught.value.errors


def test_defaults_are_the_embedded_engine_in_the_directory():
    settings = StoreSettings()
    assert settings.engine == "embedded"
    assert (settings.memory, settings.graph, settings.vectors) == (None, None, None)
    assert (settings.cache_bytes, settings.journal_bytes) == (4 * 2**30, 2**30)
    assert (settings.durability, settings.refresh_interval) == ("process", 1.0)
    assert (settings.write_timeout, settings.flush_timeout, settings.connect_timeout) == (30.0, 60.0, 5.0)


def test_settings_come_from_the_environment_when_they_are_made(monkeypatch):
    monkeypatch.setenv("AESG_MEMORY", "digits-1")
    monkeypatch.setenv("AESG_GRAPH", "embedded")
    monkeypatch.setenv("AESG_CACHE_BYTES", "512MiB")
    monkeypatch.setenv("AESG_DURABILITY", "power")
    monkeypatch.setenv("AESG_FLUSH_TIMEOUT", "2.5")
    monkeypatch.setenv("AESG_PASSWORD", "hush")
    settings = StoreSettings()
    assert (settings.memory, settings.graph, settings.engine) == ("digits-1", "embedded", "embedded")
    assert (settings.cache_bytes, settings.durability, settings.flush_timeout) == (512 * 2**20, "power", 2.5)
    assert settings.password == SecretStr("hush")


def test_arguments_come_before_the_environment(monkeypatch):
    monkeypatch.setenv("AESG_MEMORY", "from-environment")
    assert StoreSettings(memory="from-argument").memory == "from-argument"


def test_empty_and_foreign_variables_are_left_alone(monkeypatch):
    monkeypatch.setenv("AESG_GRAPH", "")
    monkeypatch.setenv("AESG_CACHE_BYTES", "")
    monkeypatch.setenv("AESG_TEST_SERVER", "elsewhere")
    assert StoreSettings() == StoreSettings(cache_bytes=4 * 2**30)


def test_importing_reads_no_environment():
    # What would be refused does not hurt before settings are made.
    code = "import aesg_graph, aesg_graph.config as c; c.AESGConfig(); print('fine')"
    environment = {"AESG_GRAPH": "bolt://nowhere", "AESG_CACHE_BYTES": "lots", "AESG_VECTOR_DIM": "-1"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout.strip()) == (0, "fine"), run.stderr


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("65536", 65536),
        (" 64 KiB ", 65536),
        ("512MiB", 512 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("2GB", 2_000_000_000),
        ("100k", 100_000),
        ("1tib", 2**40),
        ("65536B", 65536),
        (65536, 65536),
    ],
)
def test_sizes_may_be_text_with_a_unit(monkeypatch, text, size):
    assert StoreSettings(cache_bytes=text).cache_bytes == size
    monkeypatch.setenv("AESG_JOURNAL_BYTES", str(text))
    assert StoreSettings().journal_bytes == size


@pytest.mark.parametrize("name", ["cache_bytes", "journal_bytes"])
@pytest.mark.parametrize(
    "bad", ["lots", "", "5 apples", "-1GiB", "MiB", "1e9", 4095, -1, True, 1e6, 2**51, "9" * 400 + ".5", None]
)
def test_sizes_that_are_none_are_refused(name, bad):
    fault = faults(**{name: bad})[name]
    assert fault.startswith(f"got {bad!r}"[:80])
    assert fault.endswith("2^50], a whole number or text such as '512MiB'")


def test_a_size_beyond_its_range_is_shown_in_bytes():
    assert faults(cache_bytes="2000TiB")["cache_bytes"].startswith(f"got {2000 * 2**40}, expected bytes in [4096, ")


@pytest.mark.parametrize("name", [n for n in StoreSettings.model_fields if n.endswith(("_timeout", "_interval"))])
@pytest.mark.parametrize("bad", ["soon", "nan", "inf", float("nan"), float("inf"), -1, True, None, 86401])
def test_times_that_are_none_are_refused(name, bad):
    assert "expected float in " in faults(**{name: bad})[name]


def test_a_timeout_is_longer_than_nothing_but_a_refresh_may_happen_every_time():
    assert faults(flush_timeout=0)["flush_timeout"] == "got 0, expected float in (0.0, 86400.0]"
    assert StoreSettings(refresh_interval=0).refresh_interval == 0.0


@pytest.mark.parametrize("name", ["a", "digits", "A-b_c.9", "x" * 128])
def test_memory_names_may_have_letters_digits_and_three_signs(name):
    assert StoreSettings(memory=name).memory == name


@pytest.mark.parametrize("bad", ["", "a b", "a/b", "ä", "a\n", "x" * 129, 3])
def test_other_memory_names_are_refused(bad):
    assert faults(memory=bad)["memory"].endswith("expected 1 to 128 of A-Z, a-z, 0-9, _, . and -, or None")


def test_two_addresses_choose_the_served_engine():
    settings = StoreSettings(memory="digits", graph="neo4j+s://host:7687", vectors="https://host:6333")
    assert settings.engine == "served"


GRAPH = "expected bolt, bolt+s, bolt+ssc, neo4j, neo4j+s, neo4j+ssc with ://host:port, 'embedded' or None"
VECTORS = "expected http, https with ://host:port, 'embedded' or None"


@pytest.mark.parametrize(("name", "expected"), [("graph", GRAPH), ("vectors", VECTORS)])
def test_addresses_with_an_unknown_scheme_or_no_host_are_refused(name, expected):
    assert faults(**{name: "ftp://host:7687"})[name] == f"got ftp://..., {expected}"
    assert faults(**{name: "somewhere"})[name] == f"got str that is no address, {expected}"
    assert faults(**{name: 3})[name] == f"got int that is no address, {expected}"


def test_addresses_hold_no_password_and_name_a_host():
    assert "in it" in faults(graph="bolt://me:hush@host")["graph"]
    assert "hush" not in faults(graph="bolt://me:hush@host")["graph"]
    assert "without a host" in faults(vectors="http://")["vectors"]
    assert "a host or port that is none" in faults(vectors="http://host:99999999")["vectors"]


def test_graph_and_vectors_are_of_one_engine():
    wanted = "expected the address of a server, as {} is one"
    assert faults(memory="a", graph="bolt://host")["vectors"] == f"got None, {wanted.format('graph')}"
    assert faults(memory="a", vectors="http://host", graph="embedded") == {
        "graph": f"got 'embedded', {wanted.format('vectors')}"
    }


def test_servers_need_the_memorys_name():
    assert faults(graph="bolt://host", vectors="http://host") == {
        "memory": "got None, expected the memory's name: servers hold more than one"
    }


def test_a_secret_is_given_once():
    assert faults(password="hush", password_file="/run/secrets/neo4j") == {
        "password": "given as well as password_file, expected one of them"
    }


def test_one_error_names_every_bad_and_every_unknown_setting(monkeypatch):
    monkeypatch.setenv("AESG_DURABILITY", "forever")
    assert faults(memory="a b", cache_bites=1, flush_timeout=0) == {
        "memory": "got 'a b', expected 1 to 128 of A-Z, a-z, 0-9, _, . and -, or None",
        "durability": "got 'forever', expected one of 'process', 'power'",
        "flush_timeout": "got 0, expected float in (0.0, 86400.0]",
        "cache_bites": "unknown, did you mean 'cache_bytes'?",
    }


def test_settings_cannot_be_changed():
    settings = StoreSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.durability = "power"
    assert settings.durability == "process"


SECRET = "correct horse battery staple"


def test_secrets_do_not_show_in_settings(caplog):
    settings = StoreSettings(user="neo", password=SECRET, api_key=SECRET)
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r", settings, settings)
    for text in (repr(settings), str(settings), caplog.text, str(settings.model_dump()), settings.model_dump_json()):
        assert SECRET not in text
    assert settings.password.get_secret_value() == SECRET


@pytest.mark.parametrize(
    "settings",
    [
        {"password": [SECRET]},
        {"api_key": SECRET.encode() + b"\xff"},
        {"pasword": SECRET},
        {"colour": SECRET},
        {"graph": f"neo4j://neo:{SECRET}@host"},
        {"graph": f"neo:{SECRET}@host"},
        {"vectors": f"{SECRET}://host"},
        {"vectors": f"http://neo:{SECRET}@host".encode()},
        {"password": SECRET, "memory": "a b"},
    ],
    ids=str,
)
def test_secrets_do_not_show_in_errors(settings):
    with pytest.raises(AESGConfigError) as caught:
        StoreSettings(**settings)
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert SECRET not in shown.replace("\\", "")
    assert caught.value.__context__ is None
