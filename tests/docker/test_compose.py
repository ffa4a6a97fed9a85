"""compose.yaml as far as it can be checked without Docker: parsed, and its settings given to a real Neo4j."""

import re
import subprocess
from pathlib import Path

import neo4j
import pytest
import yaml

from tests.servers.neo4j_server import CONF, Neo4jServer
from tests.servers.plugin import built_jar

FOLDER = Path(__file__).parents[2] / "docker"
PLUGIN = FOLDER.parent / "aesg_graph" / "stores" / "neo4j" / "plugin"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_processes_are_held_in(name):
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+", service["image"])
    assert service["user"].split(":")[0] not in ("0", "root")
    assert {"healthcheck", "mem_limit", "cpus", "pids_limit", "logging", "volumes"} <= service.keys()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "no-new-privileges:true" in service["security_opt"]


def test_volumes_and_secrets_that_are_used_are_declared():
    for service in SERVICES.values():
        named = {volume.split(":")[0] for volume in service["volumes"] if not volume.startswith(".")}
        assert named <= COMPOSE["volumes"].keys()
        assert set(service["secrets"]) <= COMPOSE["secrets"].keys()


def test_secrets_are_files_and_in_no_variable(tmp_path):
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("./secrets/")
    for service in SERVICES.values():
        assert not [n for n in service["environment"] if re.search("PASSWORD|API_KEY|AUTH$", n)]


def test_the_script_makes_every_secret_once(tmp_path):
    script = tmp_path / "secrets.sh"
    script.write_text((FOLDER / "secrets.sh").read_text())
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(["sh", str(script)], check=True, capture_output=True)
    assert made == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= made.keys()
    assert made["neo4j_auth"] == f"neo4j/{made['neo4j_password']}"
    assert len(made["neo4j_password"]) == len(made["qdrant_api_key"]) == 32
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def settings_of(environment):
    """What the image makes of its variables: ``NEO4J_a_b__c`` is the setting ``a.b_c``."""
    named = {n.removeprefix("NEO4J_"): v for n, v in environment.items() if n.startswith("NEO4J_") and "AUTH" not in n}
    return {n.replace("__", "\0").replace("_", ".").replace("\0", "_"): v for n, v in named.items()}


def test_a_real_neo4j_takes_the_settings_under_strict_validation(tmp_path):
    settings = settings_of(SERVICES["neo4j"]["environment"])
    assert settings["server.config.strict_validation.enabled"] == "true"
    own = {line.partition("=")[0] for line in CONF.splitlines()}  # the test server's sizes are smaller
    conf = "".join(f"{name}={value}\n" for name, value in settings.items() if name not in own)
    with Neo4jServer.create(tmp_path / "neo4j", plugins=(built_jar(),), conf=conf) as server:
        assert "aesg.prune" in procedures(server)


def procedures(server):
    """What the plugin offers on a server."""
    with neo4j.GraphDatabase.driver(server.url, auth=(server.user, server.password)) as driver:
        found = driver.execute_query("SHOW PROCEDURES YIELD name WHERE name STARTS WITH 'aesg.' RETURN name").records
    return {record["name"] for record in found}


def test_an_allowlist_without_the_procedures_hides_them(tmp_path):
    conf = "dbms.security.procedures.allowlist=db.*\n"
    with Neo4jServer.create(tmp_path / "neo4j", plugins=(built_jar(),), conf=conf) as server:
        assert procedures(server) == set()


def test_the_plugin_is_mounted_where_make_puts_it():
    (mount,) = [volume for volume in SERVICES["neo4j"]["volumes"] if volume.endswith(":/plugins:ro")]
    assert (FOLDER / mount.split(":")[0]).resolve() == PLUGIN.resolve()


def test_a_setting_that_does_not_exist_would_be_noticed(tmp_path):
    conf = "server.config.strict_validation.enabled=true\ndb.no.such.setting=1\n"
    with pytest.raises(RuntimeError, match=r"db\.no\.such\.setting"):
        Neo4jServer.create(tmp_path / "neo4j", conf=conf)
