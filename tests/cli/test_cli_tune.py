"""aesg tune: what it prints for people and machines, and what it refuses to read."""

import json
import pickle

import numpy as np
import pytest

from aesg_graph.config import AESGConfig
from aesg_graph.engine import tuning

D = 6


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """Sixty queries around three directions, in files."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    queries = (np.eye(D)[labels] + 0.1 * rng.normal(size=(60, D))).astype(np.float32)
    np.save("queries.npy", queries)
    np.save("labels.npy", np.array(["one", "two", "three"])[labels])
    np.save("values.npy", np.eye(3)[labels])
    return queries


def test_people_get_a_table_a_proposal_and_lines_to_paste(aesg, sample):
    answer = aesg("tune", "queries.npy", "--labels", "labels.npy")
    assert (answer.code, answer.err) == (0, "")
    assert "taught 48 rows, asked 12" in answer.out
    assert "proposed (*), the fewest concepts" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "that do no better" in answer.out
    lines = answer.out[answer.out.index("config = AESGConfig(") :]
    said = {"AESGConfig": AESGConfig}
    exec(lines[: lines.index("\n)") + 2], said)
    assert (said["config"].vector_dim, said["config"].value_dim) == (D, 3)
    everything = aesg("tune", "queries.npy", "--labels", "labels.npy", "--all").out
    assert len(everything.splitlines()) > len(answer.out.splitlines())


def test_machines_get_one_object_with_every_trial(aesg, sample):
    said = aesg("tune", "queries.npy", "--values", "values.npy", "--json").json
    assert len(said["trials"]) == len(tuning.THRESHOLDS) * len(tuning.BIRTHS) * 2
    assert said["chosen"] in said["trials"]
    assert said["chosen"]["concepts"] == 3
    assert AESGConfig.from_json(json.dumps(said["config"])).value_dim == 3
    assert (said["taught"], said["held_out"]) == (48, 12)


def test_a_configuration_is_kept_but_for_what_is_proposed(aesg, sample, tmp_path):
    config = AESGConfig(vector_dim=D, top_k=4, fan=1.0)
    (tmp_path / "config.json").write_text(config.to_json())
    said = aesg("tune", "queries.npy", "--config", "config.json", "--json").json["config"]
    assert (said["top_k"], said["fan"], said["vector_dim"]) == (4, 1.0, D)


def test_the_mean_to_subtract_is_told_where_queries_are_crowded(aesg, sample):
    np.save("crowded.npy", sample + 2)
    assert "mean = sample.mean(axis=0)" in aesg("tune", "crowded.npy").out
    said = aesg("tune", "crowded.npy", "--json").json
    assert said["centre"] is True
    np.testing.assert_allclose(said["mean"], (sample + 2).mean(axis=0), rtol=1e-5)
    assert aesg("tune", "queries.npy", "--json").json["mean"] is None


def test_a_plot_is_drawn(aesg, sample, tmp_path):
    assert aesg("tune", "queries.npy", "--plot", "tuning.svg").code == 0
    assert "<svg" in (tmp_path / "tuning.svg").read_text()


def test_nothing_but_the_plot_is_written(aesg, sample, tmp_path, path):
    before = sorted(tmp_path.rglob("*"))
    aesg("tune", "queries.npy")
    assert sorted(tmp_path.rglob("*")) == before


def bad(tmp_path):
    """Files that hold no sample, each with what is said of it."""
    np.save("objects.npy", np.array([{}, []], object), allow_pickle=True)
    (tmp_path / "pickled.npy").write_bytes(pickle.dumps([1, 2]))
    np.savez("several.npz", a=np.ones(3), b=np.ones(3))
    (tmp_path / "empty.npy").write_bytes(b"")
    whole = (tmp_path / "queries.npy").read_bytes()
    (tmp_path / "short.npy").write_bytes(whole[:-40])
    (tmp_path / "boastful.npy").write_bytes(whole.replace(b"(60, 6)", b"(6000000000, 6)"))
    np.save("nan.npy", np.full((60, D), np.nan))
    np.save("flat.npy", np.ones(60))
    np.save("few.npy", np.eye(D))
    np.save("none.npy", np.empty((0, D)))
    return {
        "objects.npy": "cannot be read",
        "pickled.npy": "cannot be read",
        "several.npz": "holds several arrays",
        "empty.npy": "cannot be read",
        "short.npy": "cannot be read",
        "boastful.npy": "cannot be read",
        "missing.npy": "cannot be read",
        ".": "cannot be read",
        "nan.npy": "expected finite numbers",
        "flat.npy": "shape [60], expected [N, D]",
        "few.npy": "6 rows, expected at least 20",
        "none.npy": "empty batch",
    }


def test_what_is_no_sample_is_told_in_a_sentence(aesg, sample, tmp_path):
    for file, said in bad(tmp_path).items():
        answer = aesg("tune", file)
        assert (answer.code, answer.out) == (3, ""), file
        assert said in answer.err, file
        assert "Traceback" not in answer.err
        error = aesg("tune", file, "--json")
        assert error.code == 3
        assert said in json.loads(error.err)["error"]


def test_labels_values_and_configurations_that_do_not_fit_are_told(aesg, sample, tmp_path):
    (tmp_path / "wide.json").write_text(AESGConfig(vector_dim=9).to_json())
    (tmp_path / "bad.json").write_text("{")
    np.save("more.npy", np.ones((61, 2)))
    for arguments, said in (
        (("--values", "more.npy"), "61 rows, expected 60"),
        (("--values", "values.npy", "--labels", "labels.npy"), "both given"),
        (("--config", "wide.json"), "expected [N, 9]"),
        (("--config", "bad.json"), "expected JSON text"),
        (("--config", "missing.json"), "cannot be read"),
    ):
        answer = aesg("tune", "queries.npy", *arguments)
        assert answer.code == 3
        assert said in answer.err
    assert aesg("tune").code == 2
    assert aesg("tune", "queries.npy", "--passes", 0).code == 2


def test_without_matplotlib_a_plot_is_refused_before_the_work(aesg, sample, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)

    def never(*given, **named):
        raise AssertionError("candidates were tried")

    monkeypatch.setattr(tuning, "fit_config", never)
    answer = aesg("tune", "queries.npy", "--plot", "tuning.png")
    assert answer.code == 3
    assert "aesg-graph[plots]" in answer.err
