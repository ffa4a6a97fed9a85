package aesg.graph.spreading;

import aesg.graph.Invalid;
import aesg.graph.Memory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What a call is told besides the graph and the seeds.
 *
 * @param steps how many synchronous pulses
 * @param decay the share of its energy that a concept passes on, in each pulse
 * @param fan the exponent of the fan effect: 0 divides nothing, 1 splits a concept's energy over its edges
 * @param minEnergy a concept that received less in a pulse passes nothing on in the next
 * @param maxFanout how many of a concept's edges count, the strongest; ALL_EDGES for all
 * @param regionMultiplier what an edge between two concepts of one region is worth more
 * @param topK how many results at most
 * @param maxVisited how many concepts one query may reach
 * @param skipMissing whether seeds that do not exist are passed over
 * @param allowed the only ids that may be results; null for all
 */
record Rules(
        int steps,
        double decay,
        double fan,
        double minEnergy,
        int maxFanout,
        double regionMultiplier,
        int topK,
        int maxVisited,
        boolean skipMissing,
        LongIntMap allowed,
        Relations relations) {
    static final int ALL_EDGES = Integer.MAX_VALUE;

    private static final int BILLION = 1_000_000_000;
    private static final int VISITED = 1_000_000;
    private static final List<String> KNOWN = List.of(
            "steps", "decay", "fan", "min_energy", "max_fanout", "region_multiplier", "gains", "max_visited", "missing");

    /** From a memory's head, and from params, of which {@code more} are others'. Raises Invalid for a bad one. */
    static Given given(Memory memory, Map<String, Object> params, String... more) {
        List<String> known = new ArrayList<>(KNOWN);
        known.addAll(List.of(more));
        return new Given(params, memory, known);
    }

    static Rules of(Given given) {
        return new Rules(
                given.whole("steps", "spreading_activation_steps", 0, 100),
                given.number("decay", "spreading_activation_decay", 0, 1),
                given.number("fan", "fan", 0, 1),
                given.number("min_energy", "min_energy", 0, Double.MAX_VALUE),
                given.optional("max_fanout", "max_fanout", ALL_EDGES, 1, BILLION),
                given.number("region_multiplier", "region_facilitation_multiplier", 0, 1000),
                given.whole("top_k", "top_k", 1, 65536),
                given.whole("max_visited", VISITED, 1, BILLION),
                skipMissing(given),
                allowed(given.get("allowed")),
                Relations.of(given.memory(), given.get("gains")));
    }

    private static boolean skipMissing(Given given) {
        if (!given.has("missing") || "error".equals(given.get("missing"))) {
            return false;
        }
        if ("skip".equals(given.get("missing"))) {
            return true;
        }
        throw new Invalid("params.missing is " + Invalid.shown(given.get("missing")), "'error' or 'skip'");
    }

    private static LongIntMap allowed(Object value) {
        if (value == null) {
            return null;
        }
        if (!(value instanceof List<?> ids)) {
            throw new Invalid("params.allowed is " + Invalid.shown(value), "a list of ids, or null for all");
        }
        LongIntMap allowed = new LongIntMap();
        for (Object id : ids) {
            if (!(id instanceof Long number)) {
                throw new Invalid("params.allowed has " + Invalid.shown(id), "ids, which are whole numbers");
            }
            allowed.put(number, 0);
        }
        return allowed;
    }
}
