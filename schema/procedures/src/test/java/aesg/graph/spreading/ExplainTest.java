package aesg.graph.spreading;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import aesg.graph.writing.World;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExplainTest {
    private final Scene scene = new Scene();

    private static List<Object> told(double share, double part, Long... ids) {
        return List.of(share, part, List.of(ids));
    }

    /** Share, part and ids of each path. */
    private List<List<Object>> told(String seeds, long target, String params) {
        List<List<Object>> paths = new ArrayList<>();
        for (Map<String, Object> row : scene.explained(seeds, target, params)) {
            paths.add(List.of(row.get("share"), row.get("part"), row.get("ids")));
        }
        return paths;
    }

    /** 1 leads to 4 by 2 (0.5 * 0.5), by 3 (0.25 * 1) and directly (0.5). */
    private Scene diamond() {
        return scene.concepts(5)
                .edge("CAUSAL", 1, 2, 0.5)
                .edge("CAUSAL", 2, 4, 0.5)
                .edge("CAUSAL", 1, 3, 0.25)
                .edge("CAUSAL", 3, 4, 1.0)
                .edge("CAUSAL", 1, 4, 0.5);
    }

    @Test
    void pathsComeInFallingOrderTiesByIds() {
        diamond();
        assertEquals(
                List.of(told(0.5, 0.5, 1L, 4L), told(0.25, 0.25, 1L, 2L, 4L), told(0.25, 0.25, 1L, 3L, 4L)),
                told("[[1, 1.0]]", 4, "{}"));
        assertEquals(
                List.of(told(0.5, 0.5, 1L, 4L), told(0.25, 0.25, 1L, 2L, 4L)),
                told("[[1, 0.75], [1, 0.25]]", 4, "{limit: 2}"));
        assertEquals(List.of(told(0.5, 1, 1L, 4L)), told("[[1, 1.0]]", 4, "{steps: 1}"));
    }

    @Test
    void aPathsEdgesAreDrawnInTheirOrder() {
        scene.concepts(3).edge("CAUSAL", 1, 2, 0.5).edge("SIMILARITY", 3, 2, 0.5);
        String query = "CALL aesg.explain($memory, [[1, 1]], 3) YIELD path "
                + "RETURN [n IN nodes(path) | n.id] AS ids, [e IN relationships(path) | type(e)] AS types, "
                + "length(path) AS length, startNode(relationships(path)[1]).id AS second";
        assertEquals(
                List.of(Map.of("ids", List.of(1L, 2L, 3L), "types", List.of("CAUSAL", "SIMILARITY"), "length", 2L, "second", 3L)),
                World.rows(query, scene.memory));
    }

    @Test
    void aSeedsOwnEnergyIsNoPathThoughWhatComesBackIs() {
        scene.concepts(2).edge("SIMILARITY", 1, 2, 0.5);
        assertEquals(List.of(told(0.25, 1, 1L, 2L, 1L)), told("[[1, 1.0]]", 1, "{}"));
        assertEquals(List.of(), told("[[1, 1.0]]", 1, "{steps: 1}"));
        assertEquals(List.of(), told("[[1, 1.0]]", 1, "{steps: 0}"));
    }

    @Test
    void energyThatGoesOnAndComesBackIsAPathOfItsOwn() {
        scene.concepts(3).edge("CAUSAL", 1, 2, 0.5).edge("SIMILARITY", 2, 3, 0.5);
        assertEquals(
                List.of(told(0.5, 0.8, 1L, 2L), told(0.125, 0.2, 1L, 2L, 3L, 2L)), told("[[1, 1.0]]", 2, "{steps: 3}"));
    }

    @Test
    void whatReceivedTooLittlePassesNothingOn() {
        diamond();
        assertEquals(
                List.of(told(0.5, 0.5 / 0.75, 1L, 4L), told(0.25, 0.25 / 0.75, 1L, 2L, 4L)),
                told("[[1, 1.0]]", 4, "{min_energy: 0.5}"));
        assertEquals(List.of(), told("[[1, 1.0]]", 4, "{min_energy: 1.5}"));
    }

    @Test
    void allSharesAddUpToTheActivationLessTheSeedsOwn() {
        diamond();
        scene.edge("SIMILARITY", 4, 5, 0.5).edge("SIMILARITY", 3, 5, 0.75).edge("SIMILARITY", 2, 5, 0.3);
        String params = "steps: 5, fan: 0.5, decay: 0.9";
        double activation = scene.recalled("[[1, 1.0], [4, 0.5]]", "{" + params + "}").stream()
                .filter(result -> result.get(0).equals(4L))
                .mapToDouble(result -> (Double) result.get(1))
                .sum();
        List<List<Object>> paths = told("[[1, 1.0], [4, 0.5]]", 4, "{limit: 10000, min_energy: 0, " + params + "}");
        assertEquals(activation - 0.5, sum(paths, 0), 0.01); // the spread above leaves out what is below min_energy
        assertEquals(1, sum(paths, 1), 1e-12);
        assertTrue(paths.size() > 20, paths::toString);
        assertEquals(paths.subList(0, 7), told("[[1, 1.0], [4, 0.5]]", 4, "{limit: 7, min_energy: 0, " + params + "}"));
    }

    private static double sum(List<List<Object>> paths, int column) {
        return paths.stream().mapToDouble(path -> (Double) path.get(column)).sum();
    }

    @Test
    void whatIsNotReachedHasNoPaths() {
        diamond();
        assertEquals(List.of(), told("[[1, 1.0]]", 5, "{}"));
        assertEquals(List.of(), told("[]", 4, "{}"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "null, 1|seeds is null; expected a list of [id, energy]",
                "[[[1, 1]]], 1|seeds has [[1, 1]]; expected [id, energy]",
                "[[99, 1]], 1|seeds has the id 99, which is no concept of the memory",
                "[[1, 0.0/0.0]], 1|seeds gives 1 the energy NaN; expected a finite number",
                "[], null|target is null, which is no concept",
                "[], 99|target is 99, which is no concept",
                "[], 1, {limit: 0}|params.limit is 0; expected a whole number",
                "[], 1, {steps: -1}|params.steps is -1; expected a whole number",
                "[], 1, {paths: 1}|params has paths; expected"
            })
    void badArgumentsAreRefused(String arguments, String said) {
        scene.concepts(1);
        String refusal = scene.refusal("aesg.explain", arguments);
        assertTrue(refusal.contains(said), refusal);
    }

    @Test
    void aKilledTransactionEndsInTheMidstOfAnExplanation() throws InterruptedException {
        scene.concepts(400);
        World.run(
                """
                MATCH (a:Concept {memory: $memory}), (b:Concept {memory: $memory}) WHERE a.id < b.id
                CREATE (a)-[:SIMILARITY {weight: 1.0}]->(b)
                """,
                Map.of("memory", scene.memory));
        String query = "UNWIND range(1, 100000) AS again CALL aesg.explain($memory, [[1, 1]], 2, {steps: 100}) "
                + "YIELD share RETURN sum(share) AS sum";
        assertTrue(Killing.endsIt(query, Map.of("memory", scene.memory)));
    }
}
