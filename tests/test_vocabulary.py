"""The vocabulary: batches survive their encoding, and damage is noticed; relations have their codes."""

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aesg_graph import operations
from aesg_graph.concepts import BUILTIN_RELATIONS, Relations, RelationType, ids_array
from aesg_graph.errors import AESGMemoryError, AESGStorageError
from aesg_graph.operations import OPERATIONS, Batch, born_ids, doomed_ids, named_ids, restrict

COUNTS = st.integers(0, 5)
IDS = st.integers(0, 2**63 - 1)
EPOCHS = st.integers(0, 2**40)
WORDS = st.text(st.characters(), max_size=8)  # any character at all, lone surrogates and control characters too


def ints(n):
    return arrays.arrays(np.int64, n, elements=st.integers(-(2**63), 2**63 - 1))


def doubles(n):
    return arrays.arrays(np.float64, n, elements=st.floats(allow_nan=False))


def floats(*shape):
    return arrays.arrays(np.float32, shape, elements=st.floats(width=32, allow_nan=False))


def texts(n):
    return st.none() | st.lists(st.none() | WORDS, min_size=n, max_size=n).map(tuple)


@st.composite
def any_operation(draw, kind):
    n, d, v = draw(COUNTS), draw(st.integers(1, 4)), draw(st.integers(0, 3))
    flags = arrays.arrays(np.bool_, n)
    columns = {
        operations.Create: lambda: (ints(n), floats(n, d), floats(n, v), flags, WORDS, EPOCHS, *[texts(n)] * 3, WORDS),
        operations.Link: lambda: (WORDS, ints(n), ints(n), floats(n), ints(n), EPOCHS),
        operations.Touch: lambda: (ints(n), ints(n), ints(n), EPOCHS),
        operations.Describe: lambda: (ints(n), texts(n), texts(n)),
        operations.Remove: lambda: (ints(n),),
        operations.Prune: lambda: (ints(n), st.none() | EPOCHS, st.none() | doubles(n)),
        operations.Merge: lambda: (ints(n), ints(n)),
        operations.Split: lambda: (IDS, IDS, floats(d), floats(v), st.booleans(), ints(n)),
        operations.Regions: lambda: (ints(n), ints(n)),
        operations.Rekey: lambda: (ints(n), floats(n, d), EPOCHS, WORDS),
        operations.Advance: lambda: (EPOCHS,),
    }[kind]
    return kind(*draw(st.tuples(*columns())))


def batches():
    kinds = st.sampled_from(list(OPERATIONS.values()))
    every = st.lists(kinds.flatmap(any_operation), max_size=3).map(tuple)
    return st.builds(Batch, IDS, IDS, IDS, st.floats(0, 1e12), every)


def assert_same(one, other):
    assert type(one) is type(other)
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape) == (b.dtype, b.shape), field.name
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b, field.name


def assert_same_batch(one, other):
    assert (one.writer, one.incarnation, one.sequence, one.at) == (
        other.writer,
        other.incarnation,
        other.sequence,
        other.at,
    )
    assert len(one.operations) == len(other.operations)
    for a, b in zip(one.operations, other.operations, strict=True):
        assert_same(a, b)


def create(n, d=3, v=2, **texts):
    keys = np.arange(n * d, dtype=np.float32).reshape(n, d)
    values = np.ones((n, v), np.float32)
    return operations.Create(np.arange(n), keys, values, np.arange(n) % 2 == 0, "concept", 7, **texts)


# Encoding


@pytest.mark.parametrize("kind", OPERATIONS.values(), ids=OPERATIONS)
def test_every_operation_comes_back_as_it_was_written(kind):
    @given(any_operation(kind))
    def check(operation):
        batch = Batch(1, 2, 3, 4.5, (operation,))
        assert_same_batch(batch, Batch.decode(batch.encode()))

    check()


@given(batches())
def test_a_batch_of_several_operations_comes_back_as_it_was_written(batch):
    assert_same_batch(batch, Batch.decode(batch.encode()))


@given(batches())
def test_decoded_columns_are_aligned_whatever_stands_before_them(batch):
    for operation in Batch.decode(batch.encode()).operations:
        for field in dataclasses.fields(operation):
            column = getattr(operation, field.name)
            if isinstance(column, np.ndarray):
                assert column.flags.aligned, field.name
                assert column.flags.c_contiguous, field.name


