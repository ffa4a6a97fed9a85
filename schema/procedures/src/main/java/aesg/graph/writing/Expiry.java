package aesg.graph.writing;

import java.util.Map;
import java.util.stream.LongStream;
import org.neo4j.graphdb.Transaction;

/** What may be pruned, from the index of expiry: the cost follows what is due, not the graph. */
final class Expiry {
    private static final String DUE =
            """
            MATCH (c:Concept)
            USING INDEX c:Concept(memory, expires_epoch)
            WHERE c.memory = $memory AND c.expires_epoch <= $epoch
            """;
    static final String NODES = DUE + "RETURN c ORDER BY c.fades_at, c.id LIMIT $limit";
    private static final String IDS = DUE + "RETURN c.id AS id ORDER BY c.fades_at, c.id LIMIT $limit";
    private static final String COUNT = DUE + "RETURN count(*) AS count";

    private Expiry() {}

    /** The ids of the weakest concepts that may be pruned in an epoch, weakest first. */
    static long[] weakest(Transaction tx, String memory, long epoch, long limit) {
        Map<String, Object> known = Map.of("memory", memory, "epoch", epoch, "limit", limit);
        LongStream.Builder ids = LongStream.builder();
        try (var rows = tx.execute(IDS, known)) {
            while (rows.hasNext()) {
                if (rows.next().get("id") instanceof Long id) {
                    ids.add(id);
                }
            }
        }
        return ids.build().toArray();
    }

    /** How many concepts may be pruned in an epoch. */
    static long count(Transaction tx, String memory, long epoch) {
        try (var rows = tx.execute(COUNT, Map.of("memory", memory, "epoch", epoch))) {
            return (Long) rows.next().get("count");
        }
    }
}
