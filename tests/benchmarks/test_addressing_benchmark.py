"""The benchmark of addressing, once at a tiny size: every way of making keys runs and is counted."""

import addressing
import addressing_sequences as sequences
import pytest

CHANCE = 1 / 10


@pytest.mark.parametrize("method", [addressing.METHODS[n] for n in (0, 4, 10)], ids=lambda method: method.name)
def test_a_method_on_digits_ends_with_a_share_and_a_count(method, tmp_path):
    share, concepts = addressing.run(method, seed=0, passes=1, directory=tmp_path / "memory")
    assert 0 <= share <= 1
    assert (concepts > 0) == (method.keys is not None)
    if method.still:
        assert share > 3 * CHANCE


@pytest.mark.parametrize("way", sequences.WAYS[::2], ids=lambda way: way.name)
def test_a_way_through_texts_ends_with_a_share_and_a_count(way, tmp_path):
    share, concepts = sequences.run(way, seed=0, steps=1, directory=tmp_path / "memory")
    assert 0 <= share <= 1
    assert (concepts > 0) == bool(way.parts)


def test_the_table_has_a_row_for_each_way(tmp_path):
    table = addressing.compare("a title", sequences.WAYS, lambda way, seed, place: (seed / 2, seed), seeds=3)
    assert table.row_count == len(sequences.WAYS)
    assert list(table.columns[1].cells) == ["50.0%"] * table.row_count
    assert list(table.columns[2].cells) == ["0.0% to 100.0%"] * table.row_count
