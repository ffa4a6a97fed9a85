package aesg.graph.spreading;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import aesg.graph.writing.World;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpreadTest {
    private final Scene scene = new Scene();

    private static List<Object> result(long id, double activation) {
        return List.of(id, activation);
    }

    /** 1 -CAUSAL-> 2 -SIMILARITY- 3, 0.5 each. */
    private Scene chain() {
        return scene.concepts(4).edge("CAUSAL", 1, 2, 0.5).edge("SIMILARITY", 2, 3, 0.5);
    }

    @Test
    void energyFlowsAlongEdgesPulseByPulse() {
        chain();
        assertEquals(List.of(result(1, 1)), scene.recalled("[[1, 1.0]]", "{steps: 0}"));
        assertEquals(List.of(result(1, 1), result(2, 0.5)), scene.recalled("[[1, 1.0]]", "{steps: 1}"));
        assertEquals(List.of(result(1, 1), result(2, 0.5), result(3, 0.25)), scene.recalled("[[1, 1.0]]"));
        // In the third pulse 3 gives back to 2: symmetric edges carry both ways, though they are drawn once.
        assertEquals(
                List.of(result(1, 1), result(2, 0.625), result(3, 0.25)), scene.recalled("[[1, 1.0]]", "{steps: 3}"));
    }

    @Test
    void energyDoesNotFlowAgainstACausalEdge() {
        chain();
        assertEquals(List.of(result(2, 1.25), result(3, 0.5)), scene.recalled("[[2, 1.0]]"));
        assertEquals(
                List.of(result(2, 1.0), result(1, 0.25), result(3, 0.0625)),
                scene.recalled("[[2, 1.0]]", "{steps: 1, gains: {CAUSAL: [0, 0.5], SIMILARITY: [0.125, 7]}}"));
    }

    @Test
    void seedsAddUpAndSeedsWithoutEnergyAreNoResults() {
        chain();
        assertEquals(List.of(result(4, 0.75)), scene.recalled("[[4, 0.5], [4, 0.25], [3, 0.0]]"));
        assertEquals(List.of(), scene.recalled("[]"));
    }

    @Test
    void rowsAreIndependentAndComeInOrder() {
        chain();
        String query = "CALL aesg.spread($memory, [[[3, 1]], [], [[4, 1], [1, 2]], [[3, 1]]], {steps: 1}) "
                + "YIELD row, node, id, activation RETURN row, node.name AS name, id, activation";
        List<Map<String, Object>> expected = List.of(
                Map.of("row", 0L, "name", "c3", "id", 3L, "activation", 1.0),
                Map.of("row", 0L, "name", "c2", "id", 2L, "activation", 0.5),
                Map.of("row", 2L, "name", "c1", "id", 1L, "activation", 2.0),
                Map.of("row", 2L, "name", "c2", "id", 2L, "activation", 1.0),
                Map.of("row", 2L, "name", "c4", "id", 4L, "activation", 1.0),
                Map.of("row", 3L, "name", "c3", "id", 3L, "activation", 1.0),
                Map.of("row", 3L, "name", "c2", "id", 2L, "activation", 0.5));
        assertEquals(expected, World.rows(query, scene.memory));
        assertEquals(
                List.of(), World.rows("CALL aesg.spread($memory, [])", scene.memory));
    }

    @Test
    void decayIsLostInEachPulse() {
        chain();
        assertEquals(
                List.of(result(1, 1), result(2, 0.25), result(3, 0.0625)), scene.recalled("[[1, 1.0]]", "{decay: 0.5}"));
    }

    @Test
    void fanDividesByWhatAConceptsEdgesWeighTogetherButStrengthensNoWeakEdge() {
        scene.concepts(6).edge("CAUSAL", 5, 6, 0.25);
        for (long target = 1; target <= 4; target++) {
            scene.edge("CAUSAL", 5, target, 1.0);
        }
        double whole = 1.0 / 4.25;
        assertEquals(result(1, whole), scene.recalled("[[5, 1]]", "{steps: 1, fan: 1}").get(1));
        assertEquals(result(1, 1 / Math.sqrt(4.25)), scene.recalled("[[5, 1]]", "{steps: 1, fan: 0.5}").get(1));
        scene.concepts(0).edge("CAUSAL", 6, 1, 0.25);
        assertEquals(result(1, 0.25), scene.recalled("[[6, 1]]", "{steps: 1, fan: 1}").get(1));
    }

    @Test
    void whatReceivedTooLittlePassesNothingOn() {
        chain();
        assertEquals(3, scene.recalled("[[1, 1.0]]", "{min_energy: 0.5}").size());
        assertEquals(2, scene.recalled("[[1, 1.0]]", "{min_energy: 0.51}").size());
        // What counts is what came in the last pulse alone, not the sum.
        scene.edge("CAUSAL", 4, 2, 0.5);
        assertEquals(4, scene.recalled("[[1, 0.5], [4, 0.5]]", "{min_energy: 0.5}").size());
        assertEquals(2, scene.recalled("[[1, 1.0], [2, 0.4]]", "{min_energy: 0.6, steps: 3}").size());
    }

    @Test
    void ofTooManyEdgesTheStrongestCountTiesByIdTypeAndDirection() {
        scene.concepts(5)
                .edge("CAUSAL", 1, 5, 0.5)
                .edge("CAUSAL", 1, 4, 0.75)
                .edge("CAUSAL", 1, 3, 0.5)
                .edge("SIMILARITY", 1, 3, 0.5);
        assertEquals(List.of(result(1, 1), result(4, 0.75)), scene.recalled("[[1, 1]]", "{steps: 1, max_fanout: 1}"));
        assertEquals(
                List.of(result(1, 1), result(4, 0.75), result(3, 0.5)),
                scene.recalled("[[1, 1]]", "{steps: 1, max_fanout: 2}"));
        assertEquals(
                List.of(result(1, 1), result(3, 1), result(4, 0.75)),
                scene.recalled("[[1, 1]]", "{steps: 1, max_fanout: 3}"));
    }

    @Test
    void edgesWithinARegionAreWorthMore() {
        scene.concepts(4).edge("CAUSAL", 1, 2, 0.25).edge("CAUSAL", 1, 3, 0.25).edge("CAUSAL", 4, 3, 0.25);
        scene.region(7, 1, 2);
        assertEquals(
                List.of(result(1, 1), result(2, 0.5), result(3, 0.25)),
                scene.recalled("[[1, 1]]", "{steps: 1, region_multiplier: 2}"));
        // No region is never the same region.
        assertEquals(result(3, 0.25), scene.recalled("[[4, 1]]", "{steps: 1, region_multiplier: 2}").get(1));
    }

    @Test
    void onlyTheStrongestAreResultsTiesById() {
        scene.concepts(4).edge("CAUSAL", 1, 4, 0.5).edge("CAUSAL", 1, 3, 0.5).edge("CAUSAL", 1, 2, 0.25);
        assertEquals(List.of(result(1, 1), result(3, 0.5)), scene.recalled("[[1, 1]]", "{top_k: 2}"));
        assertEquals(4, scene.recalled("[[1, 1]]", "{top_k: 9}").size());
    }

    @Test
    void onlyAllowedConceptsAreResultsThoughEnergyFlowsThroughAll() {
        chain();
        assertEquals(List.of(result(3, 0.25)), scene.recalled("[[1, 1]]", "{allowed: [3, 4, 99], top_k: 1}"));
        assertEquals(List.of(), scene.recalled("[[1, 1]]", "{allowed: []}"));
        assertEquals(3, scene.recalled("[[1, 1]]", "{allowed: null}").size());
    }

    @ParameterizedTest
    @CsvSource({
        "spreading_activation_steps, 0, '[1, 1.0]'",
        "spreading_activation_decay, 0.5, '[1, 1.0] [2, 0.25] [3, 0.0625]'",
        "min_energy, 0.75, '[1, 1.0] [2, 0.5]'",
        "max_fanout, 1, '[1, 1.0] [2, 0.5] [3, 0.25]'",
        "region_facilitation_multiplier, 2.0, '[1, 1.0] [2, 1.0] [3, 0.5]'",
        "top_k, 1, '[1, 1.0]'"
    })
    void whatParamsDoNotSayTheHeadSays(String property, Double value, String expected) {
        chain().region(3, 1, 2);
        scene.set(property, value == value.longValue() && !property.contains("region") ? (Object) value.longValue() : value);
        String found = String.join(" ", scene.recalled("[[1, 1]]").stream().map(Object::toString).toList());
        assertEquals(expected, found);
    }

    @Test
    void theHeadSaysTheFanAndTheGains() {
        scene.concepts(3).edge("CAUSAL", 1, 2, 1.0).edge("CAUSAL", 1, 3, 1.0);
        scene.set("fan", 1.0);
        assertEquals(result(2, 0.5), scene.recalled("[[1, 1]]").get(1));
        scene.set("relation_backward", new double[] {1, 0.5});
        assertEquals(List.of(result(2, 1), result(1, 0.5)), scene.recalled("[[2, 1]]", "{steps: 1}"));
    }

    @Test
    void weightsAreFloatsWhereverTheyAreStored() {
        scene.concepts(2).edge("CAUSAL", 1, 2, 0.1);
        assertEquals(result(2, 0.1f), scene.recalled("[[1, 1]]").get(1));
    }

    @Test
    void whatPeopleDrewTakesNoPart() {
        chain();
        Map<String, Object> known = Map.of("memory", scene.memory, "other", new Scene().concepts(1).memory);
        List<List<Object>> before = scene.recalled("[[1, 1]]", "{fan: 1, region_multiplier: 2}");
        World.run(
                """
                MATCH (a:Concept {memory: $memory, id: 1}), (b:Concept {memory: $memory, id: 4})
                MATCH (stranger:Concept {memory: $other, id: 1})
                CREATE (a)-[:LIKES {weight: 1.0}]->(b), (a)-[:CAUSAL {weight: 1.0}]->(stranger),
                    (a)-[:CAUSAL {weight: 1.0}]->(:Note {memory: $memory, id: 4}), (a)-[:CAUSAL {weight: 1.0}]->(a),
                    (a)-[:CAUSAL]->(b), (a)-[:CAUSAL {weight: 'much'}]->(b), (a)-[:CAUSAL {weight: 0.0 / 0.0}]->(b)
                """,
                known);
        assertEquals(before, scene.recalled("[[1, 1]]", "{fan: 1, region_multiplier: 2}"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "null|seeds is null; expected a list",
                "[null]|seeds[0] is null; expected a list of [id, energy]",
                "[[], 3]|seeds[1] is 3; expected a list of [id, energy]",
                "[[[1]]]|seeds[0] has [1]; expected [id, energy]",
                "[[[1, 1, 1]]]|seeds[0] has [1, 1, 1]; expected [id, energy]",
                "[[], [[1, 1], {id: 1}]]|seeds[1] has {id=1}; expected [id, energy]",
                "[[null]]|seeds[0] has null; expected [id, energy]",
                "[[[null, 1]]]|seeds[0] has [null, 1]; expected [id, energy]",
                "[[[1.5, 1]]]|seeds[0] has [1.5, 1]; expected [id, energy]",
                "[[[1, null]]]|seeds[0] gives 1 the energy null; expected a finite number",
                "[[[1, 'x']]]|seeds[0] gives 1 the energy 'x'; expected a finite number",
                "[[[1, 0.0/0.0]]]|seeds[0] gives 1 the energy NaN; expected a finite number",
                "[[[1, 1.0/0.0]]]|seeds[0] gives 1 the energy Infinity; expected a finite number",
                "[[[1, -1]]]|seeds[0] gives 1 the energy -1; expected a finite number",
                "[[[1, 1]], [[99, 1]]]|seeds[1] has the id 99, which is no concept of the memory",
                "[], {step: 1}|params has step; expected steps, decay, fan",
                "[], null|params is null; expected a map",
                "[], {steps: -1}|params.steps is -1; expected a whole number, 0 to 100",
                "[], {steps: 1.0}|params.steps is 1.0; expected a whole number",
                "[], {steps: null}|params.steps is null; expected a whole number",
                "[], {decay: 1.5}|params.decay is 1.5; expected a finite number, 0.0 to 1.0",
                "[], {fan: 0.0/0.0}|params.fan is NaN; expected a finite number",
                "[], {fan: 'x'}|params.fan is 'x'; expected a finite number",
                "[], {min_energy: -0.1}|params.min_energy is -0.1; expected a finite number",
                "[], {min_energy: 1.0/0.0}|params.min_energy is Infinity; expected a finite number",
                "[], {max_fanout: 0}|params.max_fanout is 0; expected a whole number",
                "[], {region_multiplier: -1}|params.region_multiplier is -1; expected a finite number",
                "[], {top_k: 0}|params.top_k is 0; expected a whole number",
                "[], {max_visited: 0}|params.max_visited is 0; expected a whole number",
                "[], {allowed: 3}|params.allowed is 3; expected a list of ids",
                "[], {allowed: ['a']}|params.allowed has 'a'; expected ids",
                "[], {missing: 'ignore'}|params.missing is 'ignore'; expected 'error' or 'skip'",
                "[], {gains: 3}|params.gains is 3; expected a map",
                "[], {gains: {LIKES: [1, 1]}}|params.gains names 'LIKES'; expected one of SIMILARITY, CAUSAL",
                "[], {gains: {CAUSAL: [1]}}|params.gains.CAUSAL is [1]; expected [forward, backward]",
                "[], {gains: {CAUSAL: null}}|params.gains.CAUSAL is null; expected [forward, backward]",
                "[], {gains: {CAUSAL: [-1, 1]}}|params.gains.CAUSAL has -1; expected finite numbers",
                "[], {gains: {CAUSAL: [1, null]}}|params.gains.CAUSAL has null; expected finite numbers"
            })
    void badArgumentsAreRefused(String arguments, String said) {
        scene.concepts(1);
        String refusal = scene.refusal("aesg.spread", arguments);
        assertTrue(refusal.contains(said), refusal);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "null|memory is null; expected the name of a memory",
                "''|memory is ''; expected the name of a memory",
                "'nobody'|there is no memory 'nobody'; expected the name of one"
            })
    void aMemoryThatIsNotThereIsRefused(String name, String said) {
        String refusal = World.refusal("CALL aesg.spread(" + name + ", [])", Map.of());
        assertTrue(refusal.contains(said), refusal);
    }

    @Test
    void missingSeedsMayBePassedOver() {
        chain();
        assertEquals(
                List.of(result(4, 1)), scene.recalled("[[99, 1], [4, 1]]", "{missing: 'skip'}"));
    }

    @Test
    void aHeadThatDoesNotKnowItsTypesIsRefused() {
        scene.set("relation_forward", null);
        String refusal = scene.refusal("aesg.spread", "[]");
        assertTrue(refusal.contains("lacks relation_types, relation_forward or relation_backward"), refusal);
    }

    @Test
    void aQueryThatReachesTooMuchIsRefused() {
        scene.concepts(40);
        for (long target = 2; target <= 40; target++) {
            scene.edge("CAUSAL", 1, target, 0.5);
        }
        assertEquals(10, scene.recalled("[[1, 1]]", "{max_visited: 40}").size());
        String refusal = scene.refusal("aesg.spread", "[[[2, 1]], [[1, 1]]], {max_visited: 39}");
        assertTrue(refusal.contains("more than params.max_visited = 39 concepts"), refusal);
    }

    @Test
    void tenThousandSeedsAreSpread() {
        scene.concepts(10_000).edge("CAUSAL", 1, 2, 0.5);
        String seeds = "[id IN range(1, 10000) | [id, 0.25]]";
        List<List<Object>> found = scene.recalled(seeds, "{top_k: 20000}");
        assertEquals(10_000, found.size());
        assertEquals(List.of(result(2, 0.375), result(1, 0.25), result(3, 0.25)), found.subList(0, 3));
    }

    @Test
    void nothingIsChanged() {
        chain();
        Object before = World.everything(scene.memory);
        scene.recalled("[[1, 1.0]]");
        scene.explained("[[1, 1.0]]", 3, "{}");
        assertEquals(before, World.everything(scene.memory));
    }

    @Test
    void aKilledTransactionEndsInTheMidstOfASpread() throws InterruptedException {
        scene.concepts(200);
        World.run(
                """
                MATCH (a:Concept {memory: $memory}), (b:Concept {memory: $memory}) WHERE a.id < b.id
                CREATE (a)-[:SIMILARITY {weight: 1.0}]->(b)
                """,
                Map.of("memory", scene.memory));
        String query = "CALL aesg.spread($memory, [row IN range(1, 200000) | [[1, 1]]], {steps: 100}) "
                + "YIELD activation RETURN sum(activation) AS sum";
        assertTrue(Killing.endsIt(query, Map.of("memory", scene.memory)));
    }
}
