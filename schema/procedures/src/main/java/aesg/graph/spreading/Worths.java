package aesg.graph.spreading;

import java.util.Arrays;

/**
 * What energy in a slot brings to the target at best, as a share of it, before one of the pulses.
 *
 * @param slots those that bring something, ascending
 * @param shares their best products of shares
 */
record Worths(int[] slots, double[] shares) {
    double of(int slot) {
        int place = Arrays.binarySearch(slots, slot);
        return place < 0 ? 0 : shares[place];
    }

    /** After the last pulse nothing is brought anywhere. */
    static Worths none() {
        return new Worths(new int[0], new double[0]);
    }

    /** Before a pulse in which {@code passing} (ascending) pass energy on, from what it is worth afterwards. */
    static Worths before(Worths after, int[] passing, int target, Neighbourhood graph) {
        int[] slots = new int[passing.length];
        double[] shares = new double[passing.length];
        int size = 0;
        for (int slot : passing) {
            double best = 0;
            int first = graph.first(slot);
            for (int arc = first; arc < first + graph.degree(slot); arc++) {
                best = Math.max(best, graph.share(arc) * after.onArrival(graph.target(arc), target));
            }
            if (best > 0) {
                slots[size] = slot;
                shares[size++] = best;
            }
        }
        return new Worths(Arrays.copyOf(slots, size), Arrays.copyOf(shares, size));
    }

    /** Energy at the target may stop there (worth 1) or go on and come back. */
    double onArrival(int slot, int target) {
        return slot == target ? Math.max(1, of(slot)) : of(slot);
    }
}
