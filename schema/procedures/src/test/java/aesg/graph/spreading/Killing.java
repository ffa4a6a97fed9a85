package aesg.graph.spreading;

import aesg.graph.writing.World;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.neo4j.graphdb.Transaction;

/** Kills a query while a procedure works. */
final class Killing {
    private static final long SOON_MS = 5000; // it takes some milliseconds; a test must not depend on a busy machine

    private Killing() {}

    /** Whether a query that would take minutes ends soon after its transaction is terminated, and with an error. */
    static boolean endsIt(String query, Map<String, Object> known) throws InterruptedException {
        AtomicReference<Throwable> met = new AtomicReference<>();
        try (Transaction tx = World.DATABASE.beginTx()) {
            Thread asking = new Thread(() -> {
                try {
                    tx.execute(query, known).resultAsString();
                } catch (Throwable failed) {
                    met.set(failed);
                }
            });
            asking.start();
            awaitWork(asking);
            tx.terminate();
            asking.join(SOON_MS);
            return !asking.isAlive() && met.get() != null;
        }
    }

    /** Waits until a thread is seen in a spread. */
    private static void awaitWork(Thread asking) throws InterruptedException {
        for (int look = 0; look < 1000 && asking.isAlive(); look++) {
            for (StackTraceElement frame : asking.getStackTrace()) {
                if (frame.getClassName().equals(Spreading.class.getName())) {
                    return;
                }
            }
            Thread.sleep(10);
        }
        throw new AssertionError("it was never seen spreading");
    }
}
