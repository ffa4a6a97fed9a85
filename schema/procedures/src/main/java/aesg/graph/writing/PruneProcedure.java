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

/** {@code aesg.prune}: what may be pruned in the memory's present epoch goes. */
public final class PruneProcedure {
    static final long BATCH = 1000;
    static final long LARGEST_BATCH = 100_000;

    @Context public GraphDatabaseService database;
    @Context public TerminationGuard guard;

    /** What a prune did. */
    public static final class Pruned {
        public final long pruned;
        public final long due;
        public final long batches;
        public final boolean dry_run;

        Pruned(long pruned, long due, long batches, boolean dryRun) {
            this.pruned = pruned;
            this.due = due;
            this.batches = batches;
            this.dry_run = dryRun;
        }
    }

    /**
     * Removes what is due, weakest first, in batches that are transactions of their own. Each concept's predicate is
     * tested again under lock; tombstones tell everybody, and have the vectors removed.
     */
    @Procedure(name = "aesg.prune", mode = Mode.WRITE)
    @Description("Remove what is due, weakest first. params: limit (all), dryRun (false), batch (1000).")
    public Stream<Pruned> prune(
            @Name("memory") String memory, @Name(value = "params", defaultValue = "{}") Map<String, Object> params) {
        Params given = new Params(params, "limit", "dryRun", "batch");
        boolean dryRun = given.flag("dryRun", false);
        long limit = given.whole("limit", Long.MAX_VALUE, 0, Long.MAX_VALUE);
        int batch = (int) given.whole("batch", BATCH, 1, LARGEST_BATCH);

        OwnTransactions transactions = new OwnTransactions(database);
        Head head = transactions.read(tx -> Head.forPruning(tx, memory));
        long due = transactions.read(tx -> Expiry.count(tx, memory, head.epoch()));
        Pruning pruning = new Pruning(transactions, guard, head, batch);
        if (!dryRun && due > 0) {
            pruning.run(limit);
        }
        return Stream.of(new Pruned(pruning.pruned(), due, pruning.batches(), dryRun));
    }
}
