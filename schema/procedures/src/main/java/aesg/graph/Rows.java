package aesg.graph;

import java.util.Map;
import org.neo4j.graphdb.Label;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/** Nodes by their keys, and their properties by type. */
public final class Rows {
    public static final Label CONCEPT = Label.label("Concept");
    public static final Label CONSOLIDATION = Label.label("Consolidation");
    public static final Label LEASE = Label.label("Lease");
    public static final Label MEMORY = Label.label("Memory");
    public static final Label REMOVED = Label.label("Removed");
    public static final Label WRITER = Label.label("Writer");

    private Rows() {}

    /** The node with a key, or null. A constraint sees to it that there is one at most, and an index finds it. */
    public static Node one(Transaction tx, Label label, Map<String, Object> key) {
        try (var found = tx.findNodes(label, key)) {
            return found.hasNext() ? found.next() : null;
        }
    }

    /** A concept by its id, or null. */
    public static Node concept(Transaction tx, String memory, long id) {
        return one(tx, CONCEPT, Map.of("memory", memory, "id", id));
    }

    /** A property that is a whole number; {@code missing} where it is absent or something else. */
    public static long whole(Node node, String property, long missing) {
        return node.getProperty(property, null) instanceof Long number ? number : missing;
    }

    /** A property that is a number; {@code missing} where it is absent or something else. */
    public static double number(Node node, String property, double missing) {
        return node.getProperty(property, null) instanceof Number number ? number.doubleValue() : missing;
    }

    /** Whether a node is a concept of a memory, with an id. */
    public static boolean isConcept(Node node, String memory) {
        return node.hasLabel(CONCEPT)
                && memory.equals(node.getProperty("memory", null))
                && node.getProperty("id", null) instanceof Long;
    }
}
