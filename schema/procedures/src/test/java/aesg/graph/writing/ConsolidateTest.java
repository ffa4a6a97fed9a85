package aesg.graph.writing;

import static aesg.graph.writing.World.rows;
import static aesg.graph.writing.World.value;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConsolidateTest {
    private static final String CONSOLIDATE = "CALL aesg.consolidate($memory)";
    private static final String POSITION = "MATCH (w:Writer {memory: $memory, id: 0}) RETURN [w.sequence, w.content]";
    private static final String LEASE = "MATCH (l:Lease {memory: $memory}) ";

    private final String memory = World.memory();

    @Test
    void theNextEpochBeginsAndWhatIsDueInItGoes() {
        World.concepts(memory, 1, 1, 10L);
        World.concepts(memory, 2, 1, 11L);
        World.concepts(memory, 3, 4, 12L);
        assertEquals(
                Map.of("epoch", 11L, "pruned", 2L, "due", 2L), rows(CONSOLIDATE, memory).get(0));
        assertEquals(11L, value("MATCH (m:Memory {name: $memory}) RETURN m.epoch", memory));
        assertEquals(List.of(3L, 4L, 5L, 6L), World.ids(memory));
        assertEquals(List.of(0L, 0L, 0L), World.miscounted(memory));
    }

    @Test
    void noMoreGoThanTheMemoryAllowsTheWeakestFirst() {
        World.concepts(memory, 1, 9, 10L);
        assertEquals(
                Map.of("epoch", 11L, "pruned", 4L, "due", 9L), rows(CONSOLIDATE, memory).get(0));
        assertEquals(List.of(5L, 6L, 7L, 8L, 9L), World.ids(memory));
    }

    @Test
    void aFractionMeansWhatItSays() {
        World.concepts(memory, 1, 100, 10L);
        World.run("MATCH (m:Memory {name: $memory}) SET m.max_prune_fraction = 0.29", Map.of("memory", memory));
        assertEquals(29L, rows(CONSOLIDATE, memory).get(0).get("pruned"));
    }

    @Test
    void withoutPruningOnlyTheEpochMoves() {
        World.concepts(memory, 1, 3, 10L);
        Map<String, Object> done =
                rows("CALL aesg.consolidate($memory, {prune: false})", memory).get(0);
        assertEquals(Map.of("epoch", 11L, "pruned", 0L, "due", 3L), done);
        assertEquals(List.of(1L, 2L, 3L), World.ids(memory));
    }

    @Test
    void itIsRecordedStampedAndProvenWhole() {
        rows(CONSOLIDATE, memory);
        assertEquals(
                List.of(11L, 0L, 1L, true),
                value(
                        "MATCH (n:Consolidation {memory: $memory}) "
                                + "RETURN [n.epoch, n.writer, n.sequence, abs(n.at - timestamp() / 1000.0) < 60]",
                        memory));
        assertEquals(List.of(2L, 1L), value(POSITION, memory));
    }

    @Test
    void whoeverWasPausedUnderTheLeaseIsRefusedByItsFence() {
        World.run(
                LEASE + "SET l.fence = 4, l.holder = '9:1', l.expires_at = timestamp() - 1000",
                Map.of("memory", memory));
        rows(CONSOLIDATE, memory);
        assertEquals(
                List.of(5L, 0L, true), value(LEASE + "RETURN [l.fence, l.expires_at, l.holder IS NULL]", memory));
    }

    @Test
    void whileAProcessLooksAfterTheMemoryItIsRefused() {
        World.concepts(memory, 1, 4, 10L);
        World.run(
                LEASE + "SET l.fence = 4, l.holder = '9:1', l.expires_at = timestamp() + 30000",
                Map.of("memory", memory));
        Object before = World.everything(memory);
        String refusal = World.refusal(CONSOLIDATE, Map.of("memory", memory));
        assertTrue(refusal.contains("the process '9:1' looks after the memory '" + memory + "'"), refusal);
        assertTrue(refusal.contains("(nothing was changed)"), refusal);
        assertEquals(before, World.everything(memory));
    }

    @Test
    void noEpochComesTwice() throws Exception {
        List<CompletableFuture<Object>> calls = new ArrayList<>();
        for (int call = 0; call < 8; call++) {
            calls.add(CompletableFuture.supplyAsync(
                    () -> rows(CONSOLIDATE, memory).get(0).get("epoch")));
        }
        HashSet<Object> epochs = new HashSet<>();
        for (CompletableFuture<Object> call : calls) {
            epochs.add(call.get());
        }
        assertEquals(new HashSet<>(List.of(11L, 12L, 13L, 14L, 15L, 16L, 17L, 18L)), epochs);
        assertEquals(8L, value("MATCH (n:Consolidation {memory: $memory}) RETURN count(DISTINCT n.epoch)", memory));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{dryRun: true}|params has dryRun; expected prune, batch",
                "{prune: 1}|params.prune is 1; expected true or false",
                "{batch: -3}|params.batch is -3; expected a whole number, 1 to 100000"
            })
    void badParamsAreRefusedAndNothingIsChanged(String params, String said) {
        Object before = World.everything(memory);
        String refusal = World.refusal("CALL aesg.consolidate($memory, " + params + ")", Map.of("memory", memory));
        assertTrue(refusal.contains(said), refusal);
        assertEquals(before, World.everything(memory));
    }
}
