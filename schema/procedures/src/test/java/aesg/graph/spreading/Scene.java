package aesg.graph.spreading;

import aesg.graph.writing.World;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A small graph that a test draws, and what is recalled from it. */
final class Scene {
    final String memory = World.memory();

    /** A graph in which energy is undivided, nothing is lost, and regions do not matter, so that heads can compute. */
    Scene() {
        World.run(
                """
                MATCH (m:Memory {name: $memory})
                SET m += {spreading_activation_steps: 2, spreading_activation_decay: 1.0, fan: 0.0, min_energy: 0.01,
                    region_facilitation_multiplier: 1.0, top_k: 10}
                """,
                Map.of("memory", memory));
    }

    Scene set(String property, Object value) {
        Map<String, Object> known = new HashMap<>(Map.of("memory", memory, "property", property));
        known.put("value", value);
        World.run("MATCH (m:Memory {name: $memory}) SET m[$property] = $value", known);
        return this;
    }

    /** Concepts 1 to {@code count}. */
    Scene concepts(long count) {
        World.concepts(memory, 1, count, null);
        return this;
    }

    Scene edge(String type, long source, long target, Object weight) {
        World.edge(memory, type, source, target);
        World.run(
                "MATCH (:Concept {memory: $memory, id: $a})-[e:" + type
                        + "]->(:Concept {memory: $memory, id: $b}) SET e.weight = $weight",
                Map.of("memory", memory, "a", source, "b", target, "weight", weight));
        return this;
    }

    Scene region(long region, long... ids) {
        Map<String, Object> known = Map.of("memory", memory, "ids", ids, "region", region);
        World.run("MATCH (c:Concept {memory: $memory}) WHERE c.id IN $ids SET c.region_id = $region", known);
        return this;
    }

    /** Id and activation of each result of one query, whose seeds and params are Cypher. */
    List<List<Object>> recalled(String seeds, String params) {
        List<List<Object>> results = new ArrayList<>();
        String query = "CALL aesg.spread($memory, [" + seeds + "], " + params + ") YIELD id, activation RETURN id, activation";
        for (Map<String, Object> row : World.rows(query, memory)) {
            results.add(List.of(row.get("id"), row.get("activation")));
        }
        return results;
    }

    List<List<Object>> recalled(String seeds) {
        return recalled(seeds, "{}");
    }

    List<Map<String, Object>> explained(String seeds, long target, String params) {
        String query = "CALL aesg.explain($memory, " + seeds + ", " + target + ", " + params + ")";
        return World.rows(query, memory);
    }

    /** What a refused call with these arguments after the memory's name says. */
    String refusal(String procedure, String arguments) {
        return World.refusal("CALL " + procedure + "($memory, " + arguments + ")", Map.of("memory", memory));
    }
}
