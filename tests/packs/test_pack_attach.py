"""Attached packs: what they add to answers, and that nothing else changes."""

import threading

import numpy as np
import pytest
import torch
from pack_scenes import D, V, rows, same, told

from aesg_graph import AESGConfig, AESGMemory, AESGMemoryError, MemoryPack, PackManager
from aesg_graph.engine.attached import LIMIT
from aesg_graph.packs.layout import Header, PackedConcepts, PackedEdges

QUERIES = rows(12, 9)


@pytest.fixture
def memory(opened):
    """A memory of other concepts than those of the packs."""
    memory = opened()
    ids = memory.create(rows(15, 20), rows(15, 21, V))
    memory.link(ids[:-1], ids[1:], "CAUSAL")
    return memory


@pytest.fixture
def pack(memory, packed):
    return memory.load_pack(packed)


def copied(pack, name, ids=None):
    """The same pack under another name, perhaps with other ids."""
    header, links, concepts = vars(pack.header), vars(pack.links), vars(pack.rows)
    if ids is not None:
        ends = {end: ids[np.searchsorted(pack.rows.ids, links[end])] for end in ("sources", "targets")}
        concepts, links = {**concepts, "ids": ids}, {**links, **ends}
    return MemoryPack(pack.path, Header(**{**header, "name": name}), PackedConcepts(**concepts), PackedEdges(**links))


# -- what it answers --------------------------------------------------------------------------------------------------


def test_a_pack_alone_answers_as_the_memory_that_it_was_exported_from(birds, opened, packed):
    memory = opened("empty")
    memory.set_mode("INFERENCE")
    memory.attach_pack(memory.load_pack(packed), priority=1)
    mine, theirs = told(memory, QUERIES), told(birds[0], QUERIES)
    assert np.array_equal(mine["ids"], theirs["ids"])
    assert np.allclose(mine["energies"], theirs["energies"], rtol=1e-6)
    for name in ("vectors", "values", "has_value", "stability"):
        assert np.array_equal(mine[name], theirs[name])


def test_what_is_attached_can_be_printed(memory, pack):
    assert repr(memory.packs) == "<packs attached: none>"
    memory.attach_pack(pack, priority=60)
    assert repr(memory.packs) == f"<packs attached: {pack.name} (60)>"


def test_energies_of_packs_count_by_their_share_of_the_priorities(memory, pack, birds):
    other = copied(pack, "other", pack.rows.ids + (1 << 50))
    alone = told(birds[0], QUERIES)
    own = told(memory, QUERIES)
    memory.attach_pack(pack, 90)
    memory.attach_pack(other, 30)
    joined = told(memory, QUERIES)
    for b in range(len(QUERIES)):
        said = [(e, i) for e, i in zip(own["energies"][b], own["ids"][b], strict=True) if i >= 0]
        for weight, shift in ((0.75, 0), (0.25, 1 << 50)):
            pairs = zip(alone["energies"][b], alone["ids"][b], strict=True)
            said += [(np.float32(e * weight), i + shift) for e, i in pairs if i >= 0]
        said = sorted(said, key=lambda row: (-row[0], row[1]))[: memory.config.top_k]
        assert joined["ids"][b].tolist() == [i for _, i in said]
        assert np.allclose(joined["energies"][b], [e for e, _ in said], rtol=1e-5)


def test_rows_come_with_their_own_vectors_and_trust(memory, pack):
    memory.attach_pack(pack, 100)
    found = memory.retrieve(torch.from_numpy(QUERIES), learn=False)
    seen = set()
    for b, k in np.argwhere(found.mask.numpy()):
        concept = memory.concept(int(found.ids[b, k]))
        seen.add(int(found.ids[b, k]) in pack)
        assert np.array_equal(found.vectors[b, k], concept.key)
        value = np.zeros(V, np.float32) if concept.value is None else concept.value
        assert np.array_equal(found.values[b, k], value)
        assert bool(found.has_value[b, k]) == (concept.value is not None)
        assert float(found.stability[b, k]) == pytest.approx(concept.stability)
    assert seen == {True, False}


