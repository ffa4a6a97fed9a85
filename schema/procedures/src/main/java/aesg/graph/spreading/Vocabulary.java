package aesg.graph.spreading;

import aesg.graph.Refusal;
import aesg.graph.Params;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.graphdb.Transaction;

/** The types of edges that a memory knows, in the order of its head, and what each passes on in either direction. */
final class Vocabulary {
    private final Map<String, Integer> codes = new HashMap<>();
    private final String[] names;
    private final double[] forward;
    private final double[] backward;

    Vocabulary(Node head, Object overriding) {
        names = head.getProperty("relation_types", null) instanceof String[] given ? given : new String[0];
        forward = gains(head, "relation_forward");
        backward = gains(head, "relation_backward");
        if (names.length == 0 || forward.length != names.length || backward.length != names.length) {
            throw new Refusal(
                    "the head of the memory lacks relation_types, relation_forward or relation_backward",
                    "a memory that this version of aesg-graph has opened");
        }
        for (int code = 0; code < names.length; code++) {
            codes.put(names[code], code);
        }
        override(overriding);
    }

    private static double[] gains(Node head, String property) {
        return head.getProperty(property, null) instanceof double[] given ? given.clone() : new double[0];
    }

    private void override(Object given) {
        if (given == null) {
            return;
        }
        if (!(given instanceof Map<?, ?> gains)) {
            throw new Refusal("params.gains is " + Params.shown(given), "a map from type to [forward, backward]");
        }
        gains.forEach((type, pair) -> {
            Integer code = codes.get(type);
            if (code == null) {
                throw new Refusal("params.gains names " + Params.shown(type), "one of " + String.join(", ", names));
            }
            if (!(pair instanceof List<?> both) || both.size() != 2) {
                throw new Refusal("params.gains." + type + " is " + Params.shown(pair), "[forward, backward]");
            }
            forward[code] = gain(type, both.get(0));
            backward[code] = gain(type, both.get(1));
        });
    }

    private static double gain(Object type, Object given) {
        if (given instanceof Number number && number.doubleValue() >= 0 && Double.isFinite(number.doubleValue())) {
            return number.doubleValue();
        }
        throw new Refusal("params.gains." + type + " has " + Params.shown(given), "finite numbers of 0 or more");
    }

    /** The types that pass anything on and occur in this database. */
    RelationshipType[] carrying(Transaction tx) {
        Set<String> inUse = new HashSet<>();
        tx.getAllRelationshipTypesInUse().forEach(type -> inUse.add(type.name()));
        return codes.entrySet().stream()
                .filter(known -> forward[known.getValue()] > 0 || backward[known.getValue()] > 0)
                .filter(known -> inUse.contains(known.getKey()))
                .map(known -> RelationshipType.withName(known.getKey()))
                .toArray(RelationshipType[]::new);
    }

    int code(RelationshipType type) {
        return codes.get(type.name());
    }

    double gain(int code, boolean isForward) {
        return isForward ? forward[code] : backward[code];
    }

    String name(int code) {
        return names[code];
    }
}
