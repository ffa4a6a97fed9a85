package aesg.graph.spreading;

import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.TerminationGuard;

/** In what a procedure was called: the transaction, what tells that it was killed, and the memory that it is about. */
record Call(Transaction transaction, TerminationGuard guard, String memory) {}
