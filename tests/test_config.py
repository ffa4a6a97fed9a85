"""AESGConfig: what it accepts, what it refuses and how it says so, and that it comes back from JSON as it was."""

import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesg_graph.aging import Thresholds
from aesg_graph.concepts import BUILTIN_RELATIONS, RelationType
from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGConfigError

FIELDS = {f.name: f.default for f in dataclasses.fields(AESGConfig)}
INTEGERS = [n for n, v in FIELDS.items() if type(v) is int] + ["max_fanout"]
FLOATS = [n for n, v in FIELDS.items() if type(v) is float]

# name: (lowest accepted, highest accepted, refused below, refused above)
RANGES = {
    "vector_dim": (1, 8192, 0, 8193),
    "value_dim": (0, 65536, -1, 65537),
    "max_concepts": (1, 10**9, 0, 10**9 + 1),
    "max_edges_per_node": (1, 10**9, 0, 10**9 + 1),
    "seeds": (1, 1024, 0, 1025),
    "seed_threshold": (0, 0.999, -0.001, 1),
    "spreading_activation_steps": (0, 100, -1, 101),
    "spreading_activation_decay": (0, 1, -0.001, 1.001),
    "fan": (0, 1, -0.001, 1.001),
    "min_energy": (5e-324, 1e300, 0, None),
    "max_fanout": (1, 10**9, 0, 10**9 + 1),
    "top_k": (1, 65536, 0, 65537),
    "region_facilitation_multiplier": (0, 1000, -0.001, 1000.1),
    "scan_limit": (0, 10**9, -1, 10**9 + 1),
    "novelty_explanation_threshold": (0, 1, -0.001, 1.001),
    "novelty_birth_threshold": (1, 10**9, 0, 10**9 + 1),
    "novelty_buffer": (1, 65536, 0, 65537),
    "agreement": (-1, 1, -1.001, 1.001),
    "coactivation_threshold_create": (1, 10**9, 0, 10**9 + 1),
    "read_temperature": (1e-6, 1e6, 0, 1e7),
    "relevance_boost": (0, 1000, -0.001, 1000.1),
    "relevance_decay": (5e-324, 1 - 1e-16, 0, 1),
    "survival_threshold_relevance": (0, 1, -0.001, 1.001),
    "survival_threshold_frequency": (0, 10**9, -1, 10**9 + 1),
    "survival_min_age": (0, 10**9, -1, 10**9 + 1),
    "max_prune_fraction": (0, 1, -0.001, 1.001),
    "consolidation_epoch_interval": (1, 10**9, 0, 10**9 + 1),
    "region_detection_interval": (1, 10**9, 0, 10**9 + 1),
    "merge_similarity_threshold": (0, 1, -0.001, 1.001),
    "learning_rate": (5e-324, 1e300, 0, None),
    "batch_size": (1, 10**9, 0, 10**9 + 1),
    "prune_confidence_threshold": (0, 1, -0.001, 1.001),
    "split_density_threshold": (1, 10**9, 0, 10**9 + 1),
}


def faults(**parameters):
    with pytest.raises(AESGConfigError) as caught:
        AESGConfig(**parameters)
    assert caught.value.subsystem == "config"
    assert caught.value.__context__ is None
    assert str(caught.value).startswith("Configuration validation failed:\nParameter '")
    return caught.value.errors


# Defaults and ranges


def test_defaults_are_those_of_the_design():
    assert AESGConfig() == AESGConfig(
        vector_dim=256,
        value_dim=0,
        max_concepts=1_000_000,
        seeds=3,
        seed_threshold=0.1,
        spreading_activation_steps=3,
        spreading_activation_decay=0.8,
        fan=0.5,
        min_energy=1e-3,
        max_fanout=None,
        top_k=10,
        region_facilitation_multiplier=1.5,
        novelty_explanation_threshold=0.6,
        novelty_birth_threshold=3,
        novelty_buffer=256,
        read_temperature=0.05,
        agreement=0.5,
        relevance_boost=0.1,
        relevance_decay=0.95,
        survival_threshold_relevance=0.05,
        survival_threshold_frequency=5,
        survival_min_age=5,
        max_prune_fraction=0.1,
        consolidation_epoch_interval=10,
        region_detection_interval=50,
        coactivation_threshold_create=50,
        merge_similarity_threshold=0.95,
        max_edges_per_node=1000,
    )


