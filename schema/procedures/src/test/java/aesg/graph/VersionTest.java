package aesg.graph;

import static org.junit.jupiter.api.Assertions.assertTrue;

import aesg.graph.writing.World;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class VersionTest {
    @Test
    void theVersionIsThatOfTheProject() throws IOException {
        Object version = World.value("CALL aesg.version()", "");
        String project = Files.readString(Path.of("pom.xml"));
        assertTrue(project.contains("<artifactId>aesg-procedures</artifactId>\n  <version>" + version + "</version>"));
    }
}
