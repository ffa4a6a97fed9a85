package aesg.graph.spreading;

import aesg.graph.Memories;
import aesg.graph.Refusal;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;

/** {@code aesg.spread}: what a batch of queries recalls. */
public final class SpreadProcedure {
    @Context public Transaction transaction;
    @Context public TerminationGuard guard;

    /** One recalled concept of one query. */
    public static final class Recalled {
        public final long row;
        public final Node node;
        public final long id;
        public final double activation;

        Recalled(long row, Ranking.Ranked ranked) {
            this.row = row;
            this.node = ranked.node();
            this.id = ranked.id();
            this.activation = ranked.activation();
        }
    }

    /** Each query's strongest concepts in falling order, ties by id; queries in their order. */
    @Procedure(name = "aesg.spread", mode = Mode.READ)
    @Description("Energy spreads from seeds, [[id, energy], ...] for each query; each query's strongest concepts.")
    public Stream<Recalled> spread(
            @Name("memory") String memory,
            @Name("seeds") List<Object> seeds,
            @Name(value = "params", defaultValue = "{}") Map<String, Object> given) {
        Node head = Memories.head(transaction, memory);
        if (seeds == null) {
            throw new Refusal("seeds is null", "a list with a list of [id, energy] for each query");
        }
        SpreadParams params = SpreadParams.ofSpread(head, given);
        Vocabulary vocabulary = new Vocabulary(head, given.get("gains"));
        Call call = new Call(transaction, guard, memory);
        Neighbourhood graph = new Neighbourhood(call, vocabulary, params, false);
        List<Seeds> queries = IntStream.range(0, seeds.size())
                .mapToObj(row -> Seeds.of(seeds.get(row), "seeds[" + row + "]", call, params.skipMissing()))
                .toList();
        Spreading spreading = new Spreading(graph, params, guard);
        Ranking ranking = new Ranking(graph, spreading, params);
        return IntStream.range(0, queries.size())
                .boxed()
                .flatMap(row -> ranking.strongest(queries.get(row)).stream().map(ranked -> new Recalled(row, ranked)));
    }
}
