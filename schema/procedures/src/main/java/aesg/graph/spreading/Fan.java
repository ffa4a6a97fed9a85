package aesg.graph.spreading;

import java.util.Arrays;
import org.neo4j.graphdb.Relationship;

/** The edges of one concept that carry energy, while they are read: of too many, the strongest stay. */
final class Fan {
    private int size;
    private double[] strengths = new double[64];
    private int[] targets = new int[64];
    private long[] ids = new long[64];
    private int[] arcs = new int[64];
    private Relationship[] drawn = new Relationship[64];

    void clear() {
        size = 0;
    }

    /** {@code id} is the target's; {@code arc}: the type's code * 2, and 1 more backward. */
    void add(double strength, int target, long id, int arc, Relationship edge) {
        if (size == targets.length) {
            int room = 2 * size;
            strengths = Arrays.copyOf(strengths, room);
            targets = Arrays.copyOf(targets, room);
            ids = Arrays.copyOf(ids, room);
            arcs = Arrays.copyOf(arcs, room);
            drawn = Arrays.copyOf(drawn, room);
        }
        strengths[size] = strength;
        targets[size] = target;
        ids[size] = id;
        arcs[size] = arc;
        drawn[size++] = edge;
    }

    double strength(int place) {
        return strengths[place];
    }

    int target(int place) {
        return targets[place];
    }

    Relationship relationship(int place) {
        return drawn[place];
    }

    /** The sum of what is considered. */
    double total() {
        double total = 0;
        for (int i = 0; i < size; i++) {
            total += strengths[i];
        }
        return total;
    }

    /** Keeps the strongest, ties by the target's id, type and direction; how many there are then. */
    int cut(int most) {
        if (size > most) {
            Integer[] order = new Integer[size];
            Arrays.setAll(order, i -> i);
            Arrays.sort(order, (a, b) -> {
                int byStrength = Double.compare(strengths[b], strengths[a]);
                int byId = byStrength != 0 ? byStrength : Long.compare(ids[a], ids[b]);
                return byId != 0 ? byId : Integer.compare(arcs[a], arcs[b]);
            });
            keep(order, most);
        }
        return size;
    }

    private void keep(Integer[] order, int most) {
        double[] strength = strengths.clone();
        int[] target = targets.clone();
        long[] id = ids.clone();
        int[] arc = arcs.clone();
        Relationship[] edge = drawn.clone();
        for (int i = 0; i < most; i++) {
            strengths[i] = strength[order[i]];
            targets[i] = target[order[i]];
            ids[i] = id[order[i]];
            arcs[i] = arc[order[i]];
            drawn[i] = edge[order[i]];
        }
        size = most;
    }
}
