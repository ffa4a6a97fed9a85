package aesg.graph.writing;

import aesg.graph.Refusal;
import aesg.graph.Rows;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.Transaction;

/**
 * One transaction of a prune. It locks Writer 0, then candidates and their neighbours in the order of their ids, and only
 * then looks whether a candidate may go: whoever used it in the meantime has saved it.
 */
final class PruneBatch implements Function<Transaction, PruneBatch.Done> {
    /** A batch ends early where its concepts have more edges than this, so that no transaction grows without bound. */
    static final int MOST_EDGES = 20_000;

    /** How many candidates were considered, and how many of them went. */
    record Done(int considered, int pruned) {}

    private final String memory;
    private final long incarnation;
    private final long epoch;
    private final Set<String> types;
    private final long[] candidates;
    private final int from;
    private final int to;

    /** Candidates {@code from} to {@code to} (exclusive); one at least is considered. */
    PruneBatch(Head head, long[] candidates, int from, int to) {
        this.memory = head.memory();
        this.incarnation = head.incarnation();
        this.epoch = head.epoch();
        this.types = head.types();
        this.candidates = candidates;
        this.from = from;
        this.to = to;
    }

    @Override
    public Done apply(Transaction tx) {
        Hands hands = Hands.lock(tx, memory);
        expectSameMemory(tx);
        Near near = new Near(tx, memory);
        List<Node> chosen = new ArrayList<>();
        int considered = choose(tx, chosen, near);
        near.lock();
        chosen.removeIf(candidate -> !isDue(candidate));
        if (!chosen.isEmpty()) {
            remove(tx, hands, chosen, near);
        }
        return new Done(considered, chosen.size());
    }

    private void expectSameMemory(Transaction tx) {
        Node head = Rows.one(tx, Rows.MEMORY, Map.of("name", memory));
        if (head == null || Rows.whole(head, "incarnation", 0) != incarnation) {
            throw new Refusal("the memory '" + memory + "' was deleted or restored meanwhile", "one that stays");
        }
    }

    /** The candidates that are there, and them and their neighbours by id; how many candidates were considered. */
    private int choose(Transaction tx, List<Node> chosen, Near near) {
        int at = from;
        for (int edges = 0; at < to && (edges < MOST_EDGES || at == from); at++) {
            Node candidate = Rows.concept(tx, memory, candidates[at]);
            if (candidate == null) {
                continue;
            }
            chosen.add(candidate);
            near.add(candidate);
            for (Relationship edge : candidate.getRelationships()) {
                near.add(edge.getOtherNode(candidate));
                edges++;
            }
        }
        return at - from;
    }

    private boolean isDue(Node candidate) {
        try {
            return Rows.isConcept(candidate, memory)
                    && Rows.number(candidate, "expires_epoch", Double.POSITIVE_INFINITY) <= epoch;
        } catch (NotFoundException gone) {
            return false;
        }
    }

    private void remove(Transaction tx, Hands hands, List<Node> chosen, Near near) {
        double now = System.currentTimeMillis() / 1000.0;
        long edges = 0;
        long tombstones = 0;
        Set<Long> bereft = new HashSet<>();
        for (Node concept : chosen) {
            edges += cut(concept, near, bereft);
        }
        for (Node concept : chosen) {
            long id = near.add(concept);
            bereft.remove(id);
            concept.delete();
            tombstones += bury(tx, id, hands.sequence(), now);
        }
        for (long id : bereft) {
            hands.stamp(near.get(id), now);
        }
        hands.changed(-chosen.size(), -edges, tombstones);
    }

    /** Deletes a concept's relationships; how many of them were edges of the memory. */
    private int cut(Node concept, Near near, Set<Long> bereft) {
        int edges = 0;
        for (Relationship relationship : concept.getRelationships()) {
            long neighbour = near.add(relationship.getOtherNode(concept));
            if (neighbour != Near.FOREIGN) {
                bereft.add(neighbour);
                edges += types.contains(relationship.getType().name()) ? 1 : 0;
            }
            relationship.delete();
        }
        return edges;
    }

    /** Leaves a tombstone, or renews one that somebody's hand had left; how many there are more. */
    private int bury(Transaction tx, long id, long sequence, double now) {
        Node removed = Rows.one(tx, Rows.REMOVED, Map.of("memory", memory, "id", id));
        int more = removed == null ? 1 : 0;
        if (removed == null) {
            removed = tx.createNode(Rows.REMOVED);
            removed.setProperty("memory", memory);
            removed.setProperty("id", id);
        }
        removed.removeProperty("into");
        removed.setProperty("writer", Hands.ID);
        removed.setProperty("sequence", sequence);
        removed.setProperty("removed_at", now);
        removed.setProperty("vector_removed", false);
        return more;
    }
}
