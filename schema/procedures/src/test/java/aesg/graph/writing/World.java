package aesg.graph.writing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import aesg.graph.AgingFunctions;
import aesg.graph.VersionProcedure;
import aesg.graph.spreading.ExplainProcedure;
import aesg.graph.spreading.SpreadProcedure;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.neo4j.graphdb.GraphDatabaseService;
import org.neo4j.graphdb.QueryExecutionException;
import org.neo4j.harness.Neo4j;
import org.neo4j.harness.Neo4jBuilders;

/** A Neo4j with the procedures and the package's schema, and memories in it. Started once for all tests. */
public final class World {
    public static final GraphDatabaseService DATABASE = start();

    private static final AtomicInteger MEMORIES = new AtomicInteger();

    private World() {}

    private static GraphDatabaseService start() {
        Neo4j neo4j = Neo4jBuilders.newInProcessBuilder()
                .withDisabledServer()
                .withProcedure(ConsolidateProcedure.class)
                .withProcedure(DueProcedure.class)
                .withProcedure(PruneProcedure.class)
                .withProcedure(StatsProcedure.class)
                .withProcedure(SpreadProcedure.class)
                .withProcedure(ExplainProcedure.class)
                .withProcedure(VersionProcedure.class)
                .withFunction(AgingFunctions.class)
                .build();
        Runtime.getRuntime().addShutdownHook(new Thread(neo4j::close));
        GraphDatabaseService database = neo4j.defaultDatabaseService();
        for (String statement : migrations()) {
            database.executeTransactionally(statement);
        }
        database.executeTransactionally("CALL db.awaitIndexes()");
        return database;
    }

    private static List<String> migrations() {
        try (var files = Files.list(Path.of("..", "..", "migrations"))) {
            return files.filter(file -> file.toString().endsWith(".cypher"))
                    .sorted()
                    .flatMap(file -> List.of(text(file).split(";\\s*(\\n|$)")).stream())
                    .filter(statement -> !statement.isBlank())
                    .toList();
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    /** A new memory in epoch 10 that may lose half of its concepts at once; its name. */
    public static String memory() {
        String memory = "memory-" + MEMORIES.incrementAndGet();
        run(
                """
                CREATE (:Memory {name: $memory, incarnation: 1, epoch: 10, key_version: 0, vector_dim: 2, value_dim: 0,
                    relevance_boost: 0.1, relevance_decay: 0.5, survival_threshold_relevance: 0.05,
                    survival_threshold_frequency: 5, survival_min_age: 5, max_prune_fraction: 0.5,
                    relation_types: ['SIMILARITY', 'CAUSAL'], relation_forward: [1.0, 1.0],
                    relation_backward: [1.0, 0.0]})
                CREATE (:Lease {memory: $memory, fence: 0, expires_at: 0})
                CREATE (:Writer {memory: $memory, id: 0, incarnation: 1, sequence: 0, content: 0, forgotten: 0,
                    concepts: 0, edges: 0, tombstones: 0})
                CREATE (:Writer {memory: $memory, id: 7, incarnation: 1, sequence: 1, content: 1, forgotten: 0,
                    concepts: 0, edges: 0, tombstones: 0})
                """,
                Map.of("memory", memory));
        return memory;
    }

    /** So many concepts {@code from, from + 1, ...} that expire in an epoch, the first ones being the weakest. */
    public static void concepts(String memory, long from, long count, Long expiresEpoch) {
        var known = new java.util.HashMap<String, Object>(Map.of("memory", memory, "from", from, "count", count));
        known.put("expires", expiresEpoch);
        run(
                """
                UNWIND range($from, $from + $count - 1) AS id
                CREATE (:Concept {memory: $memory, id: id, kind: 'concept', name: 'c' + id, relevance: 1.0,
                    touched_epoch: 0, born_epoch: 0, use_frequency: 0, contradictions: 0, created_at: 1.0,
                    modified_at: 1.0, encoder: '', version: 0, writer: 7, sequence: 1, expires_epoch: $expires,
                    fades_at: id * 0.001})
                """,
                known);
        run(
                "MATCH (w:Writer {memory: $memory, id: 7}) SET w.concepts = w.concepts + $count",
                Map.of("memory", memory, "count", count));
    }

    /** An edge, which Writer 7 drew. */
    public static void edge(String memory, String type, long source, long target) {
        Map<String, Object> ends = Map.of("memory", memory, "source", source, "target", target);
        run(
                """
                MATCH (a:Concept {memory: $memory, id: $source})
                MATCH (b:Concept {memory: $memory, id: $target})
                MATCH (w:Writer {memory: $memory, id: 7})
                CREATE (a)-[:%s {weight: 0.5, confidence: 1.0, use_count: 0, created_at: 1.0, touched_epoch: 0}]->(b)
                SET w.edges = w.edges + 1
                """
                        .formatted(type),
                ends);
    }

    /** Writes, in a transaction of its own. */
    public static void run(String query, Map<String, Object> known) {
        DATABASE.executeTransactionally(query, known);
    }

    /** The rows that a query about a memory gives. */
    public static List<Map<String, Object>> rows(String query, String memory) {
        return rows(query, Map.of("memory", memory));
    }

    public static List<Map<String, Object>> rows(String query, Map<String, Object> known) {
        return DATABASE.executeTransactionally(
                query, known, result -> result.stream().map(Map::copyOf).toList());
    }

    /** The first row's only column. */
    public static Object value(String query, String memory) {
        return rows(query, memory).get(0).values().iterator().next();
    }

    /** The ids of a memory's concepts, ascending. */
    public static Object ids(String memory) {
        return value("MATCH (c:Concept {memory: $memory}) WITH c.id AS id ORDER BY id RETURN collect(id)", memory);
    }

    /** Concepts, edges and tombstones, as recorded less as counted one by one: zeros if the records are true. */
    public static Object miscounted(String memory) {
        return value(
                """
                MATCH (w:Writer {memory: $memory})
                WITH sum(w.concepts) AS concepts, sum(w.edges) AS edges, sum(w.tombstones) AS tombstones
                RETURN [concepts - COUNT { (:Concept {memory: $memory}) },
                        edges - COUNT { (:Concept {memory: $memory})-[:SIMILARITY|CAUSAL]->(:Concept) },
                        tombstones - COUNT { (:Removed {memory: $memory}) }]
                """,
                memory);
    }

    /** Everything that is said of a memory, but for its types, to be compared with later. */
    public static Object everything(String memory) {
        return value(
                """
                MATCH (n) WHERE n.memory = $memory OR n.name = $memory
                WITH n ORDER BY elementId(n)
                RETURN collect([labels(n), COUNT { (n)--() },
                    n {.*, relation_types: null, relation_forward: null, relation_backward: null}])
                """,
                memory);
    }

    /** What a refused call says. */
    public static String refusal(String query, Map<String, Object> known) {
        try {
            rows(query, known);
        } catch (QueryExecutionException refused) {
            return refused.getMessage();
        }
        throw new AssertionError("it was not refused: " + query);
    }

    /** Waits until a thread waits for a lock: it is at it in two looks running. */
    public static void awaitBlocked(Thread thread) throws InterruptedException {
        int running = 0;
        for (int attempt = 0; attempt < 1000 && running < 2; attempt++) {
            Thread.sleep(20);
            boolean locking = List.of(thread.getStackTrace()).stream()
                    .anyMatch(frame -> frame.getMethodName().equals("acquireWriteLock"));
            running = locking ? running + 1 : 0;
        }
        assertEquals(2, running, "looks at a thread that waits for a lock");
    }
}