def test_every_number_has_a_range_that_is_tested():
    assert set(RANGES) == {*INTEGERS, *FLOATS}


@pytest.mark.parametrize("name", RANGES)
def test_both_ends_of_a_range_are_accepted_and_what_lies_beyond_is_not(name):
    lowest, highest, below, above = RANGES[name]
    for good in (lowest, highest):
        assert getattr(AESGConfig(**{name: good}), name) == good
    for bad in (below, above):
        if bad is not None:
            assert faults(**{name: bad})[name].startswith(f"got {bad!r}, expected ")


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("bad", [True, "3", 3.0, math.nan, math.inf, [3], np.float64(3), np.bool_(True), 10**400, b"3"])
def test_what_is_no_integer_is_refused_for_one(name, bad):
    assert "expected integer " in faults(**{name: bad})[name]


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize(
    "bad", [True, "0.5", math.nan, math.inf, -math.inf, None, [0.5], np.float64("nan"), np.bool_(True), 10**400, 1j]
)
def test_what_is_no_finite_number_is_refused_for_a_float(name, bad):
    assert "expected float " in faults(**{name: bad})[name]


@pytest.mark.parametrize(
    ("name", "bad", "expected"),
    [
        ("memory_mode", "train", "got 'train', expected one of 'TRAIN', 'FINETUNE', 'INFERENCE', 'ONLINE'"),
        ("log_level", 10, "got 10, expected one of 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'"),
        ("abstraction_enabled", 1, "got 1, expected True or False"),
        ("storage_directory", "", "got '', expected a path as text, or None"),
        ("max_fanout", "all", "got 'all', expected integer in [1, 1000000000] or None"),
        ("min_energy", -1, "got -1, expected float > 0.0"),
        ("seed_threshold", 1.0, "got 1.0, expected float in [0.0, 1.0)"),
        ("relevance_decay", 1, "got 1, expected float in (0.0, 1.0)"),
        pytest.param("top_k", 10**5000, "got a number too long to show, expected integer in [1, 65536]", id="long"),
        ("top_k", "x" * 1000, "got '" + "x" * 76 + "..., expected integer in [1, 65536]"),
    ],
)
def test_a_fault_says_what_was_given_and_what_is_expected(name, bad, expected):
    assert faults(**{name: bad}) == {name: expected}


def test_integers_and_numbers_of_numpy_are_welcome_and_become_plain():
    config = AESGConfig(vector_dim=np.int64(64), fan=1, seed_threshold=np.float32(0.25))
    assert [type(v) for v in (config.vector_dim, config.fan, config.seed_threshold)] == [int, float, float]
    assert (config.vector_dim, config.fan, config.seed_threshold) == (64, 1.0, 0.25)


# Errors


def test_one_error_names_every_bad_parameter_in_the_form_that_users_know():
    with pytest.raises(AESGConfigError) as caught:
        AESGConfig(vector_dim=-1, spreading_activation_decay=5.0)
    assert caught.value.message == (
        "Configuration validation failed:\n"
        "Parameter 'vector_dim': got -1, expected integer in [1, 8192]\n"
        "Parameter 'spreading_activation_decay': got 5.0, expected float in [0.0, 1.0]"
    )


def test_an_error_names_every_parameter_when_all_are_bad():
    bad = dict.fromkeys(FIELDS, "nonsense") | {"storage_directory": 3}
    assert set(faults(**bad)) == set(FIELDS)


def test_unknown_parameters_are_named_beside_bad_ones_and_a_close_one_is_suggested():
    assert faults(vector_dims=64, colour="red", fan=2) == {
        "fan": "got 2, expected float in [0.0, 1.0]",
        "vector_dims": "unknown, did you mean 'vector_dim'?",
        "colour": "unknown, expected a documented parameter, by name",
    }


def test_parameters_are_given_by_name():
    assert faults_of_positional() == {"0": "unknown, expected a documented parameter, by name"}


def faults_of_positional():
    with pytest.raises(AESGConfigError) as caught:
        AESGConfig(64)
    return caught.value.errors


# Relations


