"""The error family: what users catch, read, and send from process to process."""

import copy
import pickle

import pytest

from aesg_graph import errors
from aesg_graph.errors import AESGConfigError, AESGError

CHILDREN = {
    "AESGConfigError": "config",
    "AESGMemoryError": "memory",
    "AESGNavigationError": "navigation",
    "AESGTrainingError": "trainer",
    "AESGStorageError": "storage",
}


@pytest.mark.parametrize(("name", "subsystem"), CHILDREN.items())
def test_every_child_says_where_it_comes_from(name, subsystem):
    error = getattr(errors, name)("got 3, expected 4")
    assert isinstance(error, AESGError)
    assert (error.message, str(error), error.subsystem) == ("got 3, expected 4", "got 3, expected 4", subsystem)


def test_the_family_has_five_children_and_no_more():
    assert {c.__name__ for c in AESGError.__subclasses__() if c.__module__ == errors.__name__} == set(CHILDREN)


@pytest.mark.parametrize("name", CHILDREN)
def test_messages_are_cut_at_500_characters(name):
    exact, long = getattr(errors, name)("x" * 500), getattr(errors, name)("x" * 501)
    assert exact.message == "x" * 500
    assert long.message == "x" * 497 + "..."


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
@pytest.mark.parametrize(
    "error",
    [
        AESGError("m", "navigation"),
        *(getattr(errors, name)("m") for name in CHILDREN),
        AESGConfigError("Wrong:", {"seeds": "got 0, expected integer >= 1", "fan": "got 2, expected 1"}),
    ],
    ids=repr,
)
def test_errors_survive_copying_and_pickling(error, clone):
    again = clone(error)
    assert type(again) is type(error)
    assert (again.message, again.subsystem, str(again)) == (error.message, error.subsystem, str(error))
    assert vars(again) == vars(error)


def test_a_config_error_shows_every_parameter_on_a_line():
    error = AESGConfigError("Wrong:", {"seeds": "got 0", "fan": "got 2"})
    assert error.message == str(error) == "Wrong:\nParameter 'seeds': got 0\nParameter 'fan': got 2"
    assert error.errors == {"seeds": "got 0", "fan": "got 2"}


def test_a_config_error_that_is_too_long_still_names_every_parameter():
    faults = {f"parameter_{i}": "got " + "9" * 50 for i in range(20)}
    error = AESGConfigError("Wrong:", faults)
    assert len(error.message) <= 500
    assert all(name in error.message for name in faults)
    assert str(error).splitlines()[1:] == [f"Parameter '{name}': {text}" for name, text in faults.items()]
