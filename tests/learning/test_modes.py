"""What each mode allows."""

import pytest

from aesg_graph.config import AESGConfig
from aesg_graph.errors import AESGMemoryError
from aesg_graph.learning import LearningRules, MemoryMode, Mode

ALLOWED = {
    #                 creates touches prunes consolidates reorganises takes_first factor
    Mode.TRAIN: (True, True, True, True, True, True, 1),
    Mode.FINETUNE: (True, True, False, True, False, False, 10),
    Mode.INFERENCE: (False, False, False, False, False, False, 1),
    Mode.ONLINE: (True, True, False, True, False, True, 1),
}


@pytest.mark.parametrize("mode", list(Mode))
def test_a_mode_allows_what_the_table_says(mode):
    allowed = (mode.creates, mode.touches, mode.prunes, mode.consolidates, mode.reorganises, mode.takes_first)
    assert (*allowed, mode.birth_factor) == ALLOWED[mode]


@pytest.mark.parametrize("mode", list(Mode))
def test_a_mode_is_found_by_name_and_is_its_own(mode):
    assert Mode.parse(mode.name) is mode
    assert Mode.parse(mode) is mode


@pytest.mark.parametrize(
    ("name", "shown"),
    [("INVALID", "'INVALID'"), ("train", "'train'"), ("", "''"), (None, "None"), (3, "3"), ([], "[]")],
)
def test_an_unknown_mode_is_refused_with_the_message_that_users_know(name, shown):
    with pytest.raises(AESGMemoryError) as caught:
        Mode.parse(name)
    assert (
        caught.value.message
        == f"Invalid memory mode {shown}. Valid modes: ['TRAIN', 'FINETUNE', 'INFERENCE', 'ONLINE']"
    )
    assert caught.value.subsystem == "memory"


def test_a_mode_prints_as_users_of_the_aesg_library_see_it():
    assert str(MemoryMode.TRAIN) == "MemoryMode.TRAIN"


def test_rules_come_from_the_configuration():
    config = AESGConfig(
        novelty_explanation_threshold=0.7,
        novelty_birth_threshold=4,
        agreement=0.3,
        coactivation_threshold_create=20,
        max_concepts=100,
        max_prune_fraction=0.2,
        consolidation_epoch_interval=7,
    )
    assert LearningRules.of(config, Mode.TRAIN) == LearningRules(Mode.TRAIN, 0.7, 4, 0.3, 20, 100, 0.2, 7)
    assert LearningRules.of(config, Mode.FINETUNE).birth_threshold == 40
    assert LearningRules.of(config, Mode.ONLINE).birth_threshold == 4


def test_a_mode_that_prunes_has_room_for_ever_and_the_others_up_to_max_concepts():
    config = AESGConfig(max_concepts=10)
    train, online, finetune = (LearningRules.of(config, mode) for mode in (Mode.TRAIN, Mode.ONLINE, Mode.FINETUNE))
    assert (train.room(8), train.room(12)) == (None, None)
    assert (train.excess(8), train.excess(12)) == (0, 2)
    for rules in (online, finetune):
        assert (rules.room(8), rules.room(10), rules.room(12)) == (2, 0, 0)
        assert rules.excess(12) == 0
