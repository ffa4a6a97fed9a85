package aesg.graph.writing;

import aesg.graph.Memories;
import aesg.graph.Refusal;
import aesg.graph.Rows;
import java.util.HashSet;
import java.util.Set;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/** What a memory's head says that pruning needs. */
record Head(String memory, long incarnation, long epoch, double decay, double maxPruneFraction, Set<String> types) {
    static Head of(Transaction tx, String memory) {
        Node head = Memories.head(tx, memory);
        Set<String> types = new HashSet<>();
        if (head.getProperty("relation_types", null) instanceof String[] names) {
            types.addAll(Set.of(names));
        }
        return new Head(
                memory,
                Rows.whole(head, "incarnation", 0),
                Rows.whole(head, "epoch", 0),
                Rows.number(head, "relevance_decay", 0.95),
                Rows.number(head, "max_prune_fraction", 0.1),
                types);
    }

    /** The same, or a refusal where it does not say which relationships are edges, so that nobody could count them. */
    static Head forPruning(Transaction tx, String memory) {
        Head head = of(tx, memory);
        if (head.types.isEmpty()) {
            throw Refusal.unchanged(
                    "the head of the memory '" + memory + "' lacks relation_types",
                    "a memory that this version of aesg-graph has opened");
        }
        return head;
    }

    /** The same in another epoch. */
    Head in(long epoch) {
        return new Head(memory, incarnation, epoch, decay, maxPruneFraction, types);
    }
}
