package aesg.graph.writing;

/** A procedure cannot do what it was asked: what was given, and what was expected. */
final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Refusal(String given, String expected, Throwable cause) {
        super(given + "; expected " + expected, cause);
    }

    Refusal(String given, String expected) {
        this(given, expected, null);
    }

    /** A refusal before anything was done. */
    static Refusal unchanged(String given, String expected) {
        return new Refusal(given, expected + " (nothing was changed)");
    }
}
