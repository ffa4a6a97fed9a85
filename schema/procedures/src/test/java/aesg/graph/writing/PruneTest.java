package aesg.graph.writing;

import static aesg.graph.writing.World.rows;
import static aesg.graph.writing.World.value;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PruneTest {
    private static final String PRUNE = "CALL aesg.prune($memory)";
    private static final List<Long> TRUE = List.of(0L, 0L, 0L);

    private final String memory = World.memory();

    private Map<String, Object> prune(String params) {
        return rows("CALL aesg.prune($memory, " + params + ")", memory).get(0);
    }

    @Test
    void whatIsDueGoesAndWhatIsNotStays() {
        World.concepts(memory, 1, 3, 10L);
        World.concepts(memory, 4, 2, 11L);
        World.concepts(memory, 6, 1, null);
        assertEquals(
                Map.of("pruned", 3L, "due", 3L, "batches", 1L, "dry_run", false), rows(PRUNE, memory).get(0));
        assertEquals(List.of(4L, 5L, 6L), World.ids(memory));
        assertEquals(TRUE, World.miscounted(memory));
    }

    @Test
    void anotherMemoryIsLeftAlone() {
        String other = World.memory();
        World.concepts(other, 1, 3, 10L);
        World.concepts(memory, 1, 3, 10L);
        Object before = World.everything(other);
        rows(PRUNE, memory);
        assertEquals(before, World.everything(other));
    }

    @Test
    void eachLeavesATombstoneWhoseVectorIsStillToBeRemoved() {
        World.concepts(memory, 1, 2, 10L);
        rows(PRUNE, memory);
        List<Map<String, Object>> tombstones = rows(
                "MATCH (r:Removed {memory: $memory}) RETURN r.id AS id, r.writer AS writer, r.sequence AS sequence, "
                        + "r.vector_removed AS swept, abs(r.removed_at - timestamp() / 1000.0) < 60 AS now, "
                        + "r.into IS NULL AS nowhere ORDER BY id",
                memory);
        Map<String, Object> first = Map.of(
                "id", 1L, "writer", 0L, "sequence", 1L, "swept", false, "now", true, "nowhere", true);
        assertEquals(first, tombstones.get(0));
        assertEquals(2, tombstones.size());
    }

    @Test
    void neighboursThatLoseAnEdgeCarryTheStampAndOthersDoNot() {
        World.concepts(memory, 1, 1, 10L);
        World.concepts(memory, 2, 3, null);
        World.edge(memory, "SIMILARITY", 1, 2);
        World.edge(memory, "CAUSAL", 3, 1);
        World.edge(memory, "CAUSAL", 3, 4);
        rows(PRUNE, memory);
        assertEquals(
                List.of(List.of(2L, 0L, 1L, true), List.of(3L, 0L, 1L, true), List.of(4L, 7L, 1L, false)),
                value(
                        "MATCH (c:Concept {memory: $memory}) WITH c ORDER BY c.id "
                                + "RETURN collect([c.id, c.writer, c.sequence, c.modified_at > 1.0])",
                        memory));
        assertEquals(TRUE, World.miscounted(memory));
    }

    @Test
    void edgesBetweenTwoThatGoCountOnce() {
        World.concepts(memory, 1, 2, 10L);
        World.concepts(memory, 3, 1, null);
        World.edge(memory, "SIMILARITY", 1, 2);
        World.edge(memory, "CAUSAL", 2, 1);
        World.edge(memory, "CAUSAL", 2, 3);
        rows(PRUNE, memory);
        assertEquals(TRUE, World.miscounted(memory));
        assertEquals(List.of(3L), World.ids(memory));
    }

    @Test
    void whatPeopleAttachedGoesWithTheConceptAndCountsForNothing() {
        World.concepts(memory, 1, 1, 10L);
        World.concepts(memory, 2, 1, null);
        World.run(
                "MATCH (a:Concept {memory: $memory, id: 1}), (b:Concept {memory: $memory, id: 2}) "
                        + "CREATE (:Note {of: $memory})-[:ABOUT]->(a), (a)-[:MINE]->(b)",
                Map.of("memory", memory));
        rows(PRUNE, memory);
        assertEquals(TRUE, World.miscounted(memory));
        assertEquals(1L, value("MATCH (n:Note {of: $memory}) RETURN count(n)", memory));
    }

    @Test
    void aTombstoneThatIsThereAlreadyIsRenewed() {
        World.concepts(memory, 1, 1, 10L);
        World.run(
                "MATCH (w:Writer {memory: $memory, id: 7}) SET w.tombstones = 1 CREATE (:Removed {memory: $memory, "
                        + "id: 1, into: 9, writer: 7, sequence: 1, removed_at: 1.0, vector_removed: true})",
                Map.of("memory", memory));
        assertEquals(1L, rows(PRUNE, memory).get(0).get("pruned"));
        assertEquals(TRUE, World.miscounted(memory));
        assertEquals(
                List.of(0L, false, true),
                value("MATCH (r:Removed {memory: $memory}) RETURN [r.writer, r.vector_removed, r.into IS NULL]", memory));
    }

    @Test
    void theLastTransactionProvesTheOthersWhole() {
        World.concepts(memory, 1, 5, 10L);
        assertEquals(3L, prune("{batch: 2}").get("batches"));
        assertEquals(
                List.of(4L, 3L),
                value("MATCH (w:Writer {memory: $memory, id: 0}) RETURN [w.sequence, w.content]", memory));
        assertEquals(
                List.of(1L, 1L, 2L, 2L, 3L),
                value("MATCH (r:Removed {memory: $memory}) WITH r ORDER BY r.id RETURN collect(r.sequence)", memory));
    }

    @Test
    void aLimitTakesTheWeakest() {
        World.concepts(memory, 1, 9, 10L);
        World.run("MATCH (c:Concept {memory: $memory}) SET c.fades_at = -c.id", Map.of("memory", memory));
        Map<String, Object> done = prune("{limit: 4}");
        assertEquals(List.of(4L, 9L), List.of(done.get("pruned"), done.get("due")));
        assertEquals(List.of(1L, 2L, 3L, 4L, 5L), World.ids(memory));
    }

    @ParameterizedTest
    @CsvSource({"{dryRun: true},2", "{limit: 0},2"})
    void aDryRunAndALimitOfNoneChangeNothing(String params, long due) {
        World.concepts(memory, 1, 2, 10L);
        Object before = World.everything(memory);
        Map<String, Object> done = prune(params);
        assertEquals(List.of(0L, due, 0L), List.of(done.get("pruned"), done.get("due"), done.get("batches")));
        assertEquals(before, World.everything(memory));
    }

    @Test
    void nothingDueChangesNothing() {
        World.concepts(memory, 1, 3, 11L);
        Object before = World.everything(memory);
        assertEquals(0L, rows(PRUNE, memory).get(0).get("pruned"));
        assertEquals(before, World.everything(memory));
    }

    @Test
    void aHubsEdgesEndABatchEarly() {
        World.concepts(memory, 1, 3, 10L);
        World.concepts(memory, 10, 1, null);
        World.run(
                "MATCH (a:Concept {memory: $memory, id: 1}), (b:Concept {memory: $memory, id: 10}) "
                        + "UNWIND range(1, $count) AS i CREATE (a)-[:MINE]->(b)",
                Map.of("memory", memory, "count", PruneBatch.MOST_EDGES));
        Map<String, Object> done = prune("{batch: 3}");
        assertEquals(List.of(3L, 2L), List.of(done.get("pruned"), done.get("batches")));
    }

    @Test
    void moreThanAreSortedAtOnceGoInRounds() {
        World.concepts(memory, 1, 25, 10L);
        OwnTransactions transactions = new OwnTransactions(World.DATABASE);
        Head head = transactions.read(tx -> Head.of(tx, memory));
        Pruning limited = new Pruning(transactions, () -> {}, head, 4, 5);
        limited.run(12);
        assertEquals(List.of(12L, 5L), List.of(limited.pruned(), limited.batches()));
        assertEquals(13L, value("MATCH (c:Concept {memory: $memory}) RETURN min(c.id)", memory));
        Pruning whole = new Pruning(transactions, () -> {}, head, 4, 5);
        whole.run(Long.MAX_VALUE);
        assertEquals(List.of(13L, 5L), List.of(whole.pruned(), whole.batches()));
        assertEquals(TRUE, World.miscounted(memory));
    }

    @Test
    void twentyThousandGoInBatches() {
        World.concepts(memory, 1, 20_000, 10L);
        World.concepts(memory, 100_000, 100, null);
        World.run(
                "MATCH (c:Concept {memory: $memory}) WHERE c.id <= 2000 "
                        + "MATCH (d:Concept {memory: $memory, id: 100000 + c.id % 100}) "
                        + "CREATE (c)-[:CAUSAL {weight: 0.5}]->(d)",
                Map.of("memory", memory));
        World.run("MATCH (w:Writer {memory: $memory, id: 7}) SET w.edges = 2000", Map.of("memory", memory));
        Map<String, Object> done = prune("{batch: 1500}");
        assertEquals(List.of(20_000L, 14L), List.of(done.get("pruned"), done.get("batches")));
        assertEquals(TRUE, World.miscounted(memory));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{limits: 3}|params has limits; expected limit, dryRun, batch",
                "{limit: -1}|params.limit is -1; expected a whole number, 0 or more",
                "{limit: 1.5}|params.limit is 1.5; expected a whole number, 0 or more",
                "{limit: null}|params.limit is null; expected a whole number, 0 or more",
                "{batch: 0}|params.batch is 0; expected a whole number, 1 to 100000",
                "{batch: 100001}|params.batch is 100001; expected a whole number, 1 to 100000",
                "{dryRun: 'yes'}|params.dryRun is 'yes'; expected true or false",
                "null|params is null; expected a map"
            })
    void badParamsAreRefusedAndNothingIsChanged(String params, String said) {
        World.concepts(memory, 1, 2, 10L);
        Object before = World.everything(memory);
        String refusal = World.refusal("CALL aesg.prune($memory, " + params + ")", Map.of("memory", memory));
        assertTrue(refusal.contains(said + " (nothing was changed)"), refusal);
        assertEquals(before, World.everything(memory));
    }

    @ParameterizedTest
    @CsvSource({"nobody,there is no memory 'nobody'", "'',memory is ''", ",memory is null"})
    void anUnknownMemoryIsRefused(String name, String said) {
        Map<String, Object> known = new HashMap<>();
        known.put("memory", name);
        for (String call : Arrays.asList("prune", "consolidate", "due", "stats")) {
            String refusal = World.refusal("CALL aesg." + call + "($memory)", known);
            assertTrue(refusal.contains(said), refusal);
        }
    }

    @Test
    void aHeadThatDoesNotSayWhatEdgesAreIsRefused() {
        World.concepts(memory, 1, 2, 10L);
        World.run("MATCH (m:Memory {name: $memory}) REMOVE m.relation_types", Map.of("memory", memory));
        Object before = World.everything(memory);
        for (String call : List.of("prune", "consolidate")) {
            String refusal = World.refusal("CALL aesg." + call + "($memory)", Map.of("memory", memory));
            assertTrue(refusal.contains("lacks relation_types"), refusal);
        }
        assertEquals(before, World.everything(memory));
    }

    @Test
    void aMemoryThatIsBeingRestoredIsLeftAlone() {
        World.concepts(memory, 1, 2, 10L);
        World.run("MATCH (m:Memory {name: $memory}) SET m.incarnation = 0", Map.of("memory", memory));
        String refusal = World.refusal(PRUNE, Map.of("memory", memory));
        assertTrue(refusal.contains("is being restored"), refusal);
    }
}
