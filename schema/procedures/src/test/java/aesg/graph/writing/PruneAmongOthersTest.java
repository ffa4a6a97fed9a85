package aesg.graph.writing;

import static aesg.graph.writing.World.DATABASE;
import static aesg.graph.writing.World.rows;
import static aesg.graph.writing.World.value;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.TransactionFailureException;
import org.neo4j.graphdb.TransientFailureException;

/** Others use, link, delete and lock concepts while a prune is at them. */
@Timeout(60)
class PruneAmongOthersTest {
    private static final List<Long> TRUE = List.of(0L, 0L, 0L);

    private final String memory = World.memory();

    /** A call that runs in a thread of its own. */
    private static final class Call<T> extends FutureTask<T> {
        private final Thread thread = new Thread(this);

        Call(Callable<T> work) {
            super(work);
            thread.start();
        }

        void awaitBlocked() throws InterruptedException {
            World.awaitBlocked(thread);
        }
    }

    private Call<Map<String, Object>> pruning(String params) {
        return new Call<>(() -> rows("CALL aesg.prune($memory, " + params + ")", memory).get(0));
    }

    private void within(Transaction tx, String query) {
        tx.execute(query, Map.of("memory", memory)).close();
    }

    @Test
    void aConceptThatIsUsedAfterItWasChosenSurvives() throws Exception {
        World.concepts(memory, 1, 3, 10L);
        Call<Map<String, Object>> prune;
        try (Transaction other = DATABASE.beginTx()) {
            within(other, "MATCH (c:Concept {memory: $memory, id: 2}) SET c.expires_epoch = 30, c.writer = 7");
            prune = pruning("{}");
            prune.awaitBlocked();
            other.commit();
        }
        assertEquals(Map.of("pruned", 2L, "due", 3L, "batches", 1L, "dry_run", false), prune.get());
        assertEquals(List.of(2L), World.ids(memory));
        assertEquals(TRUE, World.miscounted(memory));
    }

    @Test
    void aRoundInWhichAllAreUsedMeanwhileIsTheLast() throws Exception {
        World.concepts(memory, 1, 1, 10L);
        Call<Map<String, Object>> prune;
        try (Transaction other = DATABASE.beginTx()) {
            within(other, "MATCH (c:Concept {memory: $memory}) SET c.expires_epoch = null");
            prune = pruning("{limit: 1}");
            prune.awaitBlocked();
            other.commit();
        }
        assertEquals(0L, prune.get().get("pruned"));
        assertEquals(List.of(1L), World.ids(memory));
        assertEquals(0L, value("MATCH (w:Writer {memory: $memory, id: 0}) RETURN w.sequence", memory));
    }

    @Test
    void aConceptThatOthersDeleteMeanwhileIsNoError() throws Exception {
        World.concepts(memory, 1, 3, 10L);
        World.concepts(memory, 9, 1, null);
        World.edge(memory, "CAUSAL", 1, 9);
        Call<Map<String, Object>> prune;
        try (Transaction other = DATABASE.beginTx()) {
            within(other, "MATCH (c:Concept {memory: $memory}) WHERE c.id IN [2, 9] DETACH DELETE c");
            within(other, "MATCH (w:Writer {memory: $memory, id: 7}) SET w.concepts = 2, w.edges = 0");
            prune = pruning("{}");
            prune.awaitBlocked();
            other.commit();
        }
        assertEquals(2L, prune.get().get("pruned"));
        assertEquals(TRUE, World.miscounted(memory));
    }

