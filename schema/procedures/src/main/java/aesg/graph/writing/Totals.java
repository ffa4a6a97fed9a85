package aesg.graph.writing;

import java.util.Map;
import org.neo4j.graphdb.Transaction;

/** What a memory's writers together added and took away, which is what there is; nothing is counted one by one. */
record Totals(long concepts, long edges, long tombstones, long writers) {
    private static final String SUM =
            """
            MATCH (w:Writer {memory: $memory}) WHERE w.id >= 0
            RETURN sum(w.concepts) AS concepts, sum(w.edges) AS edges, sum(w.tombstones) AS tombstones,
                   count(*) AS writers
            """;

    static Totals of(Transaction tx, String memory) {
        try (var rows = tx.execute(SUM, Map.of("memory", memory))) {
            Map<String, Object> row = rows.next();
            return new Totals(
                    (Long) row.get("concepts"),
                    (Long) row.get("edges"),
                    (Long) row.get("tombstones"),
                    (Long) row.get("writers"));
        }
    }
}
