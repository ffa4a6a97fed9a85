package aesg.graph.spreading;

import aesg.graph.Invalid;
import aesg.graph.Memory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.RelationshipType;

/**
 * The types of edges that carry energy, with their gains by arc code.
 *
 * <p>An arc is an edge as one of its ends sees it. Its code is twice its type's place in the memory's list, plus one
 * where it is walked against the edge's direction.
 */
final class Relations {
    private static final int FORWARD = 0;
    private static final int BACKWARD = 1;

    private final Map<String, Integer> codes = new HashMap<>();
    private final double[] gains;
    private final RelationshipType[] carrying;
    private final Direction direction;

    private Relations(String[] names, double[] gains) {
        this.gains = gains;
        for (int type = 0; type < names.length; type++) {
            codes.put(names[type], type);
        }
        carrying = codes.entrySet().stream()
                .filter(entry -> gains[2 * entry.getValue()] > 0 || gains[2 * entry.getValue() + 1] > 0)
                .map(entry -> RelationshipType.withName(entry.getKey()))
                .toArray(RelationshipType[]::new);
        direction = any(FORWARD) ? any(BACKWARD) ? Direction.BOTH : Direction.OUTGOING : Direction.INCOMING;
    }

    private boolean any(int side) {
        for (int code = side; code < gains.length; code += 2) {
            if (gains[code] > 0) {
                return true;
            }
        }
        return false;
    }

    /** The memory's, with the gains that a call gives: from type names to [forward, backward]. */
    static Relations of(Memory memory, Object overriding) {
        Object names = memory.head().getProperty("relation_types", null);
        Object forward = memory.head().getProperty("relation_forward", null);
        Object backward = memory.head().getProperty("relation_backward", null);
        if (!(names instanceof String[] types && forward instanceof double[] there && backward instanceof double[] back)
                || types.length != there.length
                || types.length != back.length) {
            throw new Invalid(
                    "the memory '" + memory.name() + "' does not say which relation types it has",
                    "relation_types, relation_forward and relation_backward of one length, as this package writes them");
        }
        double[] gains = new double[2 * types.length];
        for (int type = 0; type < types.length; type++) {
            gains[2 * type + FORWARD] = gain(types[type], there[type]);
            gains[2 * type + BACKWARD] = gain(types[type], back[type]);
        }
        Relations relations = new Relations(types, gains);
        return overriding == null ? relations : relations.with(types, overriding);
    }

    private Relations with(String[] types, Object overriding) {
        String expected = "a map from type names to [forward, backward]";
        if (!(overriding instanceof Map<?, ?> given)) {
            throw new Invalid("params.gains is " + Invalid.shown(overriding), expected);
        }
        double[] changed = gains.clone();
        given.forEach((name, pair) -> {
            if (!codes.containsKey(name)) {
                throw new Invalid("params.gains has " + name, String.join(", ", types));
            }
            if (!(pair instanceof List<?> both) || both.size() != 2) {
                throw new Invalid("params.gains." + name + " is " + Invalid.shown(pair), expected);
            }
            int type = codes.get(name);
            changed[2 * type + FORWARD] = gain(name, both.get(FORWARD));
            changed[2 * type + BACKWARD] = gain(name, both.get(BACKWARD));
        });
        return new Relations(types, changed);
    }

    private static double gain(Object name, Object value) {
        if (value instanceof Number number && number.doubleValue() >= 0 && number.doubleValue() <= Double.MAX_VALUE) {
            return number.doubleValue();
        }
        throw new Invalid("a gain of " + name + " is " + Invalid.shown(value), "a finite number of at least 0");
    }

    /** The types by which energy flows at all; may be none. */
    RelationshipType[] carrying() {
        return carrying;
    }

    /** Outgoing or incoming edges alone, if energy flows along no others. */
    Direction direction() {
        return direction;
    }

    /** The code of an arc. The type is one of {@link #carrying()}. */
    int code(RelationshipType type, boolean forward) {
        return 2 * codes.get(type.name()) + (forward ? FORWARD : BACKWARD);
    }

    double gain(int code) {
        return gains[code];
    }
}
