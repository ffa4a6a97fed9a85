package aesg.graph.spreading;

import aesg.graph.Params;
import aesg.graph.Refusal;
import aesg.graph.Rows;
import java.util.ArrayList;
import java.util.List;
import org.neo4j.graphdb.Node;

/** Where the energy of one query begins: concepts and what each has. A concept given twice has both. */
record Seeds(List<Node> nodes, double[] energies) {
    /** From a list of pairs of id and energy; {@code name} is what it is called where it was given. */
    static Seeds of(Object given, String name, Call call, boolean skipMissing) {
        if (!(given instanceof List<?> pairs)) {
            throw new Refusal(name + " is " + Params.shown(given), "a list of [id, energy]");
        }
        List<Node> nodes = new ArrayList<>();
        double[] energies = new double[pairs.size()];
        for (Object pair : pairs) {
            call.guard().check();
            if (!(pair instanceof List<?> both) || both.size() != 2 || !(both.get(0) instanceof Long id)) {
                throw new Refusal(name + " has " + Params.shown(pair), "[id, energy]");
            }
            double energy = energy(both.get(1), name, id);
            Node node = Rows.concept(call.transaction(), call.memory(), id);
            if (node == null && !skipMissing) {
                throw new Refusal(
                        name + " has the id " + id + ", which is no concept of the memory '" + call.memory() + "'",
                        "ids of concepts, or params.missing = 'skip'");
            }
            if (node != null && energy > 0) {
                energies[nodes.size()] = energy;
                nodes.add(node);
            }
        }
        return new Seeds(nodes, energies);
    }

    private static double energy(Object given, String name, long id) {
        if (given instanceof Number number && number.doubleValue() >= 0 && Double.isFinite(number.doubleValue())) {
            return number.doubleValue();
        }
        throw new Refusal(name + " gives " + id + " the energy " + Params.shown(given), "a finite number of 0 or more");
    }
}
