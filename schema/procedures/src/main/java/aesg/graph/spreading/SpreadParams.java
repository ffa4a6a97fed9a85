package aesg.graph.spreading;

import aesg.graph.Params;
import aesg.graph.Refusal;
import aesg.graph.Rows;
import java.util.List;
import java.util.Map;
import org.neo4j.graphdb.Node;

/** What a spread is told besides the graph and the seeds: the memory's own parameters, unless others are given. */
record SpreadParams(
        int steps,
        double decay,
        double fan,
        double minEnergy,
        int maxFanout,
        double regionMultiplier,
        int topK,
        int maxVisited,
        int limit,
        boolean skipMissing,
        LongSlots allowed) {
    private static final String[] KNOWN = {
        "steps", "decay", "fan", "min_energy", "max_fanout", "region_multiplier", "top_k", "gains", "max_visited", "allowed",
        "missing"
    };
    private static final int MOST_STEPS = 100;
    private static final int MOST_RESULTS = 65536;
    private static final int MOST_VISITED = 100_000_000;
    private static final int USUALLY_VISITED = 1_000_000;

    /** Of {@code aesg.spread}. */
    static SpreadParams ofSpread(Node head, Map<String, Object> given) {
        return of(head, given, KNOWN);
    }

    /** Of {@code aesg.explain}, which also knows how many paths are wanted. */
    static SpreadParams ofExplain(Node head, Map<String, Object> given) {
        String[] known = java.util.Arrays.copyOf(KNOWN, KNOWN.length + 1);
        known[KNOWN.length] = "limit";
        return of(head, given, known);
    }

    private static SpreadParams of(Node head, Map<String, Object> given, String[] known) {
        Params params = new Params(given, known);
        Object fanout = given.getOrDefault("max_fanout", head.getProperty("max_fanout", null));
        return new SpreadParams(
                (int) params.whole("steps", Rows.whole(head, "spreading_activation_steps", 3), 0, MOST_STEPS),
                params.number("decay", Rows.number(head, "spreading_activation_decay", 0.8), 0, 1),
                params.number("fan", Rows.number(head, "fan", 0.5), 0, 1),
                params.number("min_energy", Rows.number(head, "min_energy", 1e-3), 0, Double.MAX_VALUE),
                fanout == null ? Integer.MAX_VALUE : (int) Params.within("params.max_fanout", fanout, 1, Integer.MAX_VALUE),
                params.number("region_multiplier", Rows.number(head, "region_facilitation_multiplier", 1.5), 0, 1000),
                (int) params.whole("top_k", Rows.whole(head, "top_k", 10), 1, MOST_RESULTS),
                (int) params.whole("max_visited", USUALLY_VISITED, 1, MOST_VISITED),
                (int) params.whole("limit", 10, 1, MOST_RESULTS),
                skips(given.get("missing")),
                allowed(given.get("allowed")));
    }

    private static boolean skips(Object given) {
        if (given == null || "error".equals(given)) {
            return false;
        }
        if ("skip".equals(given)) {
            return true;
        }
        throw new Refusal("params.missing is " + Params.shown(given), "'error' or 'skip'");
    }

    private static LongSlots allowed(Object given) {
        if (given == null) {
            return null;
        }
        if (!(given instanceof List<?> ids)) {
            throw new Refusal("params.allowed is " + Params.shown(given), "a list of ids");
        }
        LongSlots allowed = new LongSlots(ids.size());
        for (Object id : ids) {
            if (!(id instanceof Long number)) {
                throw new Refusal("params.allowed has " + Params.shown(id), "ids of concepts");
            }
            allowed.put(number);
        }
        return allowed;
    }
}
