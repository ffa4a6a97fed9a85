package aesg.graph.spreading;

import java.util.Arrays;

/** Gives each number a slot, in the order in which they come: a hash table of primitives, open addressing. */
final class LongSlots {
    private static final int SMALLEST = 64;

    private long[] keys;
    private int[] slots;
    private int size;

    LongSlots(int expected) {
        int capacity = SMALLEST;
        while (capacity < 2L * expected && capacity < 1 << 30) {
            capacity *= 2;
        }
        keys = new long[capacity];
        slots = new int[capacity];
        Arrays.fill(slots, -1);
    }

    int size() {
        return size;
    }

    /** The slot of a number, -1 if it has none. */
    int get(long key) {
        return slots[place(key)];
    }

    /** The slot of a number, a new one if it has none: {@code size() - 1} then. */
    int put(long key) {
        int place = place(key);
        if (slots[place] >= 0) {
            return slots[place];
        }
        keys[place] = key;
        slots[place] = size++;
        if (2 * size > keys.length) {
            grow();
        }
        return size - 1;
    }

    void clear() {
        Arrays.fill(slots, -1);
        size = 0;
    }

    private int place(long key) {
        int mask = keys.length - 1;
        long mixed = key * 0x9E3779B97F4A7C15L; // Fibonacci hashing (Knuth, TAOCP 3, 6.4)
        int place = (int) (mixed >>> 32) & mask;
        while (slots[place] >= 0 && keys[place] != key) {
            place = (place + 1) & mask;
        }
        return place;
    }

    private void grow() {
        long[] before = keys;
        int[] had = slots;
        keys = new long[2 * before.length];
        slots = new int[keys.length];
        Arrays.fill(slots, -1);
        for (int i = 0; i < before.length; i++) {
            if (had[i] >= 0) {
                int place = place(before[i]);
                keys[place] = before[i];
                slots[place] = had[i];
            }
        }
    }
}
