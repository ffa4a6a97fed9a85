package aesg.graph;

import java.util.Map;
import java.util.TreeSet;

/** The params of a procedure, each checked before anything is done. */
public final class Params {
    private final Map<String, Object> given;

    /** Refuses a null and names that are not {@code known}. */
    public Params(Map<String, Object> given, String... known) {
        if (given == null) {
            throw Refusal.unchanged("params is null", "a map");
        }
        TreeSet<String> unknown = new TreeSet<>(given.keySet());
        for (String name : known) {
            unknown.remove(name);
        }
        if (!unknown.isEmpty()) {
            throw Refusal.unchanged("params has " + String.join(", ", unknown), String.join(", ", known));
        }
        this.given = given;
    }

    public boolean flag(String name, boolean missing) {
        if (!given.containsKey(name)) {
            return missing;
        }
        if (given.get(name) instanceof Boolean flag) {
            return flag;
        }
        throw Refusal.unchanged("params." + name + " is " + shown(given.get(name)), "true or false");
    }

    public long whole(String name, long missing, long low, long high) {
        return given.containsKey(name) ? within("params." + name, given.get(name), low, high) : missing;
    }

    public double number(String name, double missing, double low, double high) {
        if (!given.containsKey(name)) {
            return missing;
        }
        if (given.get(name) instanceof Number number && number.doubleValue() >= low && number.doubleValue() <= high) {
            return number.doubleValue();
        }
        String expected = high == Double.MAX_VALUE ? low + " or more" : low + " to " + high;
        throw Refusal.unchanged("params." + name + " is " + shown(given.get(name)), "a finite number, " + expected);
    }

    /** A whole number from {@code low} to {@code high}, or a refusal that names it. */
    public static long within(String name, Object value, long low, long high) {
        if (value instanceof Long number && number >= low && number <= high) {
            return number;
        }
        String expected = high == Long.MAX_VALUE ? low + " or more" : low + " to " + high;
        throw Refusal.unchanged(name + " is " + shown(value), "a whole number, " + expected);
    }

    public static String shown(Object value) {
        String text = value instanceof String ? "'" + value + "'" : String.valueOf(value);
        return text.length() <= 100 ? text : text.substring(0, 97) + "...";
    }
}
