package aesg.graph.spreading;

import aesg.graph.Memories;
import aesg.graph.Params;
import aesg.graph.Refusal;
import aesg.graph.Rows;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Path;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** {@code aesg.explain}: why a concept was recalled. */
public final class ExplainProcedure {
    @Context public Transaction transaction;
    @Context public TerminationGuard guard;

    /** One path by which energy came. */
    public static final class Explained {
        public final Path path;
        public final double share;
        public final double part;
        public final List<Long> ids;

        Explained(Way way, Neighbourhood graph, double total) {
            this.path = WalkedPath.of(way, graph);
            this.share = way.energy();
            this.part = way.energy() / total;
            this.ids = LongStream.of(way.ids(graph)).boxed().toList();
        }
    }

    /**
     * The strongest paths from one query's seeds to the target, in falling order, ties by ids.
     *
     * <p>A path's share is the energy that came that way. All paths' shares add up to the target's activation less its
     * own seed energy; part is the share as a part of that sum. A path may come through a concept again.
     */
    @Procedure(name = "aesg.explain", mode = Mode.READ)
    @Description("Why a concept was recalled: the strongest paths by which energy came from the seeds, and how much.")
    public Stream<Explained> explain(
            @Name("memory") String memory,
            @Name("seeds") List<Object> seeds,
            @Name("target") Long target,
            @Name(value = "params", defaultValue = "{}") Map<String, Object> given) {
        Node head = Memories.head(transaction, memory);
        SpreadParams params = SpreadParams.ofExplain(head, given);
        Vocabulary vocabulary = new Vocabulary(head, given.get("gains"));
        Call call = new Call(transaction, guard, memory);
        Seeds lit = Seeds.of(seeds, "seeds", call, params.skipMissing());
        Neighbourhood graph = new Neighbourhood(call, vocabulary, params, true);
        Explaining explaining = new Explaining(graph, params, guard, graph.slot(target(memory, target)));
        return explaining.strongest(lit).stream().map(way -> new Explained(way, graph, explaining.total()));
    }

    private Node target(String memory, Long id) {
        Node node = id == null ? null : Rows.concept(transaction, memory, id);
        if (node == null) {
            throw new Refusal(
                    "target is " + Params.shown(id) + ", which is no concept of the memory '" + memory + "'", "the id of one");
        }
        return node;
    }
}
