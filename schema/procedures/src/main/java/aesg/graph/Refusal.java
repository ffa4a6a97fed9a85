package aesg.graph;

/** A procedure cannot do what it was asked: what was given, and what was expected. */
public final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Refusal(String given, String expected, Throwable cause) {
        super(given + "; expected " + expected, cause);
    }

    public Refusal(String given, String expected) {
        this(given, expected, null);
    }

    /** A refusal before anything was done. */
    public static Refusal unchanged(String given, String expected) {
        return new Refusal(given, expected + " (nothing was changed)");
    }
}
