package aesg.graph.spreading;

import aesg.graph.Rows;
import java.util.Arrays;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.graphdb.Transaction;

/**
 * The part of a memory that one call has seen: concepts by slot, and the arcs of those that passed energy on.
 *
 * <p>What an arc passes on is a share of what its concept has, and the same for every query of the call, so each concept
 * is read once. Arrays of primitives throughout: reading properties is what costs.
 */
final class Neighbourhood {
    private static final int UNREAD = -1;
    private static final long NO_REGION = Long.MIN_VALUE;
    private static final long UNKNOWN_REGION = Long.MIN_VALUE + 1;

    private final String memory;
    private final Vocabulary vocabulary;
    private final RelationshipType[] types;
    private final SpreadParams params;
    private final boolean keeping;

    private final LongSlots slots = new LongSlots(1024);
    private Node[] nodes = new Node[1024];
    private long[] regions = new long[1024];
    private int[] first = new int[1024];
    private int[] degree = new int[1024];

    private int arcs;
    private int[] targets = new int[8192];
    private double[] shares = new double[8192];
    private Relationship[] drawn;
    private final Fan fan = new Fan();

    /** With {@code keeping}, the relationship of each arc is kept. */
    Neighbourhood(Transaction tx, String memory, Vocabulary vocabulary, SpreadParams params, boolean keeping) {
        this.memory = memory;
        this.vocabulary = vocabulary;
        this.types = vocabulary.carrying(tx);
        this.params = params;
        this.keeping = keeping;
        this.drawn = new Relationship[keeping ? targets.length : 0];
    }

    int size() {
        return slots.size();
    }

    Node node(int slot) {
        return nodes[slot];
    }

    int target(int arc) {
        return targets[arc];
    }

    /** What an arc passes on, as a share of what its concept has. */
    double share(int arc) {
        return shares[arc];
    }

    Relationship relationship(int arc) {
        return drawn[arc];
    }

    /** Where a concept's arcs begin; {@link #degree} says how many there are. Reads them when first asked. */
    int first(int slot) {
        if (degree[slot] == UNREAD) {
            read(slot);
        }
        return first[slot];
    }

    int degree(int slot) {
        return degree[slot];
    }

    /** Whether what is in a slot is a concept of this memory: somebody may have drawn an edge to something else. */
    boolean belongs(int slot) {
        return Rows.isConcept(nodes[slot], memory);
    }

    @SuppressWarnings("deprecation") // numbers are what a hash table of primitives takes; they hold within a transaction
    int slot(Node node) {
        int known = slots.size();
        int slot = slots.put(node.getId());
        if (slot == known) {
            makeRoom(slot);
            nodes[slot] = node;
            regions[slot] = UNKNOWN_REGION;
            degree[slot] = UNREAD;
        }
        return slot;
    }

    private void makeRoom(int slot) {
        if (slot < nodes.length) {
            return;
        }
        int room = 2 * nodes.length;
        nodes = Arrays.copyOf(nodes, room);
        regions = Arrays.copyOf(regions, room);
        first = Arrays.copyOf(first, room);
        degree = Arrays.copyOf(degree, room);
    }

    private long region(int slot) {
        if (regions[slot] == UNKNOWN_REGION) {
            regions[slot] = Rows.whole(nodes[slot], "region_id", NO_REGION);
        }
        return regions[slot];
    }

    private void read(int slot) {
        fan.clear();
        if (types.length > 0 && belongs(slot)) {
            gather(slot);
        }
        first[slot] = arcs;
        degree[slot] = fan.cut(params.maxFanout());
        double divisor = Math.pow(Math.max(1, fan.total()), params.fan());
        makeRoomForArcs(degree[slot]);
        for (int i = 0; i < degree[slot]; i++) {
            targets[arcs] = fan.target(i);
            shares[arcs] = params.decay() * fan.strength(i) / divisor;
            if (keeping) {
                drawn[arcs] = fan.relationship(i);
            }
            arcs++;
        }
    }

    @SuppressWarnings("deprecation")
    private void gather(int slot) {
        Node node = nodes[slot];
        long id = node.getId();
        long home = params.regionMultiplier() == 1 ? NO_REGION : region(slot);
        try (var found = node.getRelationships(Direction.BOTH, types)) {
            for (Relationship edge : found) {
                boolean forward = edge.getStartNodeId() == id;
                int code = vocabulary.code(edge.getType());
                double gain = vocabulary.gain(code, forward);
                if (gain > 0 && edge.getProperty("weight", null) instanceof Number weight) {
                    int target = slot(forward ? edge.getEndNode() : edge.getStartNode());
                    double strength = weight.floatValue() * gain; // weights are float32 wherever they are stored
                    if (home != NO_REGION && region(target) == home) {
                        strength *= params.regionMultiplier();
                    }
                    if (strength > 0 && target != slot) {
                        fan.add(strength, target, code * 2 + (forward ? 0 : 1), edge, nodes[target]);
                    }
                }
            }
        }
    }

    private void makeRoomForArcs(int more) {
        if (arcs + more <= targets.length) {
            return;
        }
        int room = Math.max(2 * targets.length, arcs + more);
        targets = Arrays.copyOf(targets, room);
        shares = Arrays.copyOf(shares, room);
        drawn = keeping ? Arrays.copyOf(drawn, room) : drawn;
    }
}
