package aesg.graph.writing;

import static aesg.graph.writing.World.rows;
import static aesg.graph.writing.World.value;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DueAndStatsTest {
    private final String memory = World.memory();

    private Object due(String arguments) {
        return value("CALL aesg.due(" + arguments + ") YIELD id RETURN collect(id)", memory);
    }

    @Test
    void dueIsWhatMayGoWithinSoManyEpochsWeakestFirst() {
        World.concepts(memory, 1, 2, 10L);
        World.concepts(memory, 3, 2, 12L);
        World.concepts(memory, 5, 1, null);
        World.run("MATCH (c:Concept {memory: $memory}) SET c.fades_at = -c.id", Map.of("memory", memory));
        assertEquals(List.of(2L, 1L), due("$memory"));
        assertEquals(List.of(2L, 1L), due("$memory, 1"));
        assertEquals(List.of(4L, 3L, 2L, 1L), due("$memory, 2"));
        assertEquals(List.of(4L, 3L), due("$memory, 2, 2"));
        assertEquals(List.of(), due("$memory, 2, 0"));
    }

    @Test
    void dueTellsOfEachConceptWhenItMayGoAndHowStrongItIs() {
        World.concepts(memory, 1, 1, 9L);
        World.concepts(memory, 2, 1, 12L);
        World.run("MATCH (c:Concept {memory: $memory}) SET c.touched_epoch = 8", Map.of("memory", memory));
        List<Map<String, Object>> rows = rows(
                "CALL aesg.due($memory, 5) YIELD node, id, name, expires_epoch, in_epochs, relevance "
                        + "RETURN node.id AS node, id, name, expires_epoch, in_epochs, relevance",
                memory);
        assertEquals(
                List.of(
                        Map.of("node", 1L, "id", 1L, "name", "c1", "expires_epoch", 9L, "in_epochs", 0L, "relevance", 0.25),
                        Map.of("node", 2L, "id", 2L, "name", "c2", "expires_epoch", 12L, "in_epochs", 2L, "relevance", 0.25)),
                rows);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "-1|epochs is -1; expected a whole number, 0 to 2147483647",
                "null|epochs is null; expected a whole number",
                "0, -2|limit is -2; expected a whole number, 0 to 2147483647",
                "0, null|limit is null; expected a whole number"
            })
    void badArgumentsOfDueAreRefused(String arguments, String said) {
        String refusal = World.refusal("CALL aesg.due($memory, " + arguments + ")", Map.of("memory", memory));
        assertTrue(refusal.contains(said), refusal);
    }

    @Test
    void statsSayWhatThereIs() {
        World.concepts(memory, 1, 3, 10L);
        World.concepts(memory, 4, 2, 11L);
        World.edge(memory, "CAUSAL", 4, 5);
        World.edge(memory, "CAUSAL", 1, 5);
        rows("CALL aesg.prune($memory, {limit: 1})", memory);
        Map<String, Object> stats = stats();
        assertNull(stats.remove("consolidated_at"));
        assertNull(stats.remove("holder"));
        assertEquals(
                Map.of(
                        "concepts", 4L, "edges", 1L, "tombstones", 1L, "unswept", 1L, "epoch", 10L, "due", 2L,
                        "writers", 2L, "incarnation", 1L),
                stats);
    }

    @Test
    void statsSayWhoLooksAfterTheMemoryAndWhenItWasConsolidated() {
        rows("CALL aesg.consolidate($memory)", memory);
        World.run(
                "MATCH (l:Lease {memory: $memory}) SET l.holder = '9:1', l.expires_at = timestamp() + 30000",
                Map.of("memory", memory));
        Map<String, Object> stats = stats();
        assertEquals("9:1", stats.get("holder"));
        assertEquals(
                value("MATCH (n:Consolidation {memory: $memory}) RETURN n.at", memory), stats.get("consolidated_at"));
        World.run("MATCH (l:Lease {memory: $memory}) SET l.expires_at = 5", Map.of("memory", memory));
        assertNull(stats().get("holder"));
    }

    private Map<String, Object> stats() {
        return World.DATABASE.executeTransactionally(
                "CALL aesg.stats($memory)", Map.of("memory", memory), result -> new HashMap<>(result.next()));
    }
}
