package aesg.graph.spreading;

import aesg.graph.Refusal;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.neo4j.procedure.TerminationGuard;

/**
 * Spreading activation in synchronous pulses (Collins and Loftus 1975; the fan effect: Anderson 1983).
 *
 * <p>In each pulse a concept passes on a share of what reached it in the pulse before. One object serves the queries of a
 * call one after another.
 */
final class Spreading {
    private static final int BETWEEN_LOOKS = 1024;

    private final Neighbourhood graph;
    private final SpreadParams params;
    private final TerminationGuard guard;

    private double[] activation = new double[1024];
    private double[] now = new double[1024];
    private double[] next = new double[1024];
    private Ints lit = new Ints();
    private Ints reached = new Ints();
    private final Ints touched = new Ints();
    private int fresh; // reached in this pulse for the first time

    Spreading(Neighbourhood graph, SpreadParams params, TerminationGuard guard) {
        this.graph = graph;
        this.params = params;
        this.guard = guard;
    }

    /** The slots that energy reached, in no order, until the next run; {@link #activation} says how much. */
    Ints run(Seeds seeds) {
        begin(seeds);
        for (int pulse = 0; pulse < params.steps(); pulse++) {
            pulse();
        }
        return touched;
    }

    /** Gives the seeds their energy, and takes all other away. */
    void begin(Seeds seeds) {
        clear();
        for (int i = 0; i < seeds.nodes().size(); i++) {
            pass(graph.slot(seeds.nodes().get(i)), seeds.energies()[i]);
        }
        arrive();
    }

    /** One pulse. */
    void pulse() {
        for (int i = 0; i < lit.size(); i++) {
            if (i % BETWEEN_LOOKS == 0) {
                guard.check();
            }
            if (passes(lit.get(i))) {
                passOn(lit.get(i));
            }
        }
        arrive();
    }

    double activation(int slot) {
        return activation[slot];
    }

    /** What reached a slot in the last pulse alone. */
    double energy(int slot) {
        return slot < now.length ? now[slot] : 0;
    }

    /** The slots that pass energy on in the next pulse, ascending. */
    int[] passing() {
        return IntStream.range(0, lit.size()).map(lit::get).filter(this::passes).sorted().toArray();
    }

    private boolean passes(int slot) {
        return now[slot] >= params.minEnergy();
    }

    private void passOn(int slot) {
        double energy = now[slot];
        int first = graph.first(slot);
        for (int arc = first; arc < first + graph.degree(slot); arc++) {
            pass(graph.target(arc), energy * graph.share(arc));
        }
    }

    private void pass(int slot, double energy) {
        if (slot >= next.length) {
            makeRoom();
        }
        if (next[slot] == 0 && energy > 0) {
            reached.add(slot);
            if (activation[slot] == 0) {
                visit();
            }
        }
        next[slot] += energy;
    }

    /** The pulse ends: what reached a concept is what it passes on in the next one. */
    private void arrive() {
        for (int i = 0; i < lit.size(); i++) {
            now[lit.get(i)] = 0;
        }
        lit.clear();
        Ints empty = lit;
        lit = reached;
        reached = empty;
        double[] zeros = now;
        now = next;
        next = zeros;
        for (int i = 0; i < lit.size(); i++) {
            int slot = lit.get(i);
            if (activation[slot] == 0) {
                touched.add(slot);
            }
            activation[slot] += now[slot];
        }
        fresh = 0;
    }

    private void visit() {
        if (touched.size() + ++fresh > params.maxVisited()) {
            throw new Refusal(
                    "one query reached more than params.max_visited = " + params.maxVisited() + " concepts",
                    "a query that reaches fewer (fewer steps, a higher min_energy), or a larger max_visited");
        }
    }

    private void clear() {
        for (int i = 0; i < touched.size(); i++) {
            activation[touched.get(i)] = 0;
        }
        for (int i = 0; i < lit.size(); i++) {
            now[lit.get(i)] = 0;
        }
        touched.clear();
        lit.clear();
    }

    private void makeRoom() {
        int room = Math.max(2 * next.length, graph.size());
        activation = Arrays.copyOf(activation, room);
        now = Arrays.copyOf(now, room);
        next = Arrays.copyOf(next, room);
    }
}
