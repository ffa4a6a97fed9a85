package aesg.graph.writing;

import aesg.graph.Rows;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/** Concepts that a transaction is going to change, by id; what is read of each is read once. */
final class Near {
    /** No concept of the memory: what people attached to one. */
    static final long FOREIGN = -1;

    private final Transaction tx;
    private final String memory;
    private final TreeMap<Long, Node> byId = new TreeMap<>();
    private final Map<Node, Long> ids = new HashMap<>();
    private boolean locked;

    Near(Transaction tx, String memory) {
        this.tx = tx;
        this.memory = memory;
    }

    /**
     * Takes in a node, unless it is {@link #FOREIGN}; its id. One that comes when the others are locked is locked out of
     * turn, and a deadlock that follows is tried again.
     */
    long add(Node node) {
        Long known = ids.get(node);
        if (known != null) {
            return known;
        }
        long id = Rows.isConcept(node, memory) ? Rows.whole(node, "id", FOREIGN) : FOREIGN;
        ids.put(node, id);
        if (id != FOREIGN) {
            byId.put(id, node);
            if (locked) {
                tx.acquireWriteLock(node);
            }
        }
        return id;
    }

    /** Write-locks all in the order of their ids. */
    void lock() {
        byId.values().forEach(tx::acquireWriteLock);
        locked = true;
    }

    Node get(long id) {
        return byId.get(id);
    }
}
