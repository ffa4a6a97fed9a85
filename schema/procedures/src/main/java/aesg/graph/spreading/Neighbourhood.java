package aesg.graph.spreading;

import aesg.graph.Rows;
import java.util.Arrays;
import java.util.Map;
import org.neo4j.graphdb.Direction;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.NotFoundException;
import org.neo4j.graphdb.Relationship;
import org.neo4j.graphdb.RelationshipType;
import org.neo4j.procedure.TerminationGuard;

/**
 * The part of a memory that one call has seen: concepts by slot, and the arcs of those that passed energy on.
 *
 * <p>What an arc passes on is a share of what its concept has, and the same for every query of the call, so each concept
 * is read once. Arrays of primitives throughout: reading properties is what costs.
 */
final class Neighbourhood {
    private static final int UNREAD = -1;
    private static final String[] COLUMNS = {"memory", "id", "region_id"};
    private static final long NONE = Long.MIN_VALUE;
    private static final byte UNKNOWN = 0;
    private static final byte CONCEPT = 1;
    private static final byte STRANGER = 2;
    private static final int ROOM = 250_000; // concepts; some 100 bytes each
    private static final int ROOM_FOR_ARCS = 2_000_000; // 12 bytes each
    private static final int BETWEEN_LOOKS = 1024;

    private final String memory;
    private final TerminationGuard guard;
    private final Vocabulary vocabulary;
    private final RelationshipType[] types;
    private final SpreadParams params;
    private final boolean keeping;

    private final LongSlots slots = new LongSlots(1024);
    private Node[] nodes = new Node[1024];
    private byte[] standings = new byte[1024];
    private long[] ids = new long[1024];
    private long[] regions = new long[1024];
    private int[] first = new int[1024];
    private int[] degree = new int[1024];

    private int strangers;

    private int arcs;
    private int[] targets = new int[8192];
    private double[] shares = new double[8192];
    private Relationship[] drawn;
    private final Fan fan = new Fan();