def test_one_query_and_sequences_have_the_shapes_that_they_have_without(memory, pack):
    memory.attach_pack(pack)
    batch = memory.retrieve(torch.from_numpy(QUERIES), learn=False)
    one = memory.retrieve(torch.from_numpy(QUERIES[0]), learn=False)
    sequences = memory.retrieve(torch.from_numpy(QUERIES.reshape(3, 4, D)), learn=False)
    assert torch.equal(one.ids, batch.ids[0][batch.mask[0]])
    assert torch.equal(sequences.ids, batch.ids.reshape(3, 4, -1))
    assert batch.read().shape == (12, V)


def test_a_concept_in_memory_and_pack_is_there_once_as_the_stronger_says(birds, opened, packed):
    memory, ids = birds
    pack = memory.load_pack(packed)
    query = memory.concept(int(ids[3])).key
    own = told(memory, query[None])
    louder = copied(pack, "louder")
    try:
        memory.attach_pack(pack, 50)
        assert same(told(memory, query[None]), own)  # an equal twin of all that there is: the memory's own stand
        memory.attach_pack(louder, 50)
        assert same(told(memory, query[None]), own)  # each at half its energy
    finally:
        for attached in list(memory.packs):
            memory.detach_pack(attached.name)


def test_of_two_packs_with_one_concept_the_stronger_stands(memory, pack):
    values = pack.rows.values + 1
    twin = copied(pack, "twin")
    twin = MemoryPack(twin.path, twin.header, PackedConcepts(**{**vars(pack.rows), "values": values}), pack.links)
    id = int(pack.rows.ids[0])
    for first, second, said in ((60, 40, pack), (40, 60, twin), (50, 50, pack)):
        memory.attach_pack(pack, first)
        memory.attach_pack(twin, second)
        found = memory.retrieve(pack.rows.keys[:1], learn=False)
        assert found.ids[0].tolist().count(id) == 1
        assert np.array_equal(found.values[0][found.ids[0] == id][0], said.rows.values[0])
        memory.detach_pack("birds")
        memory.detach_pack("twin")


def test_a_pack_of_priority_zero_takes_no_part(memory, pack):
    before = told(memory, QUERIES)
    memory.attach_pack(pack, 0)
    assert same(told(memory, QUERIES), before)
    memory.attach_pack(copied(pack, "loud", pack.rows.ids + (1 << 50)), 10)
    assert not (np.isin(told(memory, QUERIES)["ids"], pack.rows.ids)).any()


def test_a_kind_filters_packs_too(memory, pack):
    memory.attach_pack(pack)
    found = told(memory, QUERIES, kind="wren")["ids"]
    assert {memory.concept(int(i)).kind for i in found[found >= 0]} == {"wren"}
    assert (told(memory, QUERIES, kind="fish")["ids"] == -1).all()


def test_with_a_region_packs_take_no_part(memory, pack):
    before = told(memory, QUERIES, region=0)
    memory.attach_pack(pack)
    assert same(told(memory, QUERIES, region=0), before)


def test_the_memorys_gains_count_where_it_knows_a_type_else_the_packs(opened, packed, tmp_path):
    found = {}
    for name, relations in (("unknown", {}), ("same", {"EATS": (0.7, 0.2)}), ("none", {"EATS": (0.0, 0.0)})):
        memory = opened(name, AESGConfig(vector_dim=D, value_dim=V, relations=relations, top_k=40))
        pack = memory.load_pack(packed)
        memory.attach_pack(pack)
        found[name] = told(memory, pack.rows.keys[:5])
    assert same(found["unknown"], found["same"])
    assert not np.array_equal(found["none"]["energies"], found["same"]["energies"])


def test_a_pack_without_values_gives_none(opened, tmp_path):
    bare = opened("bare", AESGConfig(vector_dim=D))
    bare.create(rows(3, 0))
    bare.export_pack(tmp_path / "bare.aesgpack")
    memory = opened("valued")
    memory.attach_pack(memory.load_pack(tmp_path / "bare.aesgpack"))
    found = memory.retrieve(rows(3, 0), learn=False)
    assert found.mask.any()
    assert not found.has_value.any()
    assert not found.values.any()


