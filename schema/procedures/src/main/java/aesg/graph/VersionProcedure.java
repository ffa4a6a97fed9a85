package aesg.graph;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;
import java.util.stream.Stream;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Procedure;

/** {@code aesg.version}: which version of the plugin the server runs. */
public final class VersionProcedure {
    private static final String FILE = "/aesg-procedures.properties";

    /** A version, as Maven builds it. */
    public static final class Version {
        public final String version;

        Version(String version) {
            this.version = version;
        }
    }

    /** One row. */
    @Procedure(name = "aesg.version", mode = Mode.READ)
    @Description("Which version of the plugin the server runs.")
    public Stream<Version> version() {
        try (InputStream file = VersionProcedure.class.getResourceAsStream(FILE)) {
            Properties known = new Properties();
            known.load(file);
            return Stream.of(new Version(known.getProperty("version")));
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }
}
