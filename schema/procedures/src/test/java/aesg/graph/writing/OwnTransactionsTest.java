package aesg.graph.writing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import aesg.graph.Refusal;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Transaction;

@Timeout(60)
class OwnTransactionsTest {
    private final String memory = World.memory();

    /** As when a caller wrote to the memory before, in the transaction in which he calls. */
    @Test
    void whoWaitsForHimselfIsToldSoInTime() {
        try (Transaction callers = World.DATABASE.beginTx()) {
            callers.execute("MATCH (w:Writer {memory: $memory}) SET w.memory = w.memory", Map.of("memory", memory))
                    .close();
            OwnTransactions own = new OwnTransactions(World.DATABASE, 1);
            Refusal refusal = assertThrows(Refusal.class, () -> own.commit(tx -> Hands.lock(tx, memory)));
            assertTrue(refusal.getMessage().contains("did not end within 1 s; expected locks"), refusal.getMessage());
            assertTrue(refusal.getMessage().contains("call it on its own"), refusal.getMessage());
        }
    }

    @Test
    void whatOthersDeletedUnderItsHandsIsTriedAgainButNotForever() {
        AtomicInteger attempts = new AtomicInteger();
        OwnTransactions own = new OwnTransactions(World.DATABASE);
        assertThrows(NotFoundException.class, () -> own.commit(tx -> {
            attempts.incrementAndGet();
            throw new NotFoundException("it is gone");
        }));
        assertEquals(OwnTransactions.ATTEMPTS, attempts.get());
        long third = own.commit(tx -> {
            if (attempts.incrementAndGet() < OwnTransactions.ATTEMPTS + 3) {
                throw new NotFoundException("it is gone");
            }
            return 3L;
        });
        assertEquals(3L, third);
    }

    @Test
    void whatFailsIsUndone() {
        World.concepts(memory, 1, 1, 10L);
        Object before = World.everything(memory);
        OwnTransactions own = new OwnTransactions(World.DATABASE);
        assertThrows(IllegalStateException.class, () -> own.commit(tx -> {
            Hands.lock(tx, memory).changed(5, 5, 5);
            throw new IllegalStateException("enough");
        }));
        assertEquals(before, World.everything(memory));
    }
}