def test_a_concept_and_its_edges_are_found_in_an_attached_pack(memory, pack):
    id = int(pack.rows.ids[1])
    with pytest.raises(AESGMemoryError, match="does not exist"):
        memory.concept(id)
    memory.attach_pack(pack)
    assert (memory.concept(id).name, len(memory.neighbors(id))) == ("bird 1", 3)
    with pytest.raises(AESGMemoryError, match="does not exist"):
        memory.neighbors(5)


# -- what it leaves alone ---------------------------------------------------------------------------------------------


def test_detached_answers_are_those_from_before_to_the_last_bit(memory, pack):
    before = told(memory, QUERIES)
    memory.attach_pack(pack, 80)
    assert not same(told(memory, QUERIES), before)
    memory.detach_pack("birds")
    assert same(told(memory, QUERIES), before)
    memory.attach_pack(pack, 20)  # it is still loaded
    assert [(a.name, a.priority, a.pack) for a in memory.packs] == [("birds", 20, pack)]
    assert len(memory.packs) == 1
    assert isinstance(memory.packs, PackManager)


def test_what_is_learned_does_not_depend_on_what_is_attached(opened, packed):
    taught = []
    for name in ("with", "without"):
        memory = opened(name)
        memory.create(rows(5, 1), rows(5, 2, V))
        if name == "with":
            memory.attach_pack(memory.load_pack(packed))
        for query, value in zip(rows(20, 3), rows(20, 4, V), strict=True):
            memory.retrieve(np.stack([query, query + 0.1]), np.stack([value, value]))
        memory.flush()
        page = memory.engine.residency.graph.page(-1, 1000)
        low = (1 << 43) - 1
        table, edges = page.concepts, page.edges
        taught.append(
            (
                (table.ids & low).tolist(),
                *(table.use_frequency.tolist(), table.contradictions.tolist(), table.relevance.tolist()),
                *((edges.sources & low).tolist(), (edges.targets & low).tolist(), edges.weights.tolist()),
            )
        )
    assert taught[0] == taught[1]


def test_a_pack_is_never_written_to_and_never_named_in_a_lesson(memory, pack, packed):
    before, nodes = packed.read_bytes(), pack.nodes.copy()
    memory.attach_pack(pack)
    for query in pack.rows.keys:
        memory.retrieve(torch.from_numpy(query)[None], torch.ones(1, V))
    memory.update_topology()
    memory.flush()
    assert packed.read_bytes() == before
    assert memory.stats()["voided"] == 0  # a touch or an edge of a concept that the memory does not have is void
    assert np.array_equal(pack.nodes, nodes)
    assert not np.isin(memory.storage.nodes["id"], pack.rows.ids).any()
    page = memory.engine.residency.graph.page(-1, 1000)
    assert not np.isin(page.edges.sources, pack.rows.ids).any()


def test_explanation_and_novelty_are_the_memorys_own(memory, pack):
    before = told(memory, pack.rows.keys)
    memory.attach_pack(pack)
    joined = told(memory, pack.rows.keys)
    assert np.array_equal(joined["explanation"], before["explanation"])
    assert np.array_equal(joined["novel"], before["novel"])


def test_modules_that_share_a_memory_share_what_is_attached(memory, pack, tmp_path):
    with AESGMemory(tmp_path / "memory") as twin:
        memory.attach_pack(pack)
        assert same(told(twin, QUERIES), told(memory, QUERIES))
        twin.detach_pack("birds")
        assert len(memory.packs) == 0


def test_each_answer_is_wholly_with_or_wholly_without(memory, pack):
    answers = [told(memory, QUERIES)]
    memory.attach_pack(pack)
    answers.append(told(memory, QUERIES))
    done = threading.Event()

    def come_and_go():
        while not done.is_set():
            memory.detach_pack("birds")
            memory.attach_pack(pack)

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        found = [told(memory, QUERIES) for _ in range(100)]
    finally:
        done.set()
        other.join()
    assert all(any(same(answer, known) for known in answers) for answer in found)


