package aesg.graph.writing;

import aesg.graph.Params;
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

/** {@code aesg.due}: what a memory is about to forget. */
public final class DueProcedure {
    @Context public Transaction transaction;

    /** A concept that may be pruned, and when. */
    public static final class Due {
        public final Node node;
        public final Long id;
        public final String name;
        public final long expires_epoch;
        public final long in_epochs;
        public final double relevance;

        Due(Node node, Head head) {
            this.node = node;
            this.id = node.getProperty("id", null) instanceof Long number ? number : null;
            this.name = node.getProperty("name", null) instanceof String text ? text : null;
            this.expires_epoch = Rows.whole(node, "expires_epoch", 0);
            this.in_epochs = Math.max(0, expires_epoch - head.epoch());
            long passed = head.epoch() - Rows.whole(node, "touched_epoch", head.epoch());
            this.relevance = Math.min(1, Rows.number(node, "relevance", 0) * Math.pow(head.decay(), passed));
        }
    }

    /** What may be pruned within so many epochs from now if nothing of it is used, weakest first. */
    @Procedure(name = "aesg.due", mode = Mode.READ)
    @Description("What may be pruned within so many epochs from now if it is not used, weakest first.")
    public Stream<Due> due(
            @Name("memory") String memory,
            @Name(value = "epochs", defaultValue = "0") Long epochs,
            @Name(value = "limit", defaultValue = "1000") Long limit) {
        long ahead = Params.within("epochs", epochs, 0, Integer.MAX_VALUE);
        long most = Params.within("limit", limit, 0, Integer.MAX_VALUE);
        Head head = Head.of(transaction, memory);
        Map<String, Object> known = Map.of("memory", memory, "epoch", head.epoch() + ahead, "limit", most);
        return transaction.execute(Expiry.NODES, known).stream().map(row -> new Due((Node) row.get("c"), head));
    }
}
