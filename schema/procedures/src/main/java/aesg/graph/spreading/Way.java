package aesg.graph.spreading;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * The way that some energy took, from a seed so far.
 *
 * @param before the way without its last arc; null of a seed
 * @param arc the last arc; of a seed there is none
 * @param slot where it has come to
 * @param length how many arcs it has
 * @param energy what came this way
 * @param bound what its best completion brings to the target
 * @param ended whether it is a whole path, to which nothing is added
 */
record Way(Way before, int arc, int slot, int length, double energy, double bound, boolean ended) {
    static Way seed(int slot, double energy, double worth) {
        return new Way(null, -1, slot, 0, energy, energy * worth, false);
    }

    Way through(int next, int target, double share, double worth) {
        return new Way(this, next, target, length + 1, energy * share, energy * worth, false);
    }

    Way end() {
        return new Way(before, arc, slot, length, energy, energy, true);
    }

    /** What has most to bring comes first; ties by ids, then by types and directions. */
    static Comparator<Way> order(Neighbourhood graph) {
        return Comparator.<Way>comparingDouble(way -> -way.bound)
                .thenComparing(way -> way.ids(graph), Arrays::compare)
                .thenComparing(way -> way.codes(graph), Arrays::compare)
                .thenComparing(way -> !way.ended);
    }

    /** The slots on the way, seed and end included. */
    int[] slots() {
        int[] slots = new int[length + 1];
        for (Way way = this; way != null; way = way.before) {
            slots[way.length] = way.slot;
        }
        return slots;
    }

    int[] arcs() {
        int[] arcs = new int[length];
        for (Way way = this; way.length > 0; way = way.before) {
            arcs[way.length - 1] = way.arc;
        }
        return arcs;
    }

    long[] ids(Neighbourhood graph) {
        return IntStream.of(slots()).mapToLong(graph::id).toArray();
    }

    private int[] codes(Neighbourhood graph) {
        return IntStream.of(arcs()).map(graph::code).toArray();
    }
}
