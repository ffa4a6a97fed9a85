package aesg.graph.spreading;

import aesg.graph.Invalid;
import aesg.graph.Memory;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** The params of a call, each checked, and what the memory's head says where they say nothing. */
final class Given {
    private final Map<String, Object> params;
    private final Memory memory;

    /** Refuses a null and names that are not {@code known}. */
    Given(Map<String, Object> params, Memory memory, List<String> known) {
        if (params == null) {
            throw new Invalid("params is null", "a map");
        }
        TreeSet<String> unknown = new TreeSet<>(params.keySet());
        known.forEach(unknown::remove);
        if (!unknown.isEmpty()) {
            throw new Invalid("params has " + String.join(", ", unknown), String.join(", ", known));
        }
        this.params = params;
        this.memory = memory;
    }

    boolean has(String name) {
        return params.containsKey(name);
    }

    Object get(String name) {
        return params.get(name);
    }

    Memory memory() {
        return memory;
    }

    /** A number from {@code low} to {@code high}; the head's {@code property} where it is not given. */
    double number(String name, String property, double low, double high) {
        Object value = valueOf(name, property);
        if (value instanceof Number number && number.doubleValue() >= low && number.doubleValue() <= high) {
            return number.doubleValue();
        }
        String expected = high == Double.MAX_VALUE ? "a finite number of at least " + low : "a number from " + low + " to " + high;
        throw bad(name, property, value, expected);
    }

    /** A whole number, likewise. */
    int whole(String name, String property, int low, int high) {
        return checked(name, property, valueOf(name, property), low, high);
    }

    /** A whole number that is {@code missing} where it is not given; the head does not have it. */
    int whole(String name, int missing, int low, int high) {
        return has(name) ? checked(name, null, get(name), low, high) : missing;
    }

    /** A whole number for which null, and nothing in the head, means {@code none}. */
    int optional(String name, String property, int none, int low, int high) {
        Object value = has(name) ? get(name) : memory.head().getProperty(property, null);
        return value == null ? none : checked(name, property, value, low, high);
    }

    private int checked(String name, String property, Object value, int low, int high) {
        if (value instanceof Long number && number >= low && number <= high) {
            return number.intValue();
        }
        throw bad(name, property, value, "a whole number from " + low + " to " + high);
    }

    private Object valueOf(String name, String property) {
        return has(name) ? get(name) : memory.head().getProperty(property, null);
    }

    private Invalid bad(String name, String property, Object value, String expected) {
        String place = has(name) ? "params." + name : "the " + property + " of memory '" + memory.name() + "'";
        return new Invalid(place + " is " + Invalid.shown(value), has(name) ? expected : expected + " there, or params." + name);
    }
}
