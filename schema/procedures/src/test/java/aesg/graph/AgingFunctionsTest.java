package aesg.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import aesg.graph.writing.World;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AgingFunctionsTest {
    /** Of epoch 10, with a relevance_decay of 0.5. */
    private final String memory = World.memory();

    private Object told(String function) {
        return World.value("MATCH (c:Concept {memory: $memory}) RETURN [aesg." + function + "(c)]", memory);
    }

    private void concept(Map<String, Object> columns) {
        World.concepts(memory, 1, 1, null);
        Map<String, Object> known = new HashMap<>(Map.of("memory", memory, "columns", columns));
        World.run("MATCH (c:Concept {memory: $memory}) SET c += $columns", known);
    }

    @Test
    void relevanceFadesFromTheEpochInWhichItWasStored() {
        concept(Map.of("relevance", 4.0, "touched_epoch", 7L));
        assertEquals(List.of(0.5), told("relevance"));
    }

    @Test
    void relevanceIsShownAsOneAtMost() {
        concept(Map.of("relevance", 4.0, "touched_epoch", 9L));
        assertEquals(List.of(1.0), told("relevance"));
    }

    @Test
    void ageIsWhatPassedSinceBirth() {
        concept(Map.of("born_epoch", 3L));
        assertEquals(List.of(7L), told("age"));
    }

    @Test
    void stabilityIsOneHalfAtBirthAndMovesWithUsesAndContradictions() {
        concept(Map.of());
        assertEquals(List.of(0.5), told("stability"));
        World.run(
                "MATCH (c:Concept {memory: $memory}) SET c.use_frequency = 5, c.contradictions = 1",
                Map.of("memory", memory));
        assertEquals(List.of(0.75), told("stability"));
    }

    @Test
    void ofNullIsNull() {
        for (String function : List.of("relevance", "age", "stability")) {
            assertEquals(
                    Arrays.asList((Object) null), World.value("RETURN [aesg." + function + "(null)] AS x", memory));
        }
    }

    @Test
    void aNodeThatIsNoConceptIsRefused() {
        for (String function : List.of("relevance", "age", "stability")) {
            String query = "MATCH (m:Memory {name: $memory}) RETURN aesg." + function + "(m)";
            String refusal = World.refusal(query, Map.of("memory", memory));
            assertTrue(refusal.contains("aesg." + function + " was given a node with labels [Memory]"), refusal);
            assertTrue(refusal.contains("expected a :Concept"), refusal);
        }
    }

    @Test
    void aConceptOfNoMemoryIsRefused() {
        String refusal = World.refusal("CREATE (c:Concept {memory: 'gone', id: 1}) RETURN aesg.age(c)", Map.of());
        assertTrue(refusal.contains("there is no memory 'gone'"), refusal);
    }
}
