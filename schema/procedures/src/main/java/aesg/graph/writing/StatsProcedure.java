package aesg.graph.writing;

import aesg.graph.Rows;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;

/** {@code aesg.stats}: how much a memory holds and how it stands, without counting it one by one. */
public final class StatsProcedure {
    private static final String UNSWEPT =
            """
            MATCH (r:Removed {memory: $memory, vector_removed: false})
            RETURN count(*) AS count
            """;
    private static final String LAST =
            """
            MATCH (n:Consolidation)
            WHERE n.memory = $memory AND n.epoch = $epoch
            RETURN max(n.at) AS at
            """;

    @Context public Transaction transaction;

    /** One memory as it stands. */
    public static final class Stats {
        public final long concepts;
        public final long edges;
        public final long tombstones;
        public final long unswept;
        public final long epoch;
        public final long due;
        public final long writers;
        public final long incarnation;
        public final Double consolidated_at;
        public final String holder;

        Stats(Totals totals, Head head, long unswept, long due, Double consolidatedAt, String holder) {
            this.concepts = totals.concepts();
            this.edges = totals.edges();
            this.tombstones = totals.tombstones();
            this.unswept = unswept;
            this.epoch = head.epoch();
            this.due = due;
            this.writers = totals.writers();
            this.incarnation = head.incarnation();
            this.consolidated_at = consolidatedAt;
            this.holder = holder;
        }
    }

    /** One row. Counts are what the writers recorded; what is due and unswept comes from indexes. */
    @Procedure(name = "aesg.stats", mode = Mode.READ)
    @Description("How much a memory holds, its epoch, what is due, and who looks after it.")
    public Stream<Stats> stats(@Name("memory") String memory) {
        Head head = Head.of(transaction, memory);
        Map<String, Object> known = Map.of("memory", memory, "epoch", head.epoch());
        return Stream.of(new Stats(
                Totals.of(transaction, memory),
                head,
                (Long) value(UNSWEPT, known, "count"),
                Expiry.count(transaction, memory, head.epoch()),
                value(LAST, known, "at") instanceof Number at ? at.doubleValue() : null,
                holder(memory)));
    }

    /** The process that has the lease and whose time has not run out; null where nobody has it. */
    private String holder(String memory) {
        Node lease = Rows.one(transaction, Rows.LEASE, Map.of("memory", memory));
        return lease == null ? null : Consolidating.holder(lease);
    }

    private Object value(String query, Map<String, Object> known, String column) {
        try (var rows = transaction.execute(query, known)) {
            return rows.next().get(column);
        }
    }
}