def test_attachments_end_with_the_process_that_has_the_memory_open(opened, memory, pack):
    memory.attach_pack(pack)
    memory.close()
    assert len(opened().packs) == 0


class Recomputed(torch.autograd.Function):
    """A read-out that is computed anew in backward, as activation checkpointing does."""

    @staticmethod
    def forward(ctx, x, memory):
        ctx.memory = memory
        ctx.save_for_backward(x)
        return memory(x).read()

    @staticmethod
    def backward(ctx, gradient):
        with torch.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            return torch.autograd.grad(ctx.memory(x).read(), x, gradient)[0], None


def test_a_recomputation_in_backward_sees_what_the_forward_saw_or_is_refused(memory, pack):
    memory.eval()
    memory.attach_pack(pack)
    x = torch.from_numpy(QUERIES).requires_grad_()
    direct = torch.autograd.grad(memory(x).read().sum(), x)[0]
    assert torch.equal(torch.autograd.grad(Recomputed.apply(x, memory).sum(), x)[0], direct)
    for change in (lambda: memory.detach_pack("birds"), lambda: memory.attach_pack(pack)):
        kept = Recomputed.apply(x, memory)
        change()
        with pytest.raises(AESGMemoryError, match="changed between the forward pass"):
            kept.sum().backward()


def test_a_compiled_retrieval_has_the_same_shapes(memory, pack):
    memory.attach_pack(pack)
    arguments = torch.from_numpy(QUERIES)
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = memory.retrieve(mode.from_tensor(arguments), learn=False)
    real = memory.retrieve(arguments, learn=False)
    assert fake.vectors.shape == real.vectors.shape
    assert fake.values.shape == real.values.shape


def test_a_checkpointed_memory_keeps_what_is_attached(memory, pack):
    memory.attach_pack(pack)
    memory.engine.reopen(lambda: None)
    assert [a.name for a in memory.packs] == ["birds"]
    assert np.isin(told(memory, QUERIES)["ids"], pack.rows.ids).any()


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("priority", [-1, 101, 50.0, True, float("nan"), "50", None])
def test_a_priority_outside_0_to_100_is_refused(memory, pack, priority):
    with pytest.raises(AESGMemoryError, match="expected a whole number from 0 to 100"):
        memory.attach_pack(pack, priority)
    assert len(memory.packs) == 0


def test_a_seventeenth_pack_is_refused(memory, pack):
    for number in range(LIMIT):
        memory.attach_pack(copied(pack, f"pack {number}"))
    with pytest.raises(AESGMemoryError, match="16 packs are attached"):
        memory.attach_pack(pack)
    memory.detach_pack("pack 3")
    memory.attach_pack(pack)
    assert len(memory.packs) == LIMIT


def test_a_pack_attached_twice_is_refused(memory, pack):
    memory.attach_pack(pack)
    with pytest.raises(AESGMemoryError, match="'birds' is attached already"):
        memory.attach_pack(pack)


def test_detaching_what_is_not_attached_names_what_is(memory, pack):
    with pytest.raises(AESGMemoryError, match="expected one of those that are: none"):
        memory.detach_pack("birds")
    memory.attach_pack(pack)
    with pytest.raises(AESGMemoryError, match="expected one of those that are: 'birds'"):
        memory.detach_pack("fish")


def test_a_pack_of_other_dimensions_cannot_be_attached(opened, pack):
    for number, config in enumerate((AESGConfig(vector_dim=D), AESGConfig(vector_dim=D + 1, value_dim=V))):
        with pytest.raises(AESGMemoryError, match="expected vector_dim"):
            opened(f"other {number}", config).attach_pack(pack)


def test_a_path_is_no_pack(memory, packed):
    with pytest.raises(AESGMemoryError, match="expected what load_pack"):
        memory.attach_pack(packed)
