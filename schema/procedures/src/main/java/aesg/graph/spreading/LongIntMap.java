package aesg.graph.spreading;

import java.util.Arrays;

/** From longs to numbers from 0 on: open addressing over two arrays, for keys would be boxed anywhere else. */
final class LongIntMap {
    static final int ABSENT = -1;

    private static final int SMALLEST = 64;
    private static final long MIX = 0x9E3779B97F4A7C15L; // 2^64 over the golden ratio: it scatters runs of ids

    private long[] keys = new long[SMALLEST];
    private int[] values = empty(SMALLEST);
    private int size;

    /** The value of a key, or ABSENT. */
    int get(long key) {
        return values[place(key)];
    }

    boolean contains(long key) {
        return get(key) != ABSENT;
    }

    /** Sets the value of a key to a number from 0 on. */
    void put(long key, int value) {
        int place = place(key);
        if (values[place] == ABSENT) {
            keys[place] = key;
            size++;
        }
        values[place] = value;
        if (size * 2 > keys.length) {
            grow();
        }
    }

    void clear() {
        keys = new long[SMALLEST];
        values = empty(SMALLEST);
        size = 0;
    }

    /** Where a key is, or where it would go. */
    private int place(long key) {
        int mask = keys.length - 1;
        int place = (int) ((key * MIX) >>> 32) & mask;
        while (values[place] != ABSENT && keys[place] != key) {
            place = (place + 1) & mask;
        }
        return place;
    }

    private void grow() {
        long[] oldKeys = keys;
        int[] oldValues = values;
        keys = new long[oldKeys.length * 2];
        values = empty(keys.length);
        for (int i = 0; i < oldKeys.length; i++) {
            if (oldValues[i] != ABSENT) {
                int place = place(oldKeys[i]);
                keys[place] = oldKeys[i];
                values[place] = oldValues[i];
            }
        }
    }

    private static int[] empty(int length) {
        int[] values = new int[length];
        Arrays.fill(values, ABSENT);
        return values;
    }
}
