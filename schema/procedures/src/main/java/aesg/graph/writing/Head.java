package aesg.graph.writing;

import aesg.graph.Rows;
import aesg.graph.Refusal;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;

/** What a memory's head says that pruning needs. */
record Head(String memory, long incarnation, long epoch, double decay, double maxPruneFraction, Set<String> types) {
    static Head of(Transaction tx, String memory) {
        if (memory == null || memory.isEmpty()) {
            throw Refusal.unchanged("memory is " + (memory == null ? "null" : "''"), "the name of a memory");
        }
        Node head = Rows.one(tx, Rows.MEMORY, Map.of("name", memory));
        if (head == null) {
            throw Refusal.unchanged("there is no memory '" + memory + "'", "the name of one");
        }
        long incarnation = Rows.whole(head, "incarnation", 0);
        if (incarnation == 0) {
            throw Refusal.unchanged("the memory '" + memory + "' is being restored", "one that is whole");
        }
        Set<String> types = new HashSet<>();
        if (head.getProperty("relation_types", null) instanceof String[] names) {
            types.addAll(Set.of(names));
        }
        return new Head(
                memory,
                incarnation,
                Rows.whole(head, "epoch", 0),
                Rows.number(head, "relevance_decay", 0.95),
                Rows.number(head, "max_prune_fraction", 0.1),
                types);
    }

    /** The same in another epoch. */
    Head in(long epoch) {
        return new Head(memory, incarnation, epoch, decay, maxPruneFraction, types);
    }
}
