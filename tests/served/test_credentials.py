"""Credentials are in no log, error, repr, file, answer or process argument."""

import contextlib
import io
import logging
import os
import pickle
import traceback

import pytest
import torch
from typer.testing import CliRunner

from aesg_graph import AESGMemory, StoreSettings
from aesg_graph.cli.app import app
from aesg_graph.errors import AESGError, AESGStorageError
from tests.served.world import CONFIG, V, migrated, settings_for, vectors

SECRETS = ("correct-horse-battery", "an-api-key-of-ours")
runner = CliRunner()


@pytest.fixture
def log():
    """Everything that anybody logs, at every level."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    names = [logging.getLogger(name) for name in ("", "aesg_graph", "neo4j", "grpc", "qdrant_client")]
    before = [(logger, logger.level) for logger in names]
    for logger in names:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    for logger, level in before:
        logger.setLevel(level)


def silent(*texts):
    for text in texts:
        for secret in SECRETS:
            assert secret not in text


@pytest.fixture
def wrong(neo4j_server, qdrant_server, request):
    """Settings with secrets that the servers refuse, or that no server hears."""
    known = settings_for(neo4j_server, qdrant_server, "secret", connect_timeout=1.0, request_timeout=2.0)
    given = {name: getattr(known, name) for name in known.model_fields_set}
    return StoreSettings(**given | {"password": SECRETS[0], "api_key": SECRETS[1], "retry_timeout": 0.0})


@pytest.mark.parametrize(
    "changed", [{}, {"graph": "bolt://127.0.0.1:1"}, {"grpc_port": 1, "graph": "neo4j://127.0.0.1:1"}]
)
def test_errors_and_logs_of_servers_that_refuse_or_are_away(tmp_path, wrong, log, changed):
    settings = wrong.model_copy(update=changed)
    with pytest.raises(AESGStorageError) as caught:
        AESGMemory(tmp_path / "a", CONFIG, stores=settings)
    whole = "".join(traceback.format_exception(caught.value))
    silent(str(caught.value), repr(caught.value), whole, log.getvalue(), repr(settings), str(settings))
    silent(settings.model_dump_json(), repr(wrong), str(pickle.loads(pickle.dumps(caught.value))))


def test_bad_settings_do_not_show_what_was_given():
    for bad in (
        {"passwort": SECRETS[0]},
        {"password": SECRETS[0], "password_file": "/x"},
        {"password": SECRETS[0], "graph": f"bolt://me:{SECRETS[0]}@host"},
        {"api_key": SECRETS[1], "vectors": f"http://host?api_key={SECRETS[1]}", "journal_bytes": -1},
    ):
        with pytest.raises(AESGError) as caught:
            StoreSettings(**bad)
        silent(str(caught.value), "".join(traceback.format_exception(caught.value)))


@pytest.fixture
def memory(neo4j_server, qdrant_server, tmp_path, log):
    """A memory on servers; its password is the server's own."""
    migrated(neo4j_server)
    settings = settings_for(neo4j_server, qdrant_server, "credentials")
    memory = AESGMemory(tmp_path / "a", CONFIG, stores=settings)
    memory.create(torch.from_numpy(vectors(3)), torch.from_numpy(vectors(3, 1, V)))
    memory.flush()
    yield memory
    memory.close()
    from aesg_graph.stores.neo4j import Neo4jGraphStore
    from aesg_graph.stores.qdrant import QdrantVectorStore

    Neo4jGraphStore.destroy(settings)
    QdrantVectorStore.destroy(settings)


def test_an_open_memory_tells_nobody(memory, neo4j_server, tmp_path, log):
    said = [repr(memory), repr(memory.engine), str(memory.stats()), str(memory.history()), str(memory.health())]
    said += [repr(memory.engine.settings), log.getvalue(), " ".join(os.sys.argv)]
    for text in said:
        assert neo4j_server.password not in text
    for path in (tmp_path / "a").rglob("*"):
        if path.is_file():
            assert neo4j_server.password.encode() not in path.read_bytes(), path


def test_a_pickle_has_no_secret_and_is_opened_with_those_of_the_environment(
    memory, neo4j_server, tmp_path, monkeypatch
):
    model = torch.nn.Sequential(memory)
    torch.save(model, tmp_path / "model.pt")
    data = (tmp_path / "model.pt").read_bytes() + pickle.dumps(memory)
    assert neo4j_server.password.encode() not in data
    monkeypatch.setenv("AESG_PASSWORD", neo4j_server.password)
    again = pickle.loads(pickle.dumps(memory))
    assert again.retrieve(torch.from_numpy(vectors(3))).ids.shape == (3, CONFIG.top_k)
    again.close()


def test_commands_print_no_secret_and_take_none_as_an_argument(neo4j_server, qdrant_server, tmp_path):
    environment = {
        "AESG_GRAPH": neo4j_server.url,
        "AESG_VECTORS": qdrant_server.url,
        "AESG_GRPC_PORT": str(qdrant_server.grpc_port or ""),
        "AESG_MEMORY": "secret",
        "AESG_PASSWORD": SECRETS[0],
        "AESG_API_KEY": SECRETS[1],
        "AESG_CONNECT_TIMEOUT": "2",
    }
    for words in (["stats"], ["check"], ["migrate", "status"], ["export", str(tmp_path / "x.jsonl")], ["history"]):
        with contextlib.chdir(tmp_path):
            answer = runner.invoke(app, words, env=environment)
        assert answer.exit_code != 0, words
        silent(answer.output)
    for words in (["--help"], ["migrate", "apply", "--help"], ["backup", "--help"]):
        options = runner.invoke(app, words).output
        assert "--password " not in options
        assert "--api-key " not in options
