package aesg.graph.writing;

import aesg.graph.Refusal;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.neo4j.graphdb.GraphDatabaseService;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Transaction;
import org.neo4j.graphdb.TransactionTerminatedException;
import org.neo4j.graphdb.TransientFailureException;

/** Short transactions of a procedure's own: each is committed by itself, and tried again when it met another's. */
final class OwnTransactions {
    /** How often one is tried that loses deadlocks, or whose nodes others delete under its hands. */
    static final int ATTEMPTS = 20;

    /**
     * Seconds for one. Whoever calls a procedure in a transaction that holds locks which the procedure needs would wait
     * for himself forever.
     */
    static final long SECONDS = 120;

    private static final long LONGEST_PAUSE_MS = 200;

    private final GraphDatabaseService database;
    private final long seconds;

    OwnTransactions(GraphDatabaseService database) {
        this(database, SECONDS);
    }

    OwnTransactions(GraphDatabaseService database, long seconds) {
        this.database = database;
        this.seconds = seconds;
    }

    /** Does work in one transaction and commits it. What the work throws undoes it. */
    <T> T commit(Function<Transaction, T> work) {
        for (int attempt = 1; ; attempt++) {
            try (Transaction tx = database.beginTx(seconds, TimeUnit.SECONDS)) {
                T result = work.apply(tx);
                tx.commit();
                return result;
            } catch (TransactionTerminatedException ended) {
                throw new Refusal(
                        "a transaction of its own did not end within " + seconds + " s",
                        "locks that are to be had: call it on its own, not in a transaction that wrote before",
                        ended);
            } catch (TransientFailureException | NotFoundException met) {
                if (attempt == ATTEMPTS) {
                    throw met;
                }
                pause(attempt);
            }
        }
    }

    /** Reads in one transaction. */
    <T> T read(Function<Transaction, T> work) {
        try (Transaction tx = database.beginTx()) {
            return work.apply(tx);
        }
    }

    private static void pause(int attempt) {
        try {
            Thread.sleep(ThreadLocalRandom.current().nextLong(1, Math.min(LONGEST_PAUSE_MS, 4L << attempt)));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
