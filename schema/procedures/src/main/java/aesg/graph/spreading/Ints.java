package aesg.graph.spreading;

import java.util.Arrays;

/** A growing list of ints. */
final class Ints {
    private int[] items = new int[1024];
    private int size;

    int size() {
        return size;
    }

    int get(int place) {
        return items[place];
    }

    void set(int place, int item) {
        items[place] = item;
    }

    void add(int item) {
        if (size == items.length) {
            items = Arrays.copyOf(items, 2 * size);
        }
        items[size++] = item;
    }

    int removeLast() {
        return items[--size];
    }

    Ints copy() {
        Ints copy = new Ints();
        copy.items = Arrays.copyOf(items, Math.max(size, 1));
        copy.size = size;
        return copy;
    }

    void clear() {
        size = 0;
    }
}