@pytest.mark.parametrize(
    "given_form",
    [
        {"EATS": (1, 0.5), "MARRIED_2": RelationType("MARRIED_2", 1.0, 1.0, symmetric=True)},
        [RelationType("MARRIED_2", 1, 1, symmetric=True), RelationType("EATS", 1, np.float32(0.5))],
        ({"name": "MARRIED_2", "forward": 1.0, "backward": 1.0, "symmetric": True}, RelationType("EATS", 1, 0.5)),
    ],
)
def test_relations_in_any_form_are_the_same_relations(given_form):
    config = AESGConfig(relations=given_form)
    assert config.relations == (RelationType("EATS", 1.0, 0.5), RelationType("MARRIED_2", 1.0, 1.0, symmetric=True))
    assert all(type(r.forward) is type(r.backward) is float for r in config.relations)
    assert config.vocabulary.names == (*BUILTIN_RELATIONS, "EATS", "MARRIED_2")


def test_gains_of_a_built_in_relation_may_be_changed_but_not_its_symmetry():
    config = AESGConfig(relations={"SIMILARITY": (0.5, 0.5), "CONTRADICTS": (0.0, 0.25)})
    assert config.vocabulary.gains[config.vocabulary.code("SIMILARITY")].tolist() == [0.5, 0.5]
    assert config.vocabulary.gains[config.vocabulary.code("CONTRADICTS")].tolist() == [0.0, 0.25]
    assert "a built-in type keeps that" in relation_fault([RelationType("CAUSAL", 1.0, 1.0, symmetric=True)])
    assert "a built-in type keeps that" in relation_fault([RelationType("SIMILARITY", 1.0, 1.0, symmetric=False)])
    assert "expected equal ones" in relation_fault({"SIMILARITY": (0.5, 0.25)})


def relation_fault(relations):
    return faults(relations=relations)["relations"]


@pytest.mark.parametrize("name", ["likes", "", "_A", "1A", "A B", "A-B", "Ä", "A\n", "A" * 65])
def test_a_relation_needs_an_upper_snake_name(name):
    assert relation_fault({name: (1, 0)}) == (
        f"got the name {name!r}, expected A-Z, 0-9 and _, beginning with a letter, at most 64"
    )


@pytest.mark.parametrize("gain", [-0.5, math.nan, math.inf, True, "1", None, 10**400])
def test_a_gain_is_a_finite_number_that_is_not_negative(gain):
    for pair in ((gain, 0), (0, gain)):
        assert relation_fault({"EATS": pair}).endswith("for EATS, expected a finite number >= 0")


@pytest.mark.parametrize(
    ("relations", "expected"),
    [
        (3, "expected a mapping"),
        ("EATS", "expected a mapping"),
        (None, "expected a mapping"),
        (["EATS"], "expected a RelationType"),
        ([{"forward": 1}], "expected a RelationType"),
        ([{"name": "EATS", "speed": 1}], "expected a RelationType"),
        ([{"name": 3}], "got the name 3"),
        ({"EATS": 1.0}, "expected (forward, backward) or a RelationType"),
        ({"EATS": (1, 2, 3)}, "expected (forward, backward) or a RelationType"),
        ({3: (1, 2)}, "expected (forward, backward) or a RelationType"),
        ({"EATS": RelationType("BREEDS")}, "expected the same name"),
        ([RelationType("EATS"), RelationType("EATS", 0.5)], "got EATS more than once"),
        ([RelationType("EATS", 1, 1, symmetric=1)], "got symmetric=1 for EATS"),
        ({f"R{i}": (1, 0) for i in range(1001)}, "expected at most 1000"),
    ],
)
def test_relations_in_a_form_that_cannot_be_read_are_refused(relations, expected):
    assert expected in relation_fault(relations)


# Frozen


def test_a_configuration_cannot_be_changed_but_a_changed_copy_is_checked():
    config = AESGConfig(vector_dim=8)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.vector_dim = 9
    assert dataclasses.replace(config, fan=1.0) == AESGConfig(vector_dim=8, fan=1.0)
    with pytest.raises(AESGConfigError, match="'fan': got 2"):
        dataclasses.replace(config, fan=2)