def test_a_huge_batch_comes_back_as_it_was_written():
    many = create(100_000, d=8, names=tuple(f"Begriff № {i} 概念" for i in range(100_000)))
    batch = Batch(5, 1, 2**62, 1.7e9, (many, operations.Advance(1)))
    assert_same_batch(batch, Batch.decode(batch.encode()))


def test_columns_that_are_not_contiguous_are_written_in_their_own_order():
    strided = np.arange(12, dtype=np.int64)[::3]
    keys = np.asfortranarray(np.arange(8, dtype=np.float32).reshape(4, 2))
    batch = Batch(1, 1, 1, 0.0, (operations.Rekey(strided, keys, 2, "raw"),))
    assert_same_batch(batch, Batch.decode(batch.encode()))


def test_numbers_of_numpy_are_written_as_numbers():
    touch = operations.Touch(*(np.ones(1, np.int64),) * 3, np.int64(4))
    split = operations.Split(np.int64(1), np.int64(2), np.ones(2), np.ones(0), np.bool_(True), np.ones(1, np.int64))
    again = Batch.decode(Batch(np.int64(1), 2, np.int64(3), np.float64(0.5), (touch, split)).encode())
    assert (again.writer, again.sequence, again.at) == (1, 3, 0.5)
    assert (again.operations[0].epoch, again.operations[1].id, again.operations[1].has_value) == (4, 2, True)


def test_what_is_no_number_and_no_text_is_not_written():
    with pytest.raises(TypeError, match="cannot hold a object"):
        Batch(1, 1, 1, 0.0, (operations.Advance(object()),)).encode()


# Damage


def every_kind():
    some = np.arange(3)
    return Batch(
        1,
        2,
        3,
        4.0,
        (
            create(3, names=("a", None, "ü")),
            create(0),
            operations.Link("CAUSAL", some, some + 1, np.ones(3, np.float32), some, 1),
            operations.Prune(some, None, np.ones(3)),
            operations.Split(1, 2, np.ones(3, np.float32), np.ones(2, np.float32), True, some),
        ),
    )


@pytest.mark.parametrize(
    "batch", [every_kind(), Batch(1, 2, 3, 4.0, (operations.Advance(1),)), Batch(1, 1, 1, 0.0, ())]
)
def test_a_batch_truncated_at_any_byte_is_refused(batch):
    data = batch.encode()
    for length in range(len(data)):
        with pytest.raises(AESGStorageError, match="cannot be read"):
            Batch.decode(data[:length])


def test_a_batch_with_something_behind_it_is_refused():
    with pytest.raises(AESGStorageError, match=r"expected \d+"):
        Batch.decode(every_kind().encode() + b"\0")


@given(st.binary(max_size=200))
def test_garbage_is_refused(data):
    with pytest.raises(AESGStorageError):
        Batch.decode(data)
    with pytest.raises(AESGStorageError):
        Batch.decode(Batch.MAGIC + data)


def test_a_batch_with_changed_bytes_is_decoded_or_refused_but_nothing_else():
    data, chance = every_kind().encode(), random.Random(0)
    refused = 0
    for _ in range(1000):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        try:
            Batch.decode(bytes(changed))
        except AESGStorageError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"3",
        b"[" * 100_000,
        b'{"encoding":2}',
        b'{"encoding":1}',
        b'{"encoding":1,"writer":1,"incarnation":1,"sequence":1,"at":0,"operations":[{"op":"Vanish"}]}',
        b'{"encoding":1,"writer":1,"incarnation":1,"sequence":1,"at":0,"operations":[{"op":[]}]}',
        b'{"encoding":1,"writer":1,"incarnation":1,"sequence":1,"at":0,"operations":7}',
    ]
    + [
        b'{"encoding":1,"writer":1,"incarnation":1,"sequence":1,"at":0,"operations":[{"op":"Remove","ids":%s}]}'
        % column
        for column in (
            b'{"dtype":"<i8","shape":[-1]}',
            b'{"dtype":"<i8","shape":[1e3]}',
            b'{"dtype":"<i8","shape":[9999999999999999999999]}',
            b'{"dtype":"|O","shape":[0]}',
            b'{"dtype":"nonsense","shape":[0]}',
            b'{"shape":[0]}',
        )
    ],
)
def test_headers_that_no_batch_has_are_refused(header):
    with pytest.raises(AESGStorageError, match="cannot be read"):
        Batch.decode(Batch.MAGIC + len(header).to_bytes(8, "little") + header)


# What operations name