    /** With {@code keeping}, the relationship of each arc is kept, and no arc is forgotten. */
    Neighbourhood(Call call, Vocabulary vocabulary, SpreadParams params, boolean keeping) {
        this.memory = call.memory();
        this.guard = call.guard();
        this.vocabulary = vocabulary;
        this.types = vocabulary.carrying(call.transaction());
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

    /** The id of a concept that {@link #belongs}. */
    long id(int slot) {
        belongs(slot);
        return ids[slot];
    }

    int target(int arc) {
        return targets[arc];
    }

    /** What an arc passes on, as a share of what its concept has. */
    double share(int arc) {
        return shares[arc];
    }

    /** The edge that an arc is one side of; only with {@code keeping}. */
    Relationship relationship(int arc) {
        return drawn[arc];
    }

    /** The code of an arc's type * 2, and 1 more if it leads against its edge's direction. */
    @SuppressWarnings("deprecation")
    int code(int arc) {
        int backward = drawn[arc].getEndNodeId() == nodes[targets[arc]].getId() ? 0 : 1;
        return vocabulary.code(drawn[arc].getType()) * 2 + backward;
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

    /**
     * Whether what is in a slot is a concept of this memory: somebody may have drawn an edge to something else, or deleted
     * it meanwhile. Reads what there is to know of it when first asked.
     */
    boolean belongs(int slot) {
        if (standings[slot] == UNKNOWN) {
            standings[slot] = look(slot) ? CONCEPT : STRANGER;
            strangers += standings[slot] == STRANGER ? 1 : 0;
        }
        return standings[slot] == CONCEPT;
    }

    /**
     * How many have been found not to belong. What passes energy on or is a result is looked at, and not each end of each
     * edge: that would take as long as all the rest. When a query has found some, it is answered again without them.
     */
    int strangers() {
        return strangers;
    }

    private boolean look(int slot) {
        try {
            Map<String, Object> known = nodes[slot].getProperties(COLUMNS); // one walk for all three
            ids[slot] = known.get("id") instanceof Long id ? id : NONE;
            regions[slot] = known.get("region_id") instanceof Long region ? region : NONE;
            return known.get("id") instanceof Long
                    && memory.equals(known.get("memory"))
                    && nodes[slot].hasLabel(Rows.CONCEPT);
        } catch (NotFoundException deletedMeanwhile) {
            return false;
        }
    }

    @SuppressWarnings("deprecation") // numbers are what a hash table of primitives takes; they hold within a transaction
    int slot(Node node) {
        int known = slots.size();
        int slot = slots.put(node.getId());
        if (slot == known) {
            lengthenTo(slot);
            nodes[slot] = node;
            standings[slot] = UNKNOWN;
            degree[slot] = UNREAD;
        }
        return slot;
    }

    private void lengthenTo(int slot) {
        if (slot < nodes.length) {
            return;
        }
        int room = 2 * nodes.length;
        nodes = Arrays.copyOf(nodes, room);
        standings = Arrays.copyOf(standings, room);
        ids = Arrays.copyOf(ids, room);
        regions = Arrays.copyOf(regions, room);
        first = Arrays.copyOf(first, room);
        degree = Arrays.copyOf(degree, room);
    }

    /** Between queries: forgets everything, slots too, if it has become much. */
    void makeRoom() {
        if (slots.size() > ROOM) {
            Arrays.fill(nodes, 0, slots.size(), null);
            slots.clear();
            arcs = 0;
        }
    }

    /** Slots hold, and arcs that are wanted again are read again. */
    void forgetArcs() {
        Arrays.fill(degree, 0, slots.size(), UNREAD);
        arcs = 0;
    }

    private void read(int slot) {
        if (arcs > ROOM_FOR_ARCS && !keeping) {
            forgetArcs();
        }
        fan.clear();
        if (types.length > 0 && belongs(slot)) {
            gather(slot);
        }
        first[slot] = arcs;
        degree[slot] = fan.cut(params.maxFanout());
        double divisor = Math.pow(Math.max(1, fan.total()), params.fan());
        lengthenBy(degree[slot]);
        for (int i = 0; i < degree[slot]; i++) {
            targets[arcs] = fan.target(i);
            shares[arcs] = params.decay() * fan.strength(i) / divisor;
            if (keeping) {
                drawn[arcs] = fan.relationship(i);
            }
            arcs++;
        }
    }

    private void gather(int slot) {
        try (var found = nodes[slot].getRelationships(Direction.BOTH, types)) {
            int looks = 0;
            for (Relationship edge : found) {
                if (++looks % BETWEEN_LOOKS == 0) {
                    guard.check();
                }
                consider(slot, edge);
            }
        } catch (NotFoundException deletedMeanwhile) {
            // What was read of it before counts.
        }
    }

    @SuppressWarnings("deprecation")
    private void consider(int slot, Relationship edge) {
        boolean forward = edge.getStartNodeId() == nodes[slot].getId();
        int code = vocabulary.code(edge.getType());
        double strength = weight(edge, vocabulary.gain(code, forward));
        if (strength > 0) {
            int target = slot(forward ? edge.getEndNode() : edge.getStartNode());
            if (target != slot && mayBelong(slot, target)) {
                strength *= together(slot, target) ? params.regionMultiplier() : 1;
                if (strength > 0 && strength < Double.POSITIVE_INFINITY) {
                    fan.add(strength, target, ids[target], code * 2 + (forward ? 0 : 1), edge);
                }
            }
        }
    }

    /** Ends are looked at closely where their region counts, or their id does, by which strong edges are told apart. */
    private boolean mayBelong(int slot, int target) {
        boolean closely = params.maxFanout() < Integer.MAX_VALUE || region(slot) != NONE;
        return closely ? belongs(target) : standings[target] != STRANGER;
    }

    private boolean together(int slot, int target) {
        return region(slot) != NONE && region(slot) == region(target);
    }

    private long region(int slot) {
        return params.regionMultiplier() == 1 ? NONE : regions[slot];
    }

    /** Weight times gain; 0 of what has no weight. Weights are float32 wherever they are stored. */
    private static double weight(Relationship edge, double gain) {
        try {
            return gain > 0 && edge.getProperty("weight", null) instanceof Number weight ? weight.floatValue() * gain : 0;
        } catch (NotFoundException deletedMeanwhile) {
            return 0;
        }
    }

    private void lengthenBy(int more) {
        if (arcs + more <= targets.length) {
            return;
        }
        int room = Math.max(2 * targets.length, arcs + more);
        targets = Arrays.copyOf(targets, room);
        shares = Arrays.copyOf(shares, room);
        drawn = keeping ? Arrays.copyOf(drawn, room) : drawn;
    }
}
