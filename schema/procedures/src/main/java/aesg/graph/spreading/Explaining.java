package aesg.graph.spreading;

import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import org.neo4j.procedure.TerminationGuard;

/**
 * The paths by which energy reached a concept.
 *
 * <p>What a spread adds up is a sum over paths: a seed's energy times one share an arc. So a concept's activation is its
 * own seed energy plus the energies of all paths that end there, and the strongest few tell a person why it was recalled.
 */
final class Explaining {
    private static final int BETWEEN_LOOKS = 1024;

    private final Neighbourhood graph;
    private final SpreadParams params;
    private final TerminationGuard guard;
    private final Spreading spreading;
    private final int target;
    private final List<Worths> worths = new ArrayList<>();
    private double total;

    /** {@code graph} keeps the relationships of its arcs; {@code target} is a slot of it. */
    Explaining(Neighbourhood graph, SpreadParams params, TerminationGuard guard, int target) {
        this.graph = graph;
        this.params = params;
        this.guard = guard;
        this.spreading = new Spreading(graph, params, guard);
        this.target = target;
    }

    /** The energy of all paths: the target's activation less its own seed energy. */
    double total() {
        return total;
    }

    /** The strongest paths from the seeds to the target, in falling order of energy. */
    List<Way> strongest(Seeds seeds) {
        readWithoutStrangers(seeds);
        List<int[]> passing = new ArrayList<>();
        total = 0;
        spreading.begin(seeds);
        for (int pulse = 0; pulse < params.steps(); pulse++) {
            passing.add(spreading.passing());
            spreading.pulse();
            total += spreading.energy(target);
        }
        weigh(passing);
        spreading.begin(seeds);
        return search();
    }

    private void readWithoutStrangers(Seeds seeds) {
        int known;
        do {
            known = graph.strangers();
            graph.forgetArcs();
            spreading.run(seeds);
        } while (graph.strangers() != known);
    }

    /** Backwards from the last pulse. */
    private void weigh(List<int[]> passing) {
        Worths after = Worths.none();
        for (int pulse = passing.size() - 1; pulse >= 0; pulse--) {
            guard.check();
            after = Worths.before(after, passing.get(pulse), target, graph);
            worths.add(0, after);
        }
        worths.add(Worths.none());
    }

    /** Best-first. A way's bound is the energy of its best completion, exactly: every step leads to a path that is found. */
    private List<Way> search() {
        PriorityQueue<Way> open = new PriorityQueue<>(Way.order(graph));
        for (int slot : spreading.passing()) {
            double worth = worths.get(0).of(slot);
            if (worth > 0) {
                open.add(Way.seed(slot, spreading.energy(slot), worth));
            }
        }
        List<Way> found = new ArrayList<>();
        for (int taken = 0; !open.isEmpty() && found.size() < params.limit(); taken++) {
            if (taken % BETWEEN_LOOKS == 0) {
                guard.check();
            }
            Way way = open.poll();
            if (way.ended()) {
                found.add(way);
            } else {
                if (way.slot() == target && way.length() > 0) {
                    open.add(way.end());
                }
                lengthen(way, open);
            }
        }
        found.sort(Way.order(graph)); // bounds are products in another order, and may be off by their rounding
        return found;
    }

    private void lengthen(Way way, PriorityQueue<Way> open) {
        if (way.length() == params.steps() || worths.get(way.length()).of(way.slot()) == 0) {
            return;
        }
        Worths after = worths.get(way.length() + 1);
        int first = graph.first(way.slot());
        for (int arc = first; arc < first + graph.degree(way.slot()); arc++) {
            int next = graph.target(arc);
            double worth = graph.share(arc) * after.onArrival(next, target);
            if (worth > 0) {
                open.add(way.through(arc, next, graph.share(arc), worth));
            }
        }
    }
}