def test_operations_say_whom_they_name_bear_and_doom():
    a, b = np.array([1, 2]), np.array([3, 4])
    one = np.ones(2, np.float32)
    link = operations.Link("CAUSAL", a, b, one, np.zeros(2, np.int64), 0)
    merge, split = operations.Merge(a, b), operations.Split(1, 9, one, one, True, b)
    prune, remove, advance = operations.Prune(a, 3), operations.Remove(b), operations.Advance(1)

    assert [named_ids(o).tolist() for o in (link, merge, split, remove, advance)] == [
        [1, 2, 3, 4],
        [1, 2, 3, 4],
        [1, 9, 3, 4],
        [3, 4],
        [],
    ]
    assert [born_ids(o).tolist() for o in (create(2), split, link)] == [[0, 1], [9], []]
    assert [doomed_ids(o).tolist() for o in (prune, remove, merge, split)] == [[1, 2], [3, 4], [3, 4], []]


def test_the_part_of_an_operation_that_concerns_some_ids_keeps_its_columns_together():
    a, b, one = np.array([1, 2, 3]), np.array([4, 5, 1]), np.array([0.1, 0.2, 0.3], np.float32)
    some = np.array([1, 9])

    link = restrict(operations.Link("CAUSAL", a, b, one, a, 7), some)
    assert (link.sources.tolist(), link.targets.tolist(), link.uses.tolist()) == ([1, 3], [4, 1], [1, 3])
    assert (link.type, link.epoch, link.weights.tolist()) == ("CAUSAL", 7, one[[0, 2]].tolist())
    touch = restrict(operations.Touch(a, a * 2, a * 3, 7), np.array([2, 3]))
    assert (touch.ids.tolist(), touch.uses.tolist(), touch.contradictions.tolist()) == ([2, 3], [4, 6], [6, 9])
    rekey = restrict(operations.Rekey(a, np.eye(3, dtype=np.float32), 2, "raw"), some)
    assert (rekey.ids.tolist(), rekey.keys.tolist()) == ([1], [[1, 0, 0]])
    regions = restrict(operations.Regions(a, b), some)
    assert (regions.ids.tolist(), regions.regions.tolist()) == ([1], [4])
    assert restrict(operations.Remove(a), some).ids.tolist() == [1]
    assert restrict(operations.Prune(a, epoch=3), some).ids.tolist() == [1]
    assert restrict(operations.Prune(a, fades_at=np.array([0.5, 1, 2])), some).fades_at.tolist() == [0.5]


def test_an_operation_that_concerns_none_of_the_ids_is_nothing():
    nobody, a = np.array([9]), np.array([1, 2, 3])
    for operation in (operations.Touch(a, a, a, 1), operations.Remove(a), operations.Advance(2), create(3)):
        assert restrict(operation, nobody) is None


# Relations and ids


def test_built_in_relations_come_first_and_carry_the_gains_of_the_design():
    relations = Relations()
    assert relations.names == BUILTIN_RELATIONS
    assert [n for n in relations.names if relations.symmetric[relations.code(n)]] == ["SIMILARITY", "ASSOCIATION"]
    assert relations.gains[relations.code("SIMILARITY")].tolist() == [1, 1]
    assert relations.gains[relations.code("CAUSAL")].tolist() == [1, 0]
    assert relations.gains[relations.code("CONTRADICTS")].tolist() == [0, 0]


def test_codes_of_declared_relations_do_not_depend_on_the_order_of_declaration():
    one, two = RelationType("EATS", 0.5), RelationType("BREEDS", 2.0, 1.0)
    assert Relations([one, two]).names == Relations([two, one]).names == (*BUILTIN_RELATIONS, "BREEDS", "EATS")


def test_a_built_in_relation_keeps_its_code_when_its_gains_are_declared():
    relations = Relations([RelationType("CAUSAL", 0.25, 0.125)])
    assert relations.names == BUILTIN_RELATIONS
    assert relations.gains[BUILTIN_RELATIONS.index("CAUSAL")].tolist() == [0.25, 0.125]


@pytest.mark.parametrize("name", ["LIKES", "causal", "", None, 3, []])
def test_an_unknown_relation_is_an_error_that_lists_the_known(name):
    with pytest.raises(AESGMemoryError, match=r"Unknown relation type .* expected one of SIMILARITY"):
        Relations().code(name)


def test_ids_become_one_contiguous_vector():
    ids = ids_array([[1, 2], [3, 4]])
    assert (ids.tolist(), ids.dtype, ids.flags.c_contiguous) == ([1, 2, 3, 4], np.int64, True)
