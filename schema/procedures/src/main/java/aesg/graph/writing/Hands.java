package aesg.graph.writing;

import aesg.graph.Refusal;
import aesg.graph.Rows;
import java.util.Map;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/**
 * Writer 0 of a memory, as whom procedures and people write, locked in one transaction.
 *
 * <p>Every transaction that changes something carries the next sequence, and so does what it changes: that is how other
 * processes hear of it.
 */
final class Hands {
    static final long ID = 0;

    private final Node writer;
    private final long sequence;

    private Hands(Node writer, long sequence) {
        this.writer = writer;
        this.sequence = sequence;
    }

    /** Locks Writer 0. Its numbers are read only then. */
    static Hands lock(Transaction tx, String memory) {
        Node writer = Rows.one(tx, Rows.WRITER, Map.of("memory", memory, "id", ID));
        if (writer == null) {
            throw Refusal.unchanged("the memory '" + memory + "' has no Writer 0", "a memory that its package made");
        }
        tx.acquireWriteLock(writer);
        return new Hands(writer, Rows.whole(writer, "sequence", 0));
    }

    /** The stamp of what this transaction changes. */
    long sequence() {
        return sequence + 1;
    }

    /** Somebody's edges or columns changed: everybody hears of it. */
    void stamp(Node concept, double now) {
        concept.setProperty("modified_at", now);
        concept.setProperty("writer", ID);
        concept.setProperty("sequence", sequence());
    }

    /** This transaction changed something: so many more concepts, edges and tombstones (below 0: fewer). */
    void changed(long concepts, long edges, long tombstones) {
        writer.setProperty("sequence", sequence());
        writer.setProperty("content", sequence());
        add("concepts", concepts);
        add("edges", edges);
        add("tombstones", tombstones);
    }

    /** A change is whole for certain once another transaction of the same writer follows; this one is it. */
    Hands prove() {
        writer.setProperty("sequence", sequence());
        return this;
    }

    private void add(String counter, long more) {
        if (more != 0) {
            writer.setProperty(counter, Rows.whole(writer, counter, 0) + more);
        }
    }
}