    @Test
    void anEdgeThatIsDrawnMeanwhileGoesToo() throws Exception {
        World.concepts(memory, 1, 1, 10L);
        World.concepts(memory, 2, 1, null);
        Call<Map<String, Object>> prune;
        try (Transaction other = DATABASE.beginTx()) {
            within(
                    other,
                    "MATCH (a:Concept {memory: $memory, id: 1}), (b:Concept {memory: $memory, id: 2}), "
                            + "(w:Writer {memory: $memory, id: 7}) CREATE (a)-[:CAUSAL]->(b) SET w.edges = 1, "
                            + "a.created_at = 2.0");
            prune = pruning("{}");
            prune.awaitBlocked();
            other.commit();
        }
        assertEquals(1L, prune.get().get("pruned"));
        assertEquals(TRUE, World.miscounted(memory));
        assertEquals(0L, value("MATCH (c:Concept {memory: $memory, id: 2}) RETURN c.writer", memory));
    }

    @Test
    void aDeadlockIsTriedAgain() throws Exception {
        World.concepts(memory, 1, 2, 10L);
        Call<Map<String, Object>> prune;
        try (Transaction other = DATABASE.beginTx()) {
            within(other, "MATCH (c:Concept {memory: $memory, id: 2}) SET c.created_at = 2.0");
            prune = pruning("{}");
            prune.awaitBlocked();
            within(other, "MATCH (c:Concept {memory: $memory, id: 1}) SET c.created_at = 2.0");
            other.commit();
        } catch (TransientFailureException lost) {
            prune = pruning("{}"); // the other one was told to give way
        }
        prune.get();
        assertEquals(List.of(), World.ids(memory));
        assertEquals(TRUE, World.miscounted(memory));
    }

    @Test
    void whenItIsKilledWholeBatchesRemain() throws Exception {
        World.concepts(memory, 1, 10, 10L);
        World.concepts(memory, 11, 1, null);
        for (long id = 1; id <= 10; id++) {
            World.edge(memory, "CAUSAL", id, 11);
        }
        Transaction call = DATABASE.beginTx();
        Call<Boolean> prune;
        try (Transaction other = DATABASE.beginTx()) {
            within(other, "MATCH (c:Concept {memory: $memory, id: 6}) SET c.created_at = 2.0");
            prune = new Call<>(() -> { // its third batch waits for 6
                within(call, "CALL aesg.prune($memory, {batch: 2})");
                return true;
            });
            prune.awaitBlocked();
            call.terminate();
            other.commit();
        }
        ExecutionException ended = assertThrows(ExecutionException.class, prune::get);
        assertTrue(ended.getMessage().contains("terminated"), ended.getMessage());
        assertThrows(TransactionFailureException.class, call::commit);
        assertEquals(List.of(7L, 8L, 9L, 10L, 11L), World.ids(memory));
        assertEquals(TRUE, World.miscounted(memory));
        assertEquals(
                List.of(4L, 3L),
                value("MATCH (w:Writer {memory: $memory, id: 0}) RETURN [w.sequence, w.content]", memory));
    }

    @Test
    void whenTheMemoryIsReplacedMeanwhileItStopsAndSaysSo() throws Exception {
        World.concepts(memory, 1, 4, 10L);
        Call<Map<String, Object>> prune;
        try (Transaction other = DATABASE.beginTx()) {
            within(other, "MATCH (w:Writer {memory: $memory, id: 0}) SET w.memory = w.memory");
            within(other, "MATCH (m:Memory {name: $memory}) SET m.incarnation = 2");
            prune = pruning("{}");
            prune.awaitBlocked();
            other.commit();
        }
        ExecutionException ended = assertThrows(ExecutionException.class, prune::get);
        assertTrue(ended.getMessage().contains("was deleted or restored meanwhile"), ended.getMessage());
        assertEquals(List.of(1L, 2L, 3L, 4L), World.ids(memory));
    }

    @Test
    void twoPrunesAtOnceRemoveEachConceptOnce() throws Exception {
        World.concepts(memory, 1, 200, 10L);
        Call<Map<String, Object>> one = pruning("{batch: 7}");
        Call<Map<String, Object>> two = pruning("{batch: 11}");
        long pruned = (Long) one.get().get("pruned") + (Long) two.get().get("pruned");
        assertEquals(200L, pruned);
        assertEquals(TRUE, World.miscounted(memory));
    }
}
