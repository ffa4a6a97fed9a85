package aesg.graph.writing;

import aesg.graph.Params;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.GraphDatabaseService;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** {@code aesg.consolidate}: the next epoch begins, and what is due in it goes. */
public final class ConsolidateProcedure {
    /** A fraction such as 0.29 of 100 is 28.999999999999996 in binary, and means 29. */
    private static final double ROUNDING = 1e-9;

    @Context public GraphDatabaseService database;
    @Context public TerminationGuard guard;

    /** What a consolidation did. */
    public static final class Consolidated {
        public final long epoch;
        public final long pruned;
        public final long due;

        Consolidated(long epoch, long pruned, long due) {
            this.epoch = epoch;
            this.pruned = pruned;
            this.due = due;
        }
    }

    /** Begins the next epoch and prunes within the memory's {@code max_prune_fraction}, weakest first. */
    @Procedure(name = "aesg.consolidate", mode = Mode.WRITE)
    @Description("Begin the next epoch and prune what is due in it, at most max_prune_fraction of the memory. "
            + "params: prune (true), batch (1000).")
    public Stream<Consolidated> consolidate(
            @Name("memory") String memory, @Name(value = "params", defaultValue = "{}") Map<String, Object> params) {
        Params given = new Params(params, "prune", "batch");
        boolean prune = given.flag("prune", true);
        int batch = (int) given.whole("batch", PruneProcedure.BATCH, 1, PruneProcedure.LARGEST_BATCH);

        OwnTransactions transactions = new OwnTransactions(database);
        Head head = transactions.read(tx -> Head.forPruning(tx, memory));
        Consolidating.Begun begun = transactions.commit(new Consolidating(memory));
        transactions.commit(tx -> Hands.lock(tx, memory).prove());
        long due = transactions.read(tx -> Expiry.count(tx, memory, begun.epoch()));
        Pruning pruning = new Pruning(transactions, guard, head.in(begun.epoch()), batch);
        if (prune && due > 0) {
            pruning.run((long) Math.floor(head.maxPruneFraction() * begun.concepts() + ROUNDING));
        }
        return Stream.of(new Consolidated(begun.epoch(), pruning.pruned(), due));
    }
}
