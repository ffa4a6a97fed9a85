package aesg.graph.spreading;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.neo4j.graphdb.Entity;
import org.neo4j.graphdb.Node;
import org.neo4j.graphdb.Path;
import org.neo4j.graphdb.Relationship;

/** A path as Neo4j gives it to who asked: one node more than relationships. */
record WalkedPath(List<Node> walked, List<Relationship> drawn) implements Path {
    static WalkedPath of(Way way, Neighbourhood graph) {
        List<Node> nodes = new ArrayList<>();
        for (int slot : way.slots()) {
            nodes.add(graph.node(slot));
        }
        List<Relationship> relationships = new ArrayList<>();
        for (int arc : way.arcs()) {
            relationships.add(graph.relationship(arc));
        }
        return new WalkedPath(nodes, relationships);
    }

    @Override
    public Node startNode() {
        return walked.get(0);
    }

    @Override
    public Node endNode() {
        return walked.get(walked.size() - 1);
    }

    @Override
    public Relationship lastRelationship() {
        return drawn.isEmpty() ? null : drawn.get(drawn.size() - 1);
    }

    @Override
    public Iterable<Relationship> relationships() {
        return drawn;
    }

    @Override
    public Iterable<Relationship> reverseRelationships() {
        return reversed(drawn);
    }

    @Override
    public Iterable<Node> nodes() {
        return walked;
    }

    @Override
    public Iterable<Node> reverseNodes() {
        return reversed(walked);
    }

    @Override
    public int length() {
        return drawn.size();
    }

    @Override
    public Iterator<Entity> iterator() {
        List<Entity> entities = new ArrayList<>();
        for (int place = 0; place < drawn.size(); place++) {
            entities.add(walked.get(place));
            entities.add(drawn.get(place));
        }
        entities.add(endNode());
        return entities.iterator();
    }

    private static <T> List<T> reversed(List<T> list) {
        List<T> reversed = new ArrayList<>(list);
        Collections.reverse(reversed);
        return reversed;
    }
}