def test_equal_configurations_are_one_key_and_survive_pickling():
    config = AESGConfig(relations={"EATS": (1, 0)})
    assert config.vocabulary is config.vocabulary
    assert pickle.loads(pickle.dumps(config)) == config
    assert len({config, AESGConfig(relations={"EATS": (1.0, 0.0)}), AESGConfig()}) == 2


def test_thresholds_are_what_aging_needs_of_the_configuration():
    config = AESGConfig(relevance_boost=0.2, relevance_decay=0.9, survival_min_age=7)
    assert config.thresholds == Thresholds(0.2, 0.9, 0.05, 5, 7)


def test_differences_name_what_differs_and_both_values():
    one, other = AESGConfig(vector_dim=8, max_fanout=4), AESGConfig(vector_dim=8, fan=0.0)
    assert one.differences(other) == {"max_fanout": (4, None), "fan": (0.5, 0.0)}
    assert one.differences(one) == {}


# Presets


@pytest.mark.parametrize(
    ("preset", "vector_dim", "max_concepts"),
    [
        (AESGConfig.for_text, 128, 500_000),
        (AESGConfig.for_image, 256, 200_000),
        (AESGConfig.for_classification, 64, 100_000),
    ],
)
def test_presets_have_their_sizes_and_take_overrides(preset, vector_dim, max_concepts):
    assert preset() == AESGConfig(vector_dim=vector_dim, max_concepts=max_concepts)
    assert preset(vector_dim=32, top_k=4) == AESGConfig(vector_dim=32, max_concepts=max_concepts, top_k=4)
    with pytest.raises(AESGConfigError, match="'vector_dim': got 0"):
        preset(vector_dim=0)


# JSON


def numbers(name):
    lowest, highest, *_ = RANGES[name]
    if name in INTEGERS:
        return st.integers(lowest, highest)
    return st.floats(lowest, highest)


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True).filter(lambda name: name not in BUILTIN_RELATIONS)
GAINS = st.floats(0, allow_infinity=False)
RELATIONS = st.dictionaries(NAMES, st.tuples(GAINS, GAINS), max_size=3)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={name: numbers(name) for name in RANGES}
    | {
        "relations": RELATIONS,
        "storage_directory": st.text(st.characters(), min_size=1),
        "memory_mode": st.sampled_from(["TRAIN", "FINETUNE", "INFERENCE", "ONLINE"]),
        "abstraction_enabled": st.booleans(),
        "log_level": st.sampled_from(["DEBUG", "ERROR"]),
    },
).map(lambda parameters: AESGConfig(**parameters))


@given(CONFIGS)
def test_json_gives_back_the_same_configuration_to_the_last_bit(config):
    again = AESGConfig.from_json(config.to_json())
    assert again == config
    assert again.to_json() == config.to_json()


def test_json_is_an_object_of_every_parameter_for_people_to_read():
    text = AESGConfig(vector_dim=128).to_json()
    assert text.startswith('{\n  "vector_dim": 128,\n')
    assert set(json.loads(text)) == set(FIELDS)


def test_parameters_that_json_lacks_have_their_defaults():
    assert AESGConfig.from_json('{"vector_dim": 16}') == AESGConfig(vector_dim=16)
    assert AESGConfig.from_json(b"{}") == AESGConfig()


@pytest.mark.parametrize(
    "text", ["", "{", "nonsense", "[" * 100_000, b"\xff\xfe\xfd", None, 3, '{"fan": 1' + "0" * 5000]
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(AESGConfigError, match=r"^Configuration validation failed: got .* expected JSON text"):
        AESGConfig.from_json(text)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"vector_dim"'])
def test_json_that_is_no_object_is_refused(text):
    with pytest.raises(AESGConfigError, match="expected a JSON object of parameters"):
        AESGConfig.from_json(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"vector_dimension": 3}', "vector_dimension"),
        ('{"self": 3}', "self"),
        ('{"fan": NaN}', "fan"),
        ('{"min_energy": 1e999}', "min_energy"),
        ('{"seeds": 3.0}', "seeds"),
        ('{"relations": [{"name": "eats"}]}', "relations"),
    ],
)
def test_json_with_bad_or_unknown_parameters_is_refused_by_name(text, name):
    with pytest.raises(AESGConfigError) as caught:
        AESGConfig.from_json(text)
    assert list(caught.value.errors) == [name]
