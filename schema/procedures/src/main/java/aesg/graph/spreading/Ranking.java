package aesg.graph.spreading;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.neo4j.graphdb.Node;

/** The strongest of what a query reaches: a heap gives them in falling order, so that few ids need be read. */
final class Ranking {
    private final Neighbourhood graph;
    private final Spreading spreading;
    private final SpreadParams params;
    private Ints heap;

    Ranking(Neighbourhood graph, Spreading spreading, SpreadParams params) {
        this.graph = graph;
        this.spreading = spreading;
        this.params = params;
    }

    /** One result. */
    record Ranked(Node node, long id, double activation) {}

    /** At most {@code top_k} concepts in falling order of activation, ties by id. */
    List<Ranked> strongest(Seeds seeds) {
        graph.makeRoom();
        while (true) {
            int strangers = graph.strangers();
            List<Ranked> found = strongest(spreading.run(seeds));
            if (graph.strangers() == strangers) {
                return found;
            }
            graph.forgetArcs();
        }
    }

    /** Takes a copy of {@code touched} apart. */
    private List<Ranked> strongest(Ints touched) {
        heap = touched.copy();
        for (int place = heap.size() / 2 - 1; place >= 0; place--) {
            sink(place);
        }
        List<Ranked> found = new ArrayList<>();
        List<Ranked> tied = new ArrayList<>();
        while (heap.size() > 0 && found.size() < params.topK()) {
            double activation = value(0);
            tied.clear();
            while (heap.size() > 0 && value(0) == activation) {
                add(tied, pop(), activation);
            }
            tied.sort(Comparator.comparingLong(Ranked::id));
            found.addAll(tied.subList(0, Math.min(tied.size(), params.topK() - found.size())));
        }
        return found;
    }

    private void add(List<Ranked> tied, int slot, double activation) {
        if (graph.belongs(slot)) {
            long id = graph.id(slot);
            if (params.allowed() == null || params.allowed().get(id) >= 0) {
                tied.add(new Ranked(graph.node(slot), id, activation));
            }
        }
    }

    private double value(int place) {
        return spreading.activation(heap.get(place));
    }

    private int pop() {
        int top = heap.get(0);
        int last = heap.removeLast();
        if (heap.size() > 0) {
            heap.set(0, last);
            sink(0);
        }
        return top;
    }

    private void sink(int place) {
        int slot = heap.get(place);
        double value = spreading.activation(slot);
        while (2 * place + 1 < heap.size()) {
            int child = 2 * place + 1;
            if (child + 1 < heap.size() && value(child + 1) > value(child)) {
                child++;
            }
            if (value(child) <= value) {
                break;
            }
            heap.set(place, heap.get(child));
            place = child;
        }
        heap.set(place, slot);
    }
}
