package aesg.graph;

import java.util.Map;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/** The heads of memories. */
public final class Memories {
    private Memories() {}

    /** A memory's head, or a refusal that says what is wrong with the name. */
    public static Node head(Transaction tx, String memory) {
        if (memory == null || memory.isEmpty()) {
            throw new Refusal("memory is " + (memory == null ? "null" : "''"), "the name of a memory");
        }
        Node head = Rows.one(tx, Rows.MEMORY, Map.of("name", memory));
        if (head == null) {
            throw new Refusal("there is no memory '" + memory + "'", "the name of one");
        }
        if (Rows.whole(head, "incarnation", 0) == 0) {
            throw new Refusal("the memory '" + memory + "' is being restored", "one that is whole");
        }
        return head;
    }
}
