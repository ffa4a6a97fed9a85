package aesg.graph.writing;

import aesg.graph.Refusal;
import aesg.graph.Rows;
import java.util.Map;
import java.util.function.Function;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/**
 * One transaction in which the next epoch begins, unless another process looks after the memory.
 *
 * <p>The lease's fence grows, so that a process that had the lease and was paused is refused whatever it had planned.
 */
final class Consolidating implements Function<Transaction, Consolidating.Begun> {
    /** The epoch that began, and how many concepts there are in it. */
    record Begun(long epoch, long concepts) {}

    private final String memory;

    Consolidating(String memory) {
        this.memory = memory;
    }

    @Override
    public Begun apply(Transaction tx) {
        Node lease = locked(tx, Rows.one(tx, Rows.LEASE, Map.of("memory", memory)), "lease");
        expectFree(lease);
        Node head = locked(tx, Rows.one(tx, Rows.MEMORY, Map.of("name", memory)), "head");
        Hands hands = Hands.lock(tx, memory);
        long epoch = Rows.whole(head, "epoch", 0) + 1;
        lease.setProperty("fence", Rows.whole(lease, "fence", 0) + 1);
        lease.setProperty("expires_at", 0L);
        lease.removeProperty("holder");
        head.setProperty("epoch", epoch);
        enter(tx, epoch, hands.sequence());
        hands.changed(0, 0, 0);
        return new Begun(epoch, Totals.of(tx, memory).concepts());
    }

    private Node locked(Transaction tx, Node node, String what) {
        if (node == null) {
            throw Refusal.unchanged("the memory '" + memory + "' has no " + what, "a memory that its package made");
        }
        tx.acquireWriteLock(node);
        return node;
    }

    private void expectFree(Node lease) {
        String holder = holder(lease);
        if (holder != null) {
            throw Refusal.unchanged(
                    "the process '" + holder + "' looks after the memory '" + memory
                            + "', and consolidation is its business",
                    "a lease that is free or has run out (this one has " + secondsLeft(lease) + " s left)");
        }
    }

    /** The process that has a lease and whose time has not run out, or null. */
    static String holder(Node lease) {
        return lease.getProperty("holder", null) instanceof String holder && secondsLeft(lease) > 0 ? holder : null;
    }

    /** A lease's time is the server's, as it is for the processes that take it. */
    private static long secondsLeft(Node lease) {
        long milliseconds = Rows.whole(lease, "expires_at", 0) - System.currentTimeMillis();
        return -Math.floorDiv(-milliseconds, 1000L);
    }

    private void enter(Transaction tx, long epoch, long sequence) {
        Node run = tx.createNode(Rows.CONSOLIDATION);
        run.setProperty("memory", memory);
        run.setProperty("epoch", epoch);
        run.setProperty("at", System.currentTimeMillis() / 1000.0);
        run.setProperty("writer", Hands.ID);
        run.setProperty("sequence", sequence);
    }
}
