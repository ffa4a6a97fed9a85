package aesg.graph;

import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.UserFunction;

/**
 * What a concept is worth today: {@code aesg.relevance}, {@code aesg.age}, {@code aesg.stability}.
 *
 * <p>A concept stores its relevance as of the epoch in which it was touched; time passing changes no node.
 */
public final class AgingFunctions {
    @Context public Transaction transaction;

    /** {@code relevance * relevance_decay ^ (epoch - touched_epoch)}, at most 1. */
    @UserFunction("aesg.relevance")
    @Description("A concept's relevance today, from 0 to 1.")
    public Double relevance(@Name("concept") Node concept) {
        Node head = headOf(concept, "aesg.relevance");
        if (head == null) {
            return null;
        }
        long epoch = Rows.whole(head, "epoch", 0);
        long passed = epoch - Rows.whole(concept, "touched_epoch", epoch);
        double decay = Rows.number(head, "relevance_decay", 0.95);
        return Math.min(1.0, Rows.number(concept, "relevance", 0) * Math.pow(decay, passed));
    }

    /** Epochs since it was born. */
    @UserFunction("aesg.age")
    @Description("How many epochs ago a concept was born.")
    public Long age(@Name("concept") Node concept) {
        Node head = headOf(concept, "aesg.age");
        if (head == null) {
            return null;
        }
        long epoch = Rows.whole(head, "epoch", 0);
        return epoch - Rows.whole(concept, "born_epoch", epoch);
    }

    /** Laplace's rule of succession over its uses and contradictions: one half at birth. */
    @UserFunction("aesg.stability")
    @Description("How far a concept can be trusted, from 0 to 1: one half at birth.")
    public Double stability(@Name("concept") Node concept) {
        if (concept == null) {
            return null;
        }
        expectConcept(concept, "aesg.stability");
        double uses = Rows.whole(concept, "use_frequency", 0);
        return (uses + 1) / (uses + Rows.whole(concept, "contradictions", 0) + 2);
    }

    private Node headOf(Node concept, String function) {
        if (concept == null) {
            return null;
        }
        expectConcept(concept, function);
        return Memories.head(transaction, String.valueOf(concept.getProperty("memory", "")));
    }

    private static void expectConcept(Node node, String function) {
        if (!node.hasLabel(Rows.CONCEPT)) {
            throw new Refusal(function + " was given a node with labels " + node.getLabels(), "a :Concept");
        }
    }
}
