package aesg.graph.writing;

import org.neo4j.procedure.TerminationGuard;

/**
 * Removes what may be pruned, weakest first, batch by batch, each in a transaction of its own.
 *
 * <p>What was removed stays removed and is whole, whatever becomes of the rest.
 */
final class Pruning {
    /** Candidates that are sorted at once; their ids are all that is held from batch to batch. */
    static final int ROUND = 100_000;

    private final OwnTransactions transactions;
    private final TerminationGuard guard;
    private final Head head;
    private final int batch;
    private final int round;
    private long pruned;
    private long batches;

    Pruning(OwnTransactions transactions, TerminationGuard guard, Head head, int batch) {
        this(transactions, guard, head, batch, ROUND);
    }

    Pruning(OwnTransactions transactions, TerminationGuard guard, Head head, int batch, int round) {
        this.transactions = transactions;
        this.guard = guard;
        this.head = head;
        this.batch = batch;
        this.round = round;
    }

    /** How many concepts went. */
    long pruned() {
        return pruned;
    }

    /** How many transactions that took. */
    long batches() {
        return batches;
    }

    /** Removes at most {@code limit} concepts. Where that ends early, what was removed is proven whole none the less. */
    void run(long limit) {
        try {
            rounds(limit);
        } catch (RuntimeException ended) {
            try {
                prove();
            } catch (RuntimeException unproven) {
                ended.addSuppressed(unproven); // the next change of Writer 0 proves it
            }
            throw ended;
        }
        prove();
    }

    private void prove() {
        if (pruned > 0) {
            transactions.commit(tx -> Hands.lock(tx, head.memory()).prove());
        }
    }

    private void rounds(long limit) {
        long before = -1;
        while (pruned < limit && pruned > before) { // a round in which all were used meanwhile is the last
            before = pruned;
            long wanted = Math.min(round, limit - pruned);
            long[] weakest = transactions.read(tx -> Expiry.weakest(tx, head.memory(), head.epoch(), wanted));
            remove(weakest);
            if (weakest.length < wanted) {
                return;
            }
        }
    }

    private void remove(long[] candidates) {
        for (int at = 0; at < candidates.length; ) {
            guard.check();
            int from = at;
            int to = Math.min(candidates.length, at + batch);
            PruneBatch.Done done = transactions.commit(new PruneBatch(head, candidates, from, to));
            at += done.considered();
            pruned += done.pruned();
            batches++;
        }
    }
}
